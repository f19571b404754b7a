"""`with_structured_output` over a real socket: every schema, method and mode, and every failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
    OpenRouterTruncatedError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import odd_fields, wire
from tests.helpers.factories import STREAM, build_once, streamed, whole
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


class Score(BaseModel):
    """Points, which can be added up."""

    points: int
    why: str

    def __add__(self, other: Score) -> Score:
        """Add up."""
        return Score(points=self.points + other.points, why=self.why + other.why)


@pytest.mark.parametrize("read", ["stream", "astream"])
def test_a_step_behind_a_streamed_object_gets_the_object_and_no_sum_of_its_states(
    emulator: Emulator, model: ChatOpenRouterO3, read: str
) -> None:
    score = Score(points=3, why="a good style and clear words")
    emulator.play(growing_answer(score.model_dump_json()))
    seen: list[Score] = []
    chain = model.with_structured_output(Score) | RunnableLambda(seen.append)
    if read == "stream":
        list(chain.stream("Judge"))
    else:
        asyncio.run(_collect(chain.astream("Judge")))
    assert seen == [score]


async def _collect(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


def growing_answer(text: str) -> Canned:
    """A stream that brings five characters at a time."""
    parts = [text[at : at + 5] for at in range(0, len(text), 5)]
    return streamed(*map(wire.chunk, parts), *wire.ending())


class Selective(BaseModel):
    """Compares itself with its own kind alone."""

    name: str

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return bool(self.name == other.name)  # type: ignore[attr-defined]


class Elementwise:
    """Compares as arrays do."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


class Dynamic(BaseModel):
    """Has any attribute, but not all."""

    name: str

    def __getattr__(self, name: str) -> Any:
        return self.__dict__[name]


class Unseen(BaseModel):
    """Has something that compares as arrays do, and cannot be shown."""

    name: Annotated[str, AfterValidator(lambda _: Elementwise())]

    def __repr__(self) -> str:
        raise IndexError


@pytest.mark.parametrize("kind", [Selective, Unseen, Dynamic])
def test_a_stream_leaves_it_to_a_class_how_it_compares_and_prints(
    emulator: Emulator, model: ChatOpenRouterO3, kind: type[BaseModel]
) -> None:
    for include_raw in (False, True):
        reader = model.with_structured_output(kind, include_raw=include_raw)
        for _ in range(2):
            emulator.play(growing_answer('{"name":"Ada Lovelace"}'))
        for items in (list(reader.stream("Who?")), asyncio.run(_collect(reader.astream("Who?")))):
            objects = [item.get("parsed") for item in items] if include_raw else items
            assert kind in map(type, objects)


@pytest.mark.parametrize("leave", ["close", "throw"])
@pytest.mark.parametrize("kind", [Person, PersonDict])
def test_who_leaves_a_stream_hangs_up(
    emulator: Emulator, model: ChatOpenRouterO3, kind: type, leave: str
) -> None:
    begun = wire.sse(wire.chunk('{"name":"Ada","born":1815}'), done=False)
    emulator.play(Canned(headers=STREAM, pieces=[begun, *[b": wait\n\n"] * 100], pause=0.1))
    stream: Any = model.with_structured_output(kind).stream("Who?")
    next(stream)
    if leave == "close":
        stream.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt)
    del stream
    assert emulator.requests[-1].wait_disconnected(30)


def test_the_parser_of_a_chain_streams_a_message_that_is_whole(model: ChatOpenRouterO3) -> None:
    chain: Any = model.with_structured_output(Person)
    parser = chain.last
    assert list(parser.stream(AIMessage(Person(**PLAIN).model_dump_json()))) == [Person(**PLAIN)]


@every_mode
def test_what_a_stop_sequence_has_cut_is_told_so(emulator: Emulator, mode: str) -> None:
    model = build_once(emulator, stop=["\n\n"])
    text = '{"name": "Ada",\n\n"born": 1815}'
    streamed = "stream" in mode
    emulator.play(
        growing_answer(text) if streamed else Canned(pieces=wire.to_json(wire.body(text)))
    )
    with pytest.raises(OpenRouterOutputError, match=r"The stop sequence '\\n\\n' cut the answer"):
        MODES[mode](model.with_structured_output(Person), "Who?")


@pytest.mark.parametrize("raw", [None, "text", [], {}, {"call_1": '{"name'}])
def test_broken_arguments_of_somebody_elses_message_are_quoted(
    model: ChatOpenRouterO3, raw: Any
) -> None:
    chain: Any = model.with_structured_output(Person, method="function_calling")
    call = {"name": "Person", "args": '{"name', "id": "call_1", "error": None}
    message = AIMessage(
        "", invalid_tool_calls=[call], additional_kwargs={"tool_call_arguments": raw}
    )
    with pytest.raises(OpenRouterOutputError, match=r'not valid: \{"name'):
        chain.last.invoke(message)


@every_mode
def test_broken_arguments_of_another_tool_do_not_cost_the_object(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    good = wire.tool_call("Person", '{"name":"Ada","born":1815}', "call_2", index=1)
    calls = [wire.tool_call("note", '{"text'), good]
    chunks = map(wire.tool_chunk, calls)
    body = wire.body(None, finish="tool_calls", tool_calls=calls)
    last = wire.ending("tool_calls")
    emulator.play(streamed(*chunks, *last) if "stream" in mode else whole(body))
    chain = model.with_structured_output(Person, method="function_calling")
    assert MODES[mode](chain, "Who?") == Person(name="Ada", born=1815)


@every_mode
def test_broken_arguments_are_quoted_as_the_model_wrote_them(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    written = '{"name": "Ada"} and more'
    call = wire.tool_call("Person", written)
    chunks = [wire.tool_chunk({**call, "index": 0}), *wire.ending("tool_calls")]
    body = wire.body(None, finish="tool_calls", tool_calls=[call])
    emulator.play(streamed(*chunks) if "stream" in mode else whole(body))
    with pytest.raises(OpenRouterOutputError) as caught:
        MODES[mode](model.with_structured_output(Person, method="function_calling"), "Who?")
    assert f"not valid: {written}\n" in f"{caught.value}\n"


class Odd(BaseModel):
    """Cannot show its schema."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["missing"])

    name: str


@dataclass
class Misspelt:
    """Has no type that could be read."""

    name: "full name"  # type: ignore[valid-type] # noqa: F722


@pytest.mark.parametrize("schema", [Odd, Misspelt])
def test_a_class_that_cannot_be_read_is_named(model: ChatOpenRouterO3, schema: type) -> None:
    for bind in (
        model.with_structured_output,
        lambda schema: model.bind(response_format=schema).invoke("Hello"),
        lambda schema: model.bind_tools([schema]),
    ):
        with pytest.raises(OpenRouterInputError, match=schema.__name__):
            bind(schema)


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


@pytest.mark.parametrize("field", odd_fields.FIELDS)
def test_no_type_of_an_informational_field_costs_the_object(
    emulator: Emulator, model: ChatOpenRouterO3, field: odd_fields.Field
) -> None:
    values: tuple[Any, ...] = (True, 3, {"a": 1}, [{}])
    reader = model.with_structured_output(Person)
    for value, (mode, receive) in zip(values, MODES.items(), strict=True):
        body = odd_fields.answer(field, value, streamed=False)
        written = body.replace(b'"Hello"', wire.to_json('{"name":"Ada Lovelace","born":1815}'))
        emulator.play(Canned(pieces=written))
        assert receive(reader, PROMPT) == Person(**PLAIN), (field, value, mode)


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
