"""`with_structured_output` over a real socket: every schema, method and mode, and every failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterOutputError,
    OpenRouterRefusalError,
    OpenRouterTruncatedError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.modes import every_mode


class Person(BaseModel):
    """A person."""

    name: str
    born: int


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    born: int


@dataclass
class PersonData:
    """A person."""

    name: str
    born: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    born: int


JSON_SCHEMA = Person.model_json_schema()
UNTITLED = {key: value for key, value in JSON_SCHEMA.items() if key != "title"}
PLAIN: dict[str, Any] = {"name": "Ada Lovelace", "born": 1815}
PROMPT = "Ada Lovelace, born 1815. Answer as JSON with 'name' and 'born' keys."

SOME_JSON = Canned(pieces=wire.to_json(wire.body('{"name":"Ada Lovelace","born":1815}')))

SCHEMAS: dict[str, tuple[Any, Any]] = {
    "pydantic": (Person, Person(name="Ada Lovelace", born=1815)),
    "pydantic v1": (PersonV1, PersonV1(name="Ada Lovelace", born=1815)),
    "dataclass": (PersonData, PersonData("Ada Lovelace", 1815)),
    "typed dict": (PersonDict, PLAIN),
    "json schema": (JSON_SCHEMA, PLAIN),
    "untitled json schema": (UNTITLED, PLAIN),
}


def last_of_stream(runnable: Any, prompt: str) -> Any:
    return list(runnable.stream(prompt))[-1]


def last_of_astream(runnable: Any, prompt: str) -> Any:
    async def collect() -> list[Any]:
        return [item async for item in runnable.astream(prompt)]

    return asyncio.run(collect())[-1]


MODES: dict[str, Callable[[Any, str], Any]] = {
    "invoke": lambda runnable, prompt: runnable.invoke(prompt),
    "ainvoke": lambda runnable, prompt: asyncio.run(runnable.ainvoke(prompt)),
    "stream": last_of_stream,
    "astream": last_of_astream,
}
every_method = pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])


@every_mode
@every_method
@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_schema_by_every_method_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3, kind: str, method: Any, mode: str
) -> None:
    schema, expected = SCHEMAS[kind]
    if method == "json_mode":
        emulator.play(SOME_JSON)  # the emulator's rules cannot know what JSON is wanted
    assert MODES[mode](model.with_structured_output(schema, method=method), PROMPT) == expected


@every_method
def test_raw_stands_beside_the_object(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any
) -> None:
    if method == "json_mode":
        emulator.play(SOME_JSON, SOME_JSON)
    reader = model.with_structured_output(Person, method=method, include_raw=True)
    outcome = reader.invoke(PROMPT)
    assert outcome["parsed"] == Person(**PLAIN)
    assert outcome["parsing_error"] is None
    assert outcome["raw"].usage_metadata["total_tokens"] > 0
    total: Any = None
    for piece in reader.stream(PROMPT):
        total = piece if total is None else total + piece
    assert (total["parsed"], total["parsing_error"]) == (Person(**PLAIN), None)
    assert total["raw"].text == outcome["raw"].text


def test_a_stream_shows_the_object_while_it_grows(model: ChatOpenRouterO3) -> None:
    growing = list(model.with_structured_output(JSON_SCHEMA).stream(PROMPT))
    assert growing[0] != growing[-1]
    assert growing[-1] == PLAIN
    assert all(set(piece) <= {"name", "born"} for piece in growing)


BROKEN = '{"name": "Ada", "bo'
CALL = {"name": "Person", "identity": "call_1"}
FAILURES: dict[str, tuple[Any, dict[str, Any], type[OpenRouterOutputError], str]] = {
    "refusal": (
        "json_schema",
        wire.body(None, refusal="I cannot."),
        OpenRouterRefusalError,
        "I cannot",
    ),
    "cut text": (
        "json_schema",
        wire.body(BROKEN, finish="length"),
        OpenRouterTruncatedError,
        "max_tokens",
    ),
    "hidden reasoning ate the budget": (
        "json_schema",
        wire.body(None, finish="length", counts=wire.usage(completion=2000, reasoning=1984)),
        OpenRouterTruncatedError,
        "2000 tokens, 1984 of them hidden reasoning",
    ),
    "broken json": ("json_schema", wire.body(BROKEN), OpenRouterOutputError, "not JSON"),
    "empty": ("json_schema", wire.body(""), OpenRouterOutputError, "not JSON"),
    "no object": ("json_mode", wire.body("[1]"), OpenRouterOutputError, "no object"),
    "misfit": (
        "json_schema",
        wire.body('{"name": "Ada", "born": "x"}'),
        OpenRouterOutputError,
        "born",
    ),
    "text instead of a call": (
        "function_calling",
        wire.body("Ada, I think."),
        OpenRouterOutputError,
        "Ada, I think",
    ),
    "another call": (
        "function_calling",
        wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("Other", "{}")]),
        OpenRouterOutputError,
        "no call of Person",
    ),
    "two calls": (
        "function_calling",
        wire.body(
            None,
            finish="tool_calls",
            tool_calls=[
                wire.tool_call("Person", '{"name":"a","born":1}', f"call_{n}", n) for n in (0, 1)
            ],
        ),
        OpenRouterOutputError,
        "2 calls of Person",
    ),
    "broken arguments": (
        "function_calling",
        wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("Person", BROKEN)]),
        OpenRouterOutputError,
        "not valid",
    ),
}


@every_mode
@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_is_silent_or_half_an_object(
    emulator: Emulator, model: ChatOpenRouterO3, name: str, mode: str
) -> None:
    method, body, kind, words = FAILURES[name]
    canned = Canned(pieces=wire.to_json(body))
    prompt = "Say it in JSON."
    emulator.play(canned)
    with pytest.raises(kind, match=words) as caught:
        MODES[mode](model.with_structured_output(Person, method=method), prompt)
    assert caught.value.partial is not None
    assert caught.value.generation_id == wire.GENERATION
    if "stream" not in mode:
        emulator.play(canned)
        reader = model.with_structured_output(Person, method=method, include_raw=True)
        outcome = MODES[mode](reader, prompt)
        assert outcome["parsed"] is None
        assert isinstance(outcome["parsing_error"], kind)
        assert outcome["raw"].response_metadata["id"] == wire.GENERATION


@every_mode
def test_a_call_cut_in_disguise_is_truncation(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    """Only the native finish reason tells: OpenRouter says "tool_calls" for a cut call."""
    body = wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("Person", BROKEN)])
    body["choices"][0]["native_finish_reason"] = "max_output_tokens"
    emulator.play(Canned(pieces=wire.to_json(body)))
    with pytest.raises(OpenRouterTruncatedError, match="reasoning_effort"):
        MODES[mode](model.with_structured_output(Person, method="function_calling"), "Ada")


def test_the_emulators_own_refusal_and_truncation(model: ChatOpenRouterO3) -> None:
    reader = model.with_structured_output(Person)
    with pytest.raises(OpenRouterRefusalError):
        reader.invoke("please refuse")
    with pytest.raises(OpenRouterTruncatedError):
        reader.invoke(PROMPT, max_tokens=100)
