"""The last exchanges, kept for the page: requests, and what was sent back, with the times."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Literal, TypeAlias

from langchain_openrouter_o3.emulator.wire.request_log import REQUEST, ReceivedRequest
from langchain_openrouter_o3.emulator.wire.sending import HANG_UP, OWN_MESSAGES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
