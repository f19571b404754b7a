"""The last exchanges, kept for the page: what was sent when, and the answer it makes up."""

from __future__ import annotations

import asyncio
import codecs
import json
import math
import re
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langchain_openrouter_o3.emulator.json_value import (
    compact,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.wire.request_log import REQUEST, ReceivedRequest
from langchain_openrouter_o3.emulator.wire.sending import HANG_UP, OWN_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

State: TypeAlias = Literal[
    "waiting",  # nothing was sent yet
    "answering",  # the headers were sent
    "complete",  # the body has ended as HTTP wants it
    "closed",  # the connection was closed (FIN), the body unfinished
    "reset",  # the connection was reset (RST)
    "left",  # the client closed the connection, or the emulator was stopped
    "failed",  # an exception in the emulator, or in a chooser of faults
]

_KEPT_EXCHANGES = 200
_KEPT_BYTES = 8 << 20
_KEPT_BYTES_OF_ONE = 2 << 20
# What Python needs for a piece beside its bytes: a tuple, a float, the head of a bytes object.
_PIECE_OVERHEAD = 128


class Exchange:
    """A request, and what was sent back so far.

    Attributes:
        number: The first exchange of an emulator is 1.
        request: The request. Its headers hold the key; nothing of them may be shown unchecked.
        query: The query of the URL; empty if there is none.
        started: When the request had arrived, in seconds since 1970.
        state: How far the answer is, or how it ended.
        status: The HTTP status; None until the headers are sent.
        headers: The headers of the answer.
        pieces: The body, each write with its time in seconds since `started`.
        sent: Bytes of the body that were sent; `pieces` may have fewer.
        port_closed: Seconds for which the port was closed; None if it was not.
        changed: The time of the last change, in seconds since `started`.
        cost: The bytes of memory that it needs, about.
        is_kept: Whether a page can still ask for it.
    """

    def __init__(self, number: int, request: ReceivedRequest, query: str) -> None:
        """Begin with a request that has just arrived."""
        self.number = number
        self.request = request
        self.query = query
        self.started = time.time()
        self.state: State = "waiting"
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[tuple[float, bytes]] = []
        self.sent = 0
        self.port_closed: float | None = None
        self.changed = 0.0
        self.cost = len(request.raw) + _PIECE_OVERHEAD
        self.is_kept = True
        self._begin = time.perf_counter()
        self._is_full = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be sent."""
        return self.state not in ("waiting", "answering")

    def note(self, message: Message) -> None:
        """Note what is sent, or done to the connection."""
        self.changed = time.perf_counter() - self._begin
        kind: str = message["type"]
        if kind == "http.response.body":
            self._note_piece(message.get("body", b""))
            if not message.get("more_body"):
                self.state = "complete"
        elif kind == "http.response.start":
            self.state, self.status = "answering", message["status"]
            self.headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
        elif kind == HANG_UP["type"]:
            self.state = "reset" if message["reset"] else "closed"
        elif kind.startswith(OWN_MESSAGES):
            self.port_closed = message["seconds"]

    def end(self, state: State) -> None:
        """Note that the answer ends here, unless it has ended before."""
        if not self.is_over:
            self.state = state
            self.changed = time.perf_counter() - self._begin

    def forget(self) -> None:
        """Keep nothing more: no page can ask for this exchange again."""
        self.is_kept = False
        self.pieces = []

    def _note_piece(self, data: bytes) -> None:
        self.sent += len(data)
        self._is_full = self._is_full or self.cost + len(data) > _KEPT_BYTES_OF_ONE
        if data and self.is_kept and not self._is_full:
            self.cost += len(data) + _PIECE_OVERHEAD
            self.pieces.append((self.changed, data))


class Viewer:
    """What an open page has not been told yet. It is never more than what is kept."""

    def __init__(self, numbers: list[int]) -> None:
        """Begin with exchanges that happened before."""
        self._loop = asyncio.get_running_loop()
        self._numbers = dict.fromkeys(numbers)
        self._news = asyncio.Event()
        self._news.set()

    async def news(self) -> list[int]:
        """Wait for changes and return the numbers of the changed exchanges, each once."""
        await self._news.wait()
        self._news.clear()
        numbers, self._numbers = [*self._numbers], {}
        return numbers

    def tell(self, number: int) -> None:
        """Note a change; called in the emulator's loop."""
        self._numbers[number] = None
        # Each number is told once at least, so this one is no longer kept and goes, too.
        self._numbers.pop(number - _KEPT_EXCHANGES, None)
        self._news.set()

    def tell_of_reset(self) -> None:
        """Wake the page up from any thread: what it shows was forgotten."""
        self._loop.call_soon_threadsafe(self._news.set)


class ExchangeLog:
    """An ASGI layer that keeps the last exchanges.

    It stands below the request log, where it sees what faults do to a connection, and is cancelled
    when a client leaves. Except for `reset` it runs in the emulator's loop alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.viewers: set[Viewer] = set()
        self._app = app
        self._kept: deque[Exchange] = deque()
        self._last = 0
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = self._open(scope)
        try:
            await self._app(scope, receive, self._watched(exchange, send))
        except asyncio.CancelledError:
            exchange.end("left")
            raise
        except Exception:
            exchange.end("failed")
            raise
        finally:
            self._tell(exchange)

    @property
    def oldest(self) -> int:
        """The number of the oldest exchange that is kept, or the next one's if there is none."""
        numbers = self.numbers()
        return numbers[0] if numbers else self._last + 1

    def numbers(self) -> list[int]:
        """Return the numbers of all exchanges that are kept."""
        return [exchange.number for exchange in [*self._kept]]

    def find(self, number: int) -> Exchange | None:
        """Return an exchange; None if it is not kept."""
        return next((each for each in [*self._kept] if each.number == number), None)

    def reset(self) -> None:
        """Forget all exchanges; may be called from any thread."""
        # A new deque: the loop may be at work on the old one.
        forgotten, self._kept = self._kept, deque()
        for exchange in [*forgotten]:
            exchange.forget()
        for viewer in [*self.viewers]:
            viewer.tell_of_reset()

    def _open(self, scope: Scope) -> Exchange:
        query = scope["query_string"].decode("latin-1")
        self._last += 1
        exchange = Exchange(self._last, scope[REQUEST], query)
        self._kept.append(exchange)
        self._trim(exchange.cost)
        self._tell(exchange)
        return exchange

    def _watched(self, exchange: Exchange, send: Send) -> Send:
        async def watched(message: Message) -> None:
            cost = exchange.cost
            exchange.note(message)
            self._trim(exchange.cost - cost)
            self._tell(exchange)
            await send(message)

        return watched

    def _trim(self, grown: int) -> None:
        """Forget the oldest exchanges when all together have grown too large."""
        self._size += grown
        kept = self._kept
        if self._size <= _KEPT_BYTES and len(kept) <= _KEPT_EXCHANGES:
            return
        self._size = sum(exchange.cost for exchange in [*kept])
        while len(kept) > _KEPT_EXCHANGES or (self._size > _KEPT_BYTES and len(kept) > 1):
            forgotten = kept.popleft()
            self._size -= forgotten.cost
            forgotten.forget()

    def _tell(self, exchange: Exchange) -> None:
        if exchange.is_kept:
            for viewer in self.viewers:
                viewer.tell(exchange.number)


# --- Reading the body of an answer as far as it was sent ---


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
