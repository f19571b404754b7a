"""OpenRouter's cache of answers: asked for, told of, free; equal calls are equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_openrouter_o3 import ChatOpenRouterO3, track_costs
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import STREAM
from tests.helpers.modes import MODES, comparable, every_mode


class Clock:
    """A clock that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


@pytest.fixture(scope="module")
def _timed() -> Iterator[Emulator]:
    with Emulator(clock=CLOCK) as emulator:
        yield emulator


@pytest.fixture
def emulator(_timed: Emulator) -> Emulator:
    """An emulator with an empty cache, whose time stands still."""
    _timed.reset()
    return _timed


def built(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(
        **{"base_url": emulator.base_url, "api_key": KEY, "max_retries": 0, **arguments}
    )


def told(message: AIMessage) -> Any:
    return message.response_metadata.get("response_cache")


@every_mode
def test_response_cache_makes_the_second_of_two_equal_calls_a_hit_and_free(
    emulator: Emulator, mode: str
) -> None:
    model = built(emulator, response_cache=600)
    first = MODES[mode](model)
    CLOCK.now += 42
    second = MODES[mode](model)
    assert told(first) == {"status": "miss", "ttl": 600}
    source = first.response_metadata["id"]
    assert told(second) == {"status": "hit", "age": 42, "ttl": 600, "source_id": source}
    assert second.text == first.text
    assert second.additional_kwargs == first.additional_kwargs
    assert second.response_metadata["id"] != source
    assert second.response_metadata["cost"] == 0
    assert second.usage_metadata is not None
    assert second.usage_metadata["total_tokens"] == 0


def test_the_message_is_the_same_in_all_modes(emulator: Emulator) -> None:
    headers = {
        "x-openrouter-cache-status": "HIT",
        "x-openrouter-cache-age": "5",
        "x-openrouter-cache-ttl": "300",
        "x-openrouter-cache-source-id": "gen-1",
    }
    messages = []
    for mode, play in MODES.items():
        streamed = "stream" in mode
        body = wire.sse(wire.chunk("Hi"), *wire.ending()) if streamed else None
        answer = body or wire.to_json(wire.body("Hi", reasoning=None))
        emulator.play(Canned(headers={**headers, **(STREAM if streamed else {})}, pieces=answer))
        message = play(built(emulator))
        assert told(message) == {"status": "hit", "age": 5, "ttl": 300, "source_id": "gen-1"}
        message.response_metadata.pop("system_fingerprint", None)
        messages.append(comparable(message))
    assert messages == [messages[0]] * 4


@every_mode
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-openrouter-cache-status": ""}, None),
        ({"x-openrouter-cache-status": "BYPASS"}, {"status": "bypass"}),
        ({"x-openrouter-cache-status": "Hit"}, {"status": "hit"}),
        ({"x-openrouter-cache-age": "soon"}, {"age": "soon"}),
        (
            {"x-openrouter-cache-status": "MISS", "x-openrouter-cache-ttl": "-1"},
            {"status": "miss", "ttl": "-1"},
        ),
        ({"X-OpenRouter-Cache-TTL": "9" * 5_000}, {"ttl": "9" * 5_000}),
    ],
)
def test_what_the_headers_tell_is_kept_even_if_it_cannot_be_read(
    emulator: Emulator, mode: str, headers: dict[str, str], expected: Any
) -> None:
    streamed = "stream" in mode
    answer = (
        wire.sse(wire.chunk("Hi"), *wire.ending()) if streamed else wire.to_json(wire.body("Hi"))
    )
    emulator.play(Canned(headers={**headers, **(STREAM if streamed else {})}, pieces=answer))
    message = MODES[mode](built(emulator))
    assert message.text == "Hi"
    assert told(message) == expected


@every_mode
def test_an_empty_answer_that_is_repeated_is_as_good_as_before(
    emulator: Emulator, mode: str
) -> None:
    free = wire.usage(0, 0, reasoning=0, cost=0)
    streamed = "stream" in mode
    last = wire.sse(*wire.ending("length", free))
    whole = wire.to_json(wire.body(None, finish="length", counts=free))
    headers = {"x-openrouter-cache-status": "HIT", **(STREAM if streamed else {})}
    emulator.play(Canned(headers=headers, pieces=last if streamed else whole))
    message = MODES[mode](built(emulator))
    assert (message.text, message.response_metadata["finish_reason"]) == ("", "length")


def test_an_answer_is_kept_as_long_as_was_asked(emulator: Emulator) -> None:
    model = built(emulator, response_cache=60)
    statuses = []
    for seconds in (0, 59, 1, 59):
        CLOCK.now += seconds
        statuses.append(told(model.invoke("Hello"))["status"])
    assert statuses == ["miss", "hit", "miss", "hit"]


def test_an_answer_is_kept_for_five_minutes_by_default(emulator: Emulator) -> None:
    model = built(emulator, response_cache=True)
    assert told(model.invoke("Hello"))["ttl"] == 300
    CLOCK.now += 299
    assert told(model.invoke("Hello"))["status"] == "hit"
    CLOCK.now += 1
    assert told(model.invoke("Hello"))["status"] == "miss"


def test_one_call_can_ask_anew_and_fills_the_cache(emulator: Emulator) -> None:
    model = built(emulator, response_cache=True)
    first = model.invoke("Hello")
    anew = model.invoke("Hello", response_cache_clear=True)
    again = model.invoke("Hello")
    assert [told(each)["status"] for each in (first, anew, again)] == ["miss", "miss", "hit"]
    assert told(again)["source_id"] == anew.response_metadata["id"]


@pytest.mark.parametrize("value", [False, None])
def test_one_call_can_do_without_the_cache(emulator: Emulator, value: bool | None) -> None:  # noqa: FBT001 - a parameter of the test
    model = built(emulator, response_cache=True)
    model.invoke("Hello")
    assert told(model.invoke("Hello", response_cache=value)) is None
    assert told(model.bind(response_cache=value).invoke("Hello")) is None
    assert told(built(emulator).invoke("Hello", response_cache=True))["status"] == "hit"


def test_a_stream_and_a_whole_answer_are_kept_apart(emulator: Emulator) -> None:
    model = built(emulator, response_cache=True)
    statuses = [told(MODES[mode](model))["status"] for mode in ("invoke", "stream", "ainvoke")]
    assert statuses == ["miss", "miss", "hit"]


@every_mode
def test_a_hit_costs_nothing_and_is_counted_as_one(emulator: Emulator, mode: str) -> None:
    model = built(emulator, response_cache=True)
    with track_costs() as costs:
        for _ in range(3):
            MODES[mode](model)
    (spent,) = costs.by_model.values()
    assert (spent.answers, spent.cached_answers, spent.unpriced_answers) == (1, 2, 0)
    assert costs.cost > 0
    with track_costs() as hits:
        MODES[mode](model)
    assert (hits.cost, hits.by_model["openai/o3-mini"].usage) == (0, None)


# --- Equal calls ---

SAID: dict[str, Any] = {
    "max_tokens": 99,
    "provider": {"order": ["OpenAI"], "zdr": True, "max_price": {"prompt": 2, "completion": 9}},
    "trace": {"trace_id": "t", "span": {"b": 1, "a": None}},
    "request_metadata": {"team": "sheep", "app": "counter"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "extra_body": {"zeta": {"y": 1, "x": [{"d": 1, "c": 2}]}, "alpha": 1},
    "plugins": [{"id": "web", "max_results": 3}],
    "tools": [{"type": "function", "function": {"name": "ping", "description": "Ping."}}],
    "tool_choice": {"type": "function", "function": {"name": "ping"}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}},
    },
}


def turned(value: Any) -> Any:
    """The same JSON, its keys in the reverse order, but for those of schemas."""
    if isinstance(value, dict):
        return {
            key: value[key] if key == "schema" else turned(value[key]) for key in reversed(value)
        }
    return [turned(item) for item in value] if isinstance(value, list) else value


def ways(emulator: Emulator) -> Iterator[Any]:
    """Ways of saying the same to a model."""
    fields = {name: value for name, value in SAID.items() if name not in ("tools", "tool_choice")}
    tools = {name: SAID[name] for name in ("tools", "tool_choice")}
    yield built(emulator, **fields).bind(**tools)
    yield built(emulator, **turned(fields)).bind(**turned(tools))
    yield built(emulator).bind(**turned(SAID))
    model: Any = built(emulator)
    for name in reversed(SAID):
        model = model.bind(**{name: SAID[name]})
    yield model
    short = {**SAID, "max_completion_tokens": 99, "reasoning_effort": "low"}
    del short["max_tokens"], short["reasoning"]
    yield built(emulator, reasoning={"summary": "auto"}).bind(**short)
    halves = {**SAID, "extra_body": {"alpha": 1}}
    yield built(emulator, extra_body={"zeta": turned(SAID["extra_body"]["zeta"])}).bind(**halves)


@pytest.mark.filterwarnings("ignore:schema")
def test_what_is_said_in_another_order_is_the_same_request(emulator: Emulator) -> None:
    for model in ways(emulator):
        model.invoke("Hello", response_cache=True)
    bodies = {request.raw for request in emulator.requests}
    assert len(bodies) == 1
    assert len(emulator.requests) == 6
    for model in ways(emulator):
        assert told(model.invoke("Hello", response_cache=True))["status"] == "hit"


def test_the_order_of_a_schemas_properties_is_the_callers(emulator: Emulator) -> None:
    schema = {
        "type": "object",
        "properties": {"zeta": {"type": "string"}, "alpha": {"type": "string"}},
        "required": ["zeta", "alpha"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    tool = {"type": "function", "function": {"name": "ping", "parameters": schema}}
    built(emulator).bind_tools([tool]).bind(response_format=form).invoke("Hello")
    body = emulator.requests[-1].body
    assert body is not None
    sent = (
        body["response_format"]["json_schema"]["schema"],
        body["tools"][0]["function"]["parameters"],
    )
    assert [list(each["properties"]) for each in sent] == [["zeta", "alpha"]] * 2
