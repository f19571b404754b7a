"""Chunks and bodies in OpenRouter's shapes and next to them, decided byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fuzz.source import ByteSource
from tests.helpers import wire

_TEXTS = ("", "Hello", " world", "a", "b", "ab", "EN", "END", "\n", "\n\n", "é😀", "\u2028")
_ARGUMENTS = (
    "", "{}", '{"a":', "1}", '{"a": "', 'x"}', "[", "]", " ", '{"a": NaN}', "null", "\\", '"', "{",
)  # fmt: skip
_NAMES = ("f", "", "delete", "é")
_IDS = ("call_1", "", "call_2", "call_1_2", "x" * 70, "a b")
_INDEXES: tuple[Any, ...] = (0, 1, 0, None, 2, -1, "0", 1.0, [])
_FINISHES = (
    "stop", "tool_calls", "length", "content_filter", "error", "", "MALFORMED_FUNCTION_CALL",
    "max_output_tokens", "failed",
)  # fmt: skip
_KINDS = ("summary", "text", "encrypted", "new")
_KEYS = (
    "content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls",
    "annotations", "images", "audio", "role", "id", "model", "provider", "created", "usage",
    "error", "choices", "delta", "message", "finish_reason", "native_finish_reason", "logprobs",
    "index", "model_provider", "model_name", "output_version", "stop_sequence", "user_id", "type",
    "tool_call_arguments", "function_call", "name", "lc_source", "parsed", "cost", "text",
)  # fmt: skip
_MAX_EVENTS = 8


def stream_bytes(source: ByteSource) -> bytes:
    """A stream of up to eight events, most of them bent or whole chunks."""
    events: list[bytes] = []
    while source and len(events) < _MAX_EVENTS:
        kind = source.number(16)
        if kind == 0:
            events.append(b": OPENROUTER PROCESSING\n\n")
        elif kind == 1:
            events.append(b"data: [DONE]\n\n")
        else:
            events.append(b"data: " + encode(bent(source, _event(source))) + b"\n\n")
    if not source.rarely():
        events += [wire.sse(payload, done=False) for payload in wire.ending(_finish(source))]
    return b"".join(events) + (b"" if source.rarely() else b"data: [DONE]\n\n")


def body_bytes(source: ByteSource) -> bytes:
    """A whole body, bent."""
    message: dict[str, Any] = {"content": source.choice(_TEXTS)}
    for _ in range(source.number(5)):
        message |= source.choice(_DELTAS)(source)
    payload = wire.body(finish=_finish(source))
    payload["choices"][0]["message"] |= message
    if source.rarely():
        payload["usage"] = _usage(source)
    return (wire.PADDING if source.flag() else b"") + encode(bent(source, payload))


def encode(payload: Any) -> bytes:
    """JSON with escapes, because half a surrogate pair has no UTF-8; 1e999 is infinity's JSON."""
    return json.dumps(payload).replace("Infinity", "1e999").encode()


def bent(source: ByteSource, payload: Any) -> Any:
    """Change a few places: take one out, put any value in, add a known name, double an item."""
    for _ in range(source.choice((0, 0, 0, 1, 2, 3))):
        place = payload
        while isinstance(place, (dict, list)) and place:
            key = source.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inside = place[key]
            if not isinstance(inside, (dict, list)) or not inside or source.number(4) == 0:
                _change(source, place, key)
                break
            place = inside
    return payload


def _change(source: ByteSource, place: Any, key: Any) -> None:
    change = source.number(4)
    if change == 0:
        del place[key]
    elif change == 1 and isinstance(place, dict):
        place[source.choice(_KEYS)] = place[key] if source.flag() else source.json()
    elif change == 1:
        place.append(place[key])
    else:
        place[key] = source.json()


def _event(source: ByteSource) -> Any:
    if source.rarely():
        return source.choice((_error_event, _usage_event, _any_event))(source)
    delta: dict[str, Any] = {}
    for _ in range(1 + source.rarely()):
        delta |= source.choice(_DELTAS)(source)
    finish = _finish(source) if source.rarely() else None
    chunk = wire.chunk(finish=finish)
    chunk["choices"][0]["delta"] |= delta
    return chunk


def _finish(source: ByteSource) -> str:
    return source.choice(_FINISHES)


def _text(source: ByteSource) -> dict[str, Any]:
    return {"content": source.choice(_TEXTS)}


def _refusal(source: ByteSource) -> dict[str, Any]:
    return {"refusal": source.choice(_TEXTS)}


def _thoughts(source: ByteSource) -> dict[str, Any]:
    text, index, kind = source.choice(_TEXTS), source.choice(_INDEXES), source.choice(_KINDS)
    entry: dict[str, Any] = {"type": f"reasoning.{kind}", "index": index}
    entry |= {"data": text, "id": "rs_1"} if kind == "encrypted" else {kind: text}
    return {"reasoning": text if source.flag() else None, "reasoning_details": [entry]}


def _tools(source: ByteSource) -> dict[str, Any]:
    calls: list[dict[str, Any]] = []
    for _ in range(1 + source.rarely()):
        function: dict[str, Any] = {"arguments": source.choice(_ARGUMENTS)}
        call: dict[str, Any] = {"index": source.choice(_INDEXES), "function": function}
        if source.flag():
            function["name"] = source.choice(_NAMES)
        if source.flag():
            call |= {"id": source.choice(_IDS), "type": "function"}
        calls.append(call)
    return {"tool_calls": calls, "content": None}


def _annotations(source: ByteSource) -> dict[str, Any]:
    cited = {"url": "https://example.org", "title": source.choice(_TEXTS)}
    return {"annotations": [{"type": "url_citation", "url_citation": cited}]}


def _unknown(source: ByteSource) -> dict[str, Any]:
    return {source.choice(_KEYS): source.json()}


def _usage(source: ByteSource) -> wire.Json:
    return wire.usage(source.number(300), source.number(3)) | _unknown(source)


def _usage_event(source: ByteSource) -> Any:
    return wire.envelope(choices=[], usage=_usage(source))


def _error_event(source: ByteSource) -> Any:
    error = wire.error(source.choice((502, "429", None, -1)), error_type=source.text())
    return {**(wire.chunk(source.choice(_TEXTS)) if source.flag() else {}), **error}


def _any_event(source: ByteSource) -> Any:
    return source.json()


_DELTAS: tuple[Callable[[ByteSource], dict[str, Any]], ...] = (
    _text, _tools, _text, _tools, _thoughts, _refusal, _annotations, _unknown,
)  # fmt: skip
