"""Answers bent at random: what comes is a message or an OpenRouterError, never anything else."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, message_chunk_to_message

from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterInputError
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from tests.helpers import wire
from tests.helpers.scripted import add_up, read_chunks, read_message

STREAM: list[wire.Json] = [
    wire.chunk(reasoning="Think", reasoning_details=[wire.summary("Think")]),
    wire.chunk(reasoning=None, reasoning_details=[wire.encrypted("gAAAAAB")]),
    wire.chunk(annotations=[{"type": "url_citation", "url_citation": {"url": "https://e.org"}}]),
    wire.chunk("Hello "),
    wire.chunk("world"),
    wire.chunk(refusal="no"),
    *(wire.tool_chunk(delta) for delta in wire.tool_deltas("f", ['{"a":', "1}"])),
    *wire.ending("tool_calls"),
]
BODY = wire.body(
    "Hello world",
    finish="tool_calls",
    refusal="no",
    reasoning="Think",
    reasoning_details=[wire.summary("Think"), wire.encrypted("gAAAAAB")],
    annotations=[{"type": "url_citation", "url_citation": {"url": "https://e.org"}}],
    tool_calls=[wire.tool_call("f", '{"a":1}')],
)
ERROR = {
    **wire.error(429, "Provider returned error", raw='{"error":{"message":"slow down"}}'),
    "user_id": "user_2abcdefgh",
}
ERROR["error"]["metadata"] |= {"provider_name": "OpenAI", "reasons": ["x"], "error_type": "server"}
ERROR["error"]["availability"] = {"retryable": True, "retry_after": 2}

# Anything that json.loads can return, lone surrogates and huge numbers among it.
TEXTS = st.text(st.characters(), max_size=6) | st.sampled_from(
    ["", "\ud83d", "\ude00", "stop", "error", "length", "reasoning.summary", "rs_1", "{}", '{"a":']
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**30, -(10**400), 1e308, -1.5, float("inf"), float("-inf"), 200, 429])
    | TEXTS
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
DELETE = object()


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, item in items:
        found.append((*path, key))
        if isinstance(item, (dict, list)):
            found += paths(item, (*path, key))
    return found


def bend(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    """A copy with one place replaced, or deleted."""
    bent = copy.deepcopy(value)
    place = bent
    for key in path[:-1]:
        place = place[key]
    if change is DELETE:
        del place[path[-1]]
    else:
        place[path[-1]] = change
    return bent


def encode(payload: Any) -> bytes:
    """JSON with escapes, because half a surrogate pair has no UTF-8; 1e999 is infinity's JSON."""
    text = json.dumps(payload)
    return text.replace("-Infinity", "-1e999").replace("Infinity", "1e999").encode()


def stream_of(payloads: list[Any]) -> bytes:
    return b"".join(b"data: " + encode(payload) + b"\n\n" for payload in payloads)


@st.composite
def bent(draw: st.DrawFn, value: Any) -> Any:
    for _ in range(draw(st.integers(1, 3))):
        places = paths(value)
        if places:
            path = draw(st.sampled_from(places))
            value = bend(value, path, draw(st.just(DELETE) | ANY_JSON))
    return value


def read_sum(data: bytes) -> AIMessage:
    message = message_chunk_to_message(add_up(read_chunks(data)))
    assert isinstance(message, AIMessage)
    return message


def check_outcome(data: bytes) -> None:
    """Read in both modes, and use what comes as LangChain would."""
    for read in (read_message, read_sum):
        message = attempt(read, data)
        if isinstance(message, OpenRouterError):
            check_error(message)
        else:
            check_return(message)


def attempt(read: Callable[[bytes], AIMessage], data: bytes) -> AIMessage | OpenRouterError:
    try:
        return read(data)
    except OpenRouterError as error:
        return error


def check_error(error: OpenRouterError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert isinstance(error.is_retryable, bool)
    assert error.partial is None or error.partial.tool_calls is not None


def check_return(message: AIMessage) -> None:
    """A message that came goes back, or is refused by our own error."""
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    results = [ToolMessage("done", tool_call_id=str(call["id"])) for call in calls]
    try:
        sent = messages_to_wire([HumanMessage("hi"), message, *results])
    except OpenRouterInputError:
        return
    assert sent[1]["role"] == "assistant"


@given(payloads=bent(STREAM))
def test_a_bent_stream_is_a_message_or_our_error(payloads: Any) -> None:
    check_outcome(stream_of(payloads))


@given(body=bent(BODY))
def test_a_bent_body_is_a_message_or_our_error(body: Any) -> None:
    check_outcome(encode(body))


@given(position=st.integers(0, len(STREAM)), event=bent(ERROR))
def test_a_bent_error_in_a_stream_is_our_error_or_ignored(position: int, event: Any) -> None:
    check_outcome(stream_of([*STREAM[:position], event, *STREAM[position:]]))


@given(error=bent(BODY), inner=bent(ERROR))
def test_an_error_within_a_bent_body_is_our_error(error: Any, inner: Any) -> None:
    check_outcome(encode({**error, **inner}))


@given(payload=bent(ERROR) | ANY_JSON, status=st.sampled_from([None, 200, 400, 403, 429, 502]))
def test_any_error_payload_builds_an_error(payload: Any, status: int | None) -> None:
    check_error(error_from_payload(payload, status=status, headers={"X-Generation-Id": "gen-1"}))


def optional_fields() -> list[tuple[Any, ...]]:
    """The places whose loss must not lose the text: not the text, nor what it stands in."""
    structure = {(i, *rest) for i in (3, 4) for rest in ((), ("choices",))}
    structure |= {(i, "choices", 0, *rest) for i in (3, 4) for rest in ((), ("delta",))}
    structure |= {(i, "choices", 0, "delta", "content") for i in (3, 4)}
    return [path for path in paths(STREAM) if path not in structure and len(path) > 1]


@pytest.mark.parametrize("path", optional_fields(), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("change", [None, DELETE], ids=["null", "deleted"])
def test_losing_any_one_optional_field_keeps_the_text(path: tuple[Any, ...], change: Any) -> None:
    data = stream_of(bend(STREAM, path, change))
    assert read_message(data).text == "Hello world"
    assert add_up(read_chunks(data)).text == "Hello world"


def body_fields() -> list[tuple[Any, ...]]:
    message = ("choices", 0, "message")
    needed = {message[:1], message[:2], message, (*message, "content")}
    return [path for path in paths(BODY) if path not in needed]


@pytest.mark.parametrize("path", body_fields(), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("change", [None, DELETE], ids=["null", "deleted"])
def test_losing_any_one_optional_field_of_a_body_keeps_the_text(
    path: tuple[Any, ...], change: Any
) -> None:
    assert read_message(encode(bend(BODY, path, change))).text == "Hello world"
