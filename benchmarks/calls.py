"""Calls that wait for the whole answer, and the building of models."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.answers import find_answer
from benchmarks.checks import check_message, check_payloads, expect
from benchmarks.contestants import refill
from benchmarks.conversation import check_received, langchain_history, wire_history
from benchmarks.samples import LOOP, Clock, Task, count, median_lap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.answers import Answer
    from benchmarks.contestants import Subject
    from benchmarks.samples import Sample
    from benchmarks.scenarios import Scenario

PROMPT = "How many sheep are left?"
TURNS = 50


def invoke(subject: Subject, scenario: Scenario) -> Task:
    """Blocking calls, one after the other."""
    return _blocking(subject, scenario, PROMPT, None)


def history(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Blocking calls with 200 messages; the first sample checks that all of them arrived."""
    wire = wire_history(TURNS)
    task = _blocking(subject, scenario, langchain_history(TURNS), wire)
    unchecked = [subject] if subject.name != "core" else []

    def sample() -> Sample:
        taken = task()
        if unchecked:
            check_received(unchecked.pop().origin, wire)
        return taken

    return sample


def ainvoke(subject: Subject, scenario: Scenario) -> Task:
    """Asynchronous calls, one after the other."""

    async def one_by_one(call: Callable[[], Any], units: int) -> list[Any]:
        return [await call() for _ in range(units)]

    return _asynchronous(subject, scenario, one_by_one)


def burst(subject: Subject, scenario: Scenario) -> Task:
    """Asynchronous calls, all at once, in a process that has made one call before.

    The time is that of the whole burst, so its calls count as one unit.
    """

    async def all_at_once(call: Callable[[], Any], units: int) -> list[Any]:
        return await asyncio.gather(*(count(call()) for _ in range(units)))

    machine.allow_many_sockets()
    return _asynchronous(subject, scenario, all_at_once)


def _blocking(subject: Subject, scenario: Scenario, prompt: Any, wire: Any) -> Task:
    answer, calls = find_answer(scenario.answer), range(scenario.units)
    if subject.name == "raw":
        from benchmarks.bare import RawSocket

        raw = RawSocket(subject, answer)
        return Task(lambda: [raw.invoke() for _ in calls], _whole_responses, scenario.units)
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer, wire)
        return Task(lambda: [bare.invoke() for _ in calls], _bodies(answer), scenario.units)
    model = subject.model(answer)
    return Task(
        lambda: [model.invoke(prompt) for _ in calls],
        _messages(answer),
        scenario.units,
        lambda: refill(model, scenario.units),
    )


def _asynchronous(subject: Subject, scenario: Scenario, order: Callable[..., Any]) -> Task:
    answer, units = find_answer(scenario.answer), scenario.units
    per = 1 if scenario.whole else units
    if subject.name == "raw":
        from benchmarks.bare import RawSocket

        raw = RawSocket(subject, answer)
        warm_up(raw.ainvoke)
        return Task(lambda: LOOP.run(order(raw.ainvoke, units)), _whole_responses, per)
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer)
        warm_up(bare.ainvoke)
        return Task(lambda: LOOP.run(order(bare.ainvoke, units)), _bodies(answer), per, total=units)
    model = subject.model(answer)
    warm_up(lambda: model.ainvoke(PROMPT))
    return Task(
        lambda: LOOP.run(order(lambda: model.ainvoke(PROMPT), units)),
        _messages(answer),
        per,
        lambda: refill(model, units),
        total=units,
    )


def warm_up(call: Callable[[], Any]) -> None:
    """Make one call, so that lazy imports and the TLS context are not part of the first sample."""
    LOOP.run(call())


def _messages(answer: Answer) -> Callable[[Sequence[Any]], None]:
    def check(messages: Sequence[Any]) -> None:
        for message in messages:
            check_message(message, answer)

    return check


def _bodies(answer: Answer) -> Callable[[Sequence[Any]], None]:
    def check(bodies: Sequence[Any]) -> None:
        expected = answer.payloads()
        for body in bodies:
            check_payloads([body], expected)

    return check


def _whole_responses(responses: Sequence[bytes]) -> None:
    for response in responses:
        expect("status line", response[:15], b"HTTP/1.1 200 OK")


def instance(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Build models beside one that has been used; sockets that stay open are counted.

    A sample is the median of some: the first after the garbage is collected finds cold caches.
    """
    answer = find_answer(scenario.answer)
    build = subject.builder(answer)
    first = build()
    refill(first, 1)
    check_message(first.invoke(PROMPT), answer)

    def sample() -> Sample:
        before = machine.open_sockets()
        models: list[Any] = []
        laps: list[tuple[float, float]] = []
        with Clock() as clock:
            for _ in range(scenario.units):
                models.append(build())
                laps.append(clock.lap())
        after = machine.open_sockets()
        opened = {} if before is None or after is None else {"sockets opened": after - before}
        del models
        return median_lap(laps, **opened)

    return sample
