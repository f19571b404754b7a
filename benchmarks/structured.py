"""Structured output: a large object, whole and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel

from benchmarks.answers import find_answer
from benchmarks.calls import PROMPT
from benchmarks.checks import expect
from benchmarks.contestants import refill
from benchmarks.samples import Sample, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.answers import Answer
    from benchmarks.contestants import Subject
    from benchmarks.scenarios import Scenario


class Row(BaseModel):
    """One line of the large object."""

    id: int
    name: str
    tags: list[str]
    price: float


class Table(BaseModel):
    """The large object."""

    rows: list[Row]


def whole(subject: Subject, scenario: Scenario) -> Task:
    """Get the object at once.

    The floor's httpx part validates with pydantic; its core part is a model and a step after it,
    as `with_structured_output` is.
    """
    answer, calls = find_answer(scenario.answer), range(scenario.units)
    check = _check(answer)
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer)

        def read() -> Table:
            content = bare.invoke()["choices"][0]["message"]["content"]
            return Table.model_validate_json(content)

        return Task(lambda: [read() for _ in calls], check, scenario.units)
    model, chain = _chain(subject, answer)
    return Task(
        lambda: [chain.invoke(PROMPT) for _ in calls],
        check,
        scenario.units,
        lambda: refill(model, scenario.units),
    )


def streamed(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Watch the object grow; only the last state is checked."""
    answer = find_answer(scenario.answer)
    units, check = len(answer.pieces), _check(answer)
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer)

        def read() -> list[Table]:
            deltas = [payload["choices"][0]["delta"] for payload in bare.stream()]
            content = "".join(delta["content"] for delta in deltas)
            return [Table.model_validate_json(content)]

        return Task(read, check, units)
    model, chain = _chain(subject, answer)
    if subject.name == "core":
        return Task(
            lambda: list(model.stream(PROMPT)), lambda _: None, units, lambda: refill(model, 1)
        )
    task = Task(lambda: list(chain.stream(PROMPT)), lambda _: None, units)

    def sample() -> Sample:
        states: list[Any] = []
        task.check = states.extend
        taken = task()
        check(states[-1:])
        taken.notes["objects"] = len(states)
        return taken

    return sample


def _chain(subject: Subject, answer: Answer) -> tuple[Any, Any]:
    model = subject.model(answer)
    if subject.name == "core":
        ready = Table.model_validate_json(answer.text)
        return model, model | RunnableLambda(lambda _: ready)
    return model, model.with_structured_output(Table, method="json_schema")


def _check(answer: Answer) -> Callable[[list[Any]], None]:
    expected = Table.model_validate_json(answer.text)

    def check(tables: list[Any]) -> None:
        expect("an object", bool(tables), sent=True)
        for table in tables:
            expect("object", table, expected)

    return check
