"""Structured output: strict on the way out, whole on the way in."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from tests.helpers import wire
from tests.helpers.factories import streamed, whole
from tests.pains.harness import WHOLE, Harness, Observation, Outcome, case, not_applicable, safe_if


class Address(BaseModel):
    street: str = Field(description="Where")


class Person(BaseModel):
    """A person."""

    name: str
    age: int | None = None
    homes: list[Address]


class Named(BaseModel):
    """A person."""

    name: str
    age: int | None = None


class PersonDict(TypedDict):
    """A person."""

    name: str


PERSON_SCHEMA = {"title": "Person", "type": "object", "properties": {"name": {"type": "string"}}}
HALF = '{"name": "Ada", "ag'


def extract(harness: Harness, schema: type[BaseModel] = Person, **arguments: Any) -> Outcome:
    """Ask for a person."""
    return harness.attempt(
        lambda: harness.model().with_structured_output(schema, **arguments).invoke("Ada is 36")
    )


@case("P18")
def a_schema_should_be_strict(harness: Harness) -> Observation:
    outcome = extract(harness, method="json_schema", strict=True)
    good = isinstance(outcome.value, Person)
    return safe_if(good, "schema accepted, object returned" if good else outcome.refusal)


@case("P19")
def an_object_is_cut(harness: Harness) -> Observation:
    cut = whole(wire.body(HALF, finish="length"))
    harness.play(cut)
    plain = extract(harness, Named, method="json_schema")
    harness.emulator.reset()
    harness.play(cut)
    both = extract(harness, Named, method="json_schema", include_raw=True)
    kept = both.succeeded and both.value["parsing_error"] is not None and both.value["raw"].id
    told = "raw and error" if kept else "no error" if both.succeeded else both.kind
    return safe_if(
        not plain.succeeded and kept, f"{plain.kind if plain.error else plain}; include_raw: {told}"
    )


@case("P20", WHOLE)
def the_model_refuses(harness: Harness) -> Observation:
    said = [wire.chunk(refusal=piece) for piece in ("I can", "not.")]
    harness.play(whole(wire.body(None, refusal="I cannot.")), streamed(*said, *wire.ending()))
    kept = []
    for streaming in (False, True):
        outcome = harness.ask(streaming=streaming)
        kept.append(outcome.succeeded and "I cannot." in str(outcome.value.model_dump()))
    told = [
        f"{mode} {'kept' if good else 'lost'}"
        for mode, good in zip(("invoke", "stream"), kept, strict=True)
    ]
    return safe_if(all(kept), ", ".join(told))


@case("P21")
def the_call_is_missing_or_broken(harness: Harness) -> Observation:
    broken = wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("Person", HALF)])
    told = []
    for name, answer in (("text", wire.body("Ada, I think.")), ("bad arguments", broken)):
        harness.play(whole(answer))
        outcome = extract(harness, method="function_calling")
        told.append(
            (outcome.succeeded, f"{name}: {outcome if outcome.succeeded else outcome.kind}")
        )
    return safe_if(not any(taken for taken, _ in told), "; ".join(words for _, words in told))


@case("P22")
def an_agent_has_a_response_format(harness: Harness) -> Observation:
    agent: Any = create_agent(harness.model(), response_format=PersonDict)
    question = {"messages": [("user", "Ada Lovelace")]}
    result = harness.attempt(lambda: agent.invoke(question)["structured_response"]["name"])
    called = harness.attempt(lambda: harness.model().invoke("Ada", response_format=Person))
    told = "object returned" if result.succeeded else result.refusal
    direct = called.refusal if called.error else "accepted"
    good = result.succeeded and called.succeeded
    return safe_if(good, f"agent: {told}; class given to invoke: {direct}")


@case("P68")
def json_mode_is_asked_for(harness: Harness) -> Observation:
    def read(prompt: str) -> Any:
        reader = harness.model().with_structured_output(PERSON_SCHEMA, method="json_mode")
        return reader.invoke(prompt)

    harness.play(whole(wire.body('{"name": "Ada"}')))
    asked = harness.attempt(lambda: read("Ada, as JSON"))
    sent = harness.sent().get("response_format", {}).get("type") if harness.requests else "nothing"
    if harness.warnings_about("json_mode"):
        return not_applicable(f"no json_mode: warned and sent {sent!r}")
    before = len(harness.requests)
    unasked = harness.attempt(lambda: read("Ada"))
    early = not unasked.succeeded and len(harness.requests) == before
    told = (
        f"sent {sent!r}; without the word JSON: {'refused locally' if early else unasked.refusal}"
    )
    return safe_if(asked.succeeded and sent == "json_object" and early, told)


@case("P70")
def a_schema_has_no_title(harness: Harness) -> Observation:
    schema = {key: value for key, value in PERSON_SCHEMA.items() if key != "title"}
    outcome = harness.attempt(lambda: harness.model().with_structured_output(schema).invoke("Ada"))
    return safe_if(outcome.succeeded, outcome if outcome.error else "a name was made up")
