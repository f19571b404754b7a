"""Bytes to events, bytes to payloads: nothing depends on where the network cuts."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from langchain_openrouter_o3._http.body import BodyDecoder
from langchain_openrouter_o3._http.sse import EventTooLargeError, SSEDecoder
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from tests.fuzz.reference import interpret, interpret_named
from tests.fuzz.source import one_by_one, pieces_of

_SPACE = b" \t\n\r\x0b\x0c\0\xef\xbb\xbf"
_STARTS = re.compile(rb"(?:data|event|id|retry)[:\r\n]|:")
_LIMIT = 48
_FIELD_NAME = len(b"data: ")
_MAX_TEXT = 2_500

Payloads = tuple[list[Any], str]


def sse(data: bytes) -> None:
    """The decoder gives the specification's events for any cuts, in bounded memory."""
    pieces = pieces_of(data)
    stream = b"".join(pieces)
    expected = interpret(stream)
    for cut in (pieces, [stream], one_by_one(stream)):
        decoder = SSEDecoder()
        events = [event for piece in cut for event in decoder.feed(piece)]
        assert (_with_data(events), _with_data(decoder.flush())) == tuple(map(_with_data, expected))
        _check_limit(cut, *expected)


def _with_data(events: list[bytes]) -> list[bytes]:
    """Leave empty events out: one that is named as an error is told even without data."""
    return [event for event in events if event]


def _check_limit(pieces: list[bytes], events: list[bytes], unfinished: list[bytes]) -> None:
    """Hold no more than the limit, and refuse an event only if it, or a line, is larger."""
    decoder = SSEDecoder(_LIMIT)
    try:
        for piece in pieces:
            decoder.feed(piece)
            held = sum(len(line) + 1 for line in decoder._data)
            assert held + len(decoder._line) <= _LIMIT
    except EventTooLargeError:
        lines = b"".join(pieces).replace(b"\r", b"\n").split(b"\n")
        assert max(map(len, [*events, *unfinished, *lines])) + _FIELD_NAME >= _LIMIT / 2
    else:
        assert all(len(event) < _LIMIT for event in events)


def body(data: bytes) -> None:
    """The payloads, and the kind of failure, are those of a plain reading of the whole.

    If an event is named as an error, only the cuts are compared.
    """
    pieces = pieces_of(data)
    whole = b"".join(pieces)
    expected = _decode([whole])[:2] if _names_an_error(whole) else _read_plainly(whole)
    for cut in (pieces, [whole], one_by_one(whole)):
        payloads, outcome, text = _decode(cut)
        assert (payloads, outcome) == expected
        assert len(text) < _MAX_TEXT


def _decode(pieces: list[bytes]) -> tuple[list[Any], str, str]:
    decoder = BodyDecoder()
    payloads: list[Any] = []
    try:
        for piece in pieces:
            payloads.extend(map(_without_name, decoder.feed(piece)))
        payloads += map(_without_name, decoder.finish())
    except OpenRouterMalformedResponseError as error:
        return payloads, "malformed", str(error)
    except EOFError:
        return payloads, "cut", ""
    return payloads, "ended", ""


def _without_name(payload: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of the event, which the specification keeps beside its data."""
    return {key: value for key, value in payload.items() if key != "event"}


def _names_an_error(whole: bytes) -> bool:
    start = rb"(?i)(?:\A|[\r\n])[ \t\x0b\x0c\0\xef\xbb\xbf]*"
    named = rb"(?:event:[^\r\n]*(?:error|fail|exception)|error:)"
    return re.search(start + named, whole) is not None


def _read_plainly(whole: bytes) -> Payloads:
    start = whole.lstrip(_SPACE)
    if start[:1] in (b"{", b"["):
        value = _object(whole.strip(_SPACE))
        return ([], "malformed") if value is None else ([value], "ended")
    if not _STARTS.match(start):
        return [], "malformed"
    events, unfinished = interpret_named(whole)
    payloads: list[Any] = []
    for position, (name, event) in enumerate([*events, *unfinished]):
        if event.strip() == b"[DONE]":
            break
        is_ping = name.strip() not in (b"", b"message") and not event.lstrip().startswith(b"{")
        if event.strip() and not is_ping:
            value = _object(event)
            if value is None:
                return payloads, "malformed" if position < len(events) else "cut"
            payloads.append(value)
    return payloads, "ended"


def _object(data: bytes) -> dict[str, Any] | None:
    def infinity(_: str) -> float:
        return math.inf  # whatever number JSON does not know

    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=infinity)
    except (ValueError, RecursionError):
        return None
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, dict) and v.get("error") for v in value)
    ):
        return {"error": value}
    return _without_name(value) if isinstance(value, dict) else None
