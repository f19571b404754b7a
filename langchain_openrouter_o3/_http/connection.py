"""Connections to one server: httpcore's network streams with HTTP/1.1 on them, blocking or not."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

import anyio
import httpcore

from langchain_openrouter_o3._http.framing import Body, Exchange, SizedBody

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

S = TypeVar("S", bound=httpcore.NetworkStream | httpcore.AsyncNetworkStream)

KEEPALIVE_SECONDS = 30.0
READ_BYTES = 64 * 1024


class Origin(NamedTuple):
    """A server, and the TLS context to speak to it with, if it speaks TLS."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Message(NamedTuple):
    """A request, ready for the wire; the time-outs are httpx's, by their names, in seconds."""

    path: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    timeouts: Mapping[str, float | None]


class _State(Generic[S]):
    """What both kinds of connection know of themselves."""

    def __init__(self, stream: S) -> None:
        self.stream = stream
        self.status = 0
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        self._body: Body = SizedBody(0)
        self._started = b""  # the part of a body that came with its head
        self._read_timeout: float | None = None
        self._keeps_alive = True
        self._idle_since = 0.0

    @property
    def is_reusable(self) -> bool:
        """Whether the answer is at its end and the next request may follow."""
        return self._body.done and self._keeps_alive and not self._body.rest

    @property
    def has_expired(self) -> bool:
        """Whether it has been idle too long, or the server has closed it meanwhile."""
        old = time.monotonic() - self._idle_since > KEEPALIVE_SECONDS
        # An idle connection has nothing to read but its end.
        return old or bool(self.stream.get_extra_info("is_readable"))

    def rest(self) -> None:
        """Begin to be idle."""
        self._idle_since = time.monotonic()

    def _start(self, message: Message) -> Exchange:
        self._keeps_alive = False  # until the answer says so
        self._read_timeout = message.timeouts["read"]
        return Exchange(message.path, message.headers)

    def _receive_head(self, exchange: Exchange, data: bytes) -> bool:
        body = exchange.feed(data)
        if body is None:
            return False
        self.status, self.headers, self._body = exchange.status, exchange.headers, body
        self._keeps_alive = exchange.keeps_alive
        came, body.rest = body.rest, b""
        self._started = body.feed(came) if came else b""
        return True

    def _receive_body(self, data: bytes) -> bytes:
        if not data:
            self._keeps_alive = False
            self._body.end()
            return b""
        return self._body.feed(data)

    def _wants_more(self, piece: bytes) -> bool:
        if not piece and self._body.broken is not None:
            raise self._body.broken
        return not (piece or self._body.done)

    def _take_started(self) -> bytes:
        started, self._started = self._started, b""
        return started


class Connection(_State[httpcore.NetworkStream]):
    """A blocking connection."""

    @classmethod
    def open(cls, origin: Origin, seconds: float | None) -> Connection:
        """Connect.

        Raises:
            httpcore.ConnectError: It cannot be reached.
            httpcore.ConnectTimeout: It took longer than these seconds.
        """
        stream = httpcore.SyncBackend().connect_tcp(origin.host, origin.port, timeout=seconds)
        if origin.tls is not None:
            stream = stream.start_tls(origin.tls, server_hostname=origin.host, timeout=seconds)
        return cls(stream)

    def send(self, message: Message) -> None:
        """Send a request and read the head of its answer.

        Raises:
            httpcore.NetworkError: The connection was lost.
            httpcore.TimeoutException: Writing or reading took too long.
            httpcore.ProtocolError: What came, or what was to go, is not HTTP.
        """
        exchange = self._start(message)
        # A server that refuses a request may close before it has read it all: its answer counts.
        with contextlib.suppress(httpcore.WriteError):
            for piece in _pieces(exchange.head, message.body):
                self.stream.write(piece, message.timeouts["write"])
        while not self._receive_head(exchange, self.stream.read(READ_BYTES, self._read_timeout)):
            pass

    def read(self) -> bytes:
        """Read the next piece of the body, empty at its end.

        Raises:
            httpcore.NetworkError: The connection was lost.
            httpcore.ReadTimeout: It took too long.
            httpcore.RemoteProtocolError: The body is broken, or was cut off.
        """
        piece = self._take_started()
        while self._wants_more(piece):
            piece = self._receive_body(self.stream.read(READ_BYTES, self._read_timeout))
        return piece

    def close(self) -> None:
        """Close the connection."""
        self._keeps_alive = False
        self.stream.close()


class AsyncConnection(_State[httpcore.AsyncNetworkStream]):
    """The same on an event loop."""

    @classmethod
    async def open(cls, origin: Origin, seconds: float | None) -> AsyncConnection:
        """See `Connection.open`."""
        backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        connecting = backend.connect_tcp(origin.host, origin.port, timeout=seconds)
        return cls(await _encrypt(await connecting, origin, seconds))

    async def send(self, message: Message) -> None:
        """See `Connection.send`."""
        exchange = self._start(message)
        with contextlib.suppress(httpcore.WriteError):  # see `Connection.send`
            for piece in _pieces(exchange.head, message.body):
                await self.stream.write(piece, message.timeouts["write"])
        while not self._receive_head(
            exchange, await self.stream.read(READ_BYTES, self._read_timeout)
        ):
            pass

    async def read(self) -> bytes:
        """See `Connection.read`."""
        piece = self._take_started()
        while self._wants_more(piece):
            piece = self._receive_body(await self.stream.read(READ_BYTES, self._read_timeout))
        return piece

    async def close(self) -> None:
        """See `Connection.close`."""
        self._keeps_alive = False
        await self.stream.aclose()


def _pieces(head: bytes, body: bytes) -> list[bytes]:
    """Put a short body behind its head, for one system call; a long one is not copied."""
    if len(body) <= READ_BYTES:
        return [head + body]
    view = cast("bytes", memoryview(body))  # the streams cut off what has been sent: a view is free
    return [head, view]


async def _encrypt(
    stream: httpcore.AsyncNetworkStream, origin: Origin, seconds: float | None
) -> httpcore.AsyncNetworkStream:
    if origin.tls is None:
        return stream
    try:
        return await stream.start_tls(origin.tls, server_hostname=origin.host, timeout=seconds)
    except BaseException:  # a task that is cancelled must not leave a socket behind
        with anyio.CancelScope(shield=True):
            await stream.aclose()
        raise
