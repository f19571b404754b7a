"""Reads the body of an answer as far as it was sent: its events, and the answer they make up."""

from __future__ import annotations

import codecs
import json
import math
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    compact,
    list_at,
    object_at,
    objects_at,
    text_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.page.exchanges import Exchange


_EVENT_END = re.compile(r"\r\n\r\n|\n\n|\r\r")
# zlib's window bits for each encoding: with a gzip header, or with zlib's own or none at all.
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15
# What the first bytes of zlib's own format tell (RFC 1950): the method, and a checksum.
_ZLIB_METHOD, _ZLIB_CHECK = 8, 31


@dataclass
class Event:
    """One event of a stream, or one write of another body.

    Attributes:
        at: When its last byte was sent, in seconds since the request.
        kind: What it brings: `comment`, `reasoning`, `text`, `tool call`, `refusal`, `annotation`,
            `finish`, `usage`, `error`, `done`, `empty`, `padding`, `body` or `broken`.
        text: The event as it was sent.
        brings: The text that it adds to the answer; empty if it adds none.
    """

    at: float
    kind: str
    text: str
    brings: str = ""


def _no_usage() -> JsonObject:
    return {}


@dataclass
class Answer:
    """What the events of an answer make up."""

    reasoning: str = ""
    encrypted: int = 0
    text: str = ""
    refusal: str = ""
    tool_calls: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    annotations: list[str] = field(default_factory=list[str])
    finish_reason: str = ""
    usage: JsonObject = field(default_factory=_no_usage)
    error: str = ""
    id: str = ""
    provider: str = ""

    def add(self, payload: JsonObject) -> tuple[str, str]:
        """Add a chunk or a whole body; return the kind of what it brings, and its text."""
        self.id = text_at(payload, "id") or self.id
        self.provider = text_at(payload, "provider") or self.provider
        brought: list[tuple[str, str]] = []
        for choice in objects_at(payload, "choices"):
            brought += self._add_choice(choice)
        if usage := object_at(payload, "usage"):
            self.usage = usage
            brought.append(("usage", ""))
        if error := object_at(payload, "error"):
            brought.append(("error", self._add_error(error)))
        kinds = dict(brought)
        kind = next((each for each in _BY_WEIGHT if each in kinds), "empty")
        return kind, kinds.get(kind, "")

    def _add_choice(self, choice: JsonObject) -> list[tuple[str, str]]:
        message = object_at(choice, "delta") or object_at(choice, "message")
        brought = [*self._add_texts(message)]
        for position, call in enumerate(objects_at(message, "tool_calls")):
            brought.append(("tool call", self._add_call(position, call)))
        for annotation in list_at(message, "annotations"):
            self.annotations.append(compact(annotation))
            brought.append(("annotation", compact(annotation)))
        if error := object_at(choice, "error"):
            brought.append(("error", self._add_error(error)))
        if reason := text_at(choice, "finish_reason"):
            self.finish_reason = reason
            brought.append(("finish", reason))
        return brought

    def _add_texts(self, message: JsonObject) -> list[tuple[str, str]]:
        reasoning, text, refusal = (
            text_at(message, key) for key in ("reasoning", "content", "refusal")
        )
        self.reasoning += reasoning
        self.text += text
        self.refusal += refusal
        found = [("reasoning", reasoning), ("text", text), ("refusal", refusal)]
        for detail in objects_at(message, "reasoning_details"):
            if data := text_at(detail, "data"):
                self.encrypted += len(data)
                found.append(("reasoning", reasoning or f"{len(data)} encrypted characters"))
        return [each for each in found if each[1]]

    def _add_call(self, position: int, piece: JsonObject) -> str:
        index = piece.get("index")
        call = self.tool_calls.setdefault(
            index if isinstance(index, int) else position, {"id": "", "name": "", "arguments": ""}
        )
        function = object_at(piece, "function")
        name, arguments = text_at(function, "name"), text_at(function, "arguments")
        call["id"] = call["id"] or text_at(piece, "id")
        call["name"] = call["name"] or name
        call["arguments"] += arguments
        return name or arguments

    def _add_error(self, error: JsonObject) -> str:
        self.error = " ".join(filter(None, (text_at(error, "message"), _upstream(error))))
        return self.error


# What an event is called that brings several things: the first of these.
_BY_WEIGHT = (
    "error",
    "usage",
    "tool call",
    "refusal",
    "text",
    "reasoning",
    "annotation",
    "finish",
)


class BodyReader:
    """Reads on wherever it stopped, so that a long answer is read once."""

    def __init__(self, exchange: Exchange) -> None:
        """Begin with an exchange whose headers were sent."""
        headers = {name.lower(): value for name, value in exchange.headers}
        self.events: list[Event] = []
        self.answer = Answer()
        self.text = ""
        self.is_stream = headers.get("content-type", "").startswith("text/event-stream")
        self.damage = ""
        self._exchange = exchange
        self._read = 0
        self._is_added = False
        self._pending = ""
        self._at = 0.0
        self._inflate = _Decompressor(headers.get("content-encoding", ""))
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def has_ended(self) -> bool:
        """Whether a stream said that it is complete."""
        return any(event.kind == "done" for event in self.events[-2:])

    def read_on(self) -> None:
        """Read what was sent since the last time."""
        pieces = self._exchange.pieces[self._read :]
        self._read += len(pieces)
        for at, data in pieces:
            self._at = at
            self._take(self._decode.decode(self._inflate.feed(data)))
        self.damage = self._inflate.damage
        if self._exchange.is_over and not self._is_added:
            self._is_added = True
            self._add_whole_body()

    def _add_whole_body(self) -> None:
        body = None if self.is_stream else read_object(self.text)
        if body is not None:
            self.answer.add(body)

    def all_events(self) -> list[Event]:
        """Return the events; of an answer that is over also the rest that is no whole event."""
        if not (self._pending and self._exchange.is_over):
            return self.events
        return [*self.events, Event(self._at, "broken", self._pending)]

    def _take(self, text: str) -> None:
        if not self.is_stream:
            self.text += text
            self.events.append(Event(self._at, "body" if text.strip() else "padding", text))
            return
        *whole, self._pending = _EVENT_END.split(self._pending + text)
        self.events += [self._event(each) for each in whole]

    def _event(self, text: str) -> Event:
        lines = text.splitlines()
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        if not data:
            return Event(self._at, "comment", text)
        if data == "[DONE]":
            return Event(self._at, "done", text)
        payload = read_object(data)
        if payload is None:
            return Event(self._at, "broken", text)
        return Event(self._at, *self._named(payload, text))

    def _named(self, payload: JsonObject, text: str) -> tuple[str, str, str]:
        kind, brings = self.answer.add(payload)
        return kind, text, brings


class _Decompressor:
    """Undoes a content encoding as far as that goes."""

    def __init__(self, encoding: str) -> None:
        self.damage = ""
        self._encoding = encoding
        self._inflate: Callable[[bytes], bytes] | None = None

    def feed(self, data: bytes) -> bytes:
        if self._encoding not in _WINDOW_BITS:
            return data
        if self.damage:
            return b""
        if self._inflate is None:
            self._inflate = zlib.decompressobj(self._window_bits(data)).decompress
        try:
            return self._inflate(data)
        except zlib.error as error:
            self.damage = f"the rest cannot be decompressed ({error})"
            return b""

    def _window_bits(self, data: bytes) -> int:
        has_header = int.from_bytes(data[:2], "big") % _ZLIB_CHECK == 0
        is_zlib = data[0] & 15 == _ZLIB_METHOD and has_header
        if self._encoding == "deflate" and not is_zlib:
            return _RAW_DEFLATE
        return _WINDOW_BITS[self._encoding]


def read_object(text: str) -> JsonObject | None:
    """Return the JSON object that a text is, or None; numbers that JSON has not become texts."""
    try:
        value: Json = json.loads(text, parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _upstream(error: JsonObject) -> str:
    """Return what the provider said, which OpenRouter passes on as a JSON text."""
    raw = text_at(object_at(error, "metadata"), "raw")
    return text_at(object_at(read_object(raw) or {}, "error"), "message") or raw
