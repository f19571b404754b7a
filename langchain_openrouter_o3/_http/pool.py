"""Shared connections to one server, the idle ones on a stack.

httpcore's own pool looks at every connection whenever a request begins or ends, so a thousand
concurrent calls cost a million looks. Here a request takes the connection that was used last,
or opens a new one; nothing is searched. docs/performance.md has the figures.

Only HTTP/1.1, no proxies: with a proxy in the environment, `clients.py` takes an httpx client.
"""

from __future__ import annotations

import contextlib
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import httpx

from langchain_openrouter_o3._http.channel import AsyncOpened, Opened, read_headers
from langchain_openrouter_o3._http.connection import AsyncConnection, Connection, Message, Origin

if TYPE_CHECKING:
    import ssl

    from langchain_openrouter_o3._http.exchange import Request

C = TypeVar("C", bound=Connection | AsyncConnection)

MAX_IDLE = 100


class _Connections(Generic[C]):
    """Who is idle and who is not; the I/O is the pools'."""

    def __init__(self) -> None:
        self.is_closed = False
        self._idle: deque[C] = deque()
        self._active: set[C] = set()

    def _pop(self) -> C | None:
        """Take the idle connection that was used last, if there is one."""
        try:
            return self._idle.pop()  # one operation: threads need no lock
        except IndexError:
            return None

    def _keep(self, connection: C) -> C | None:
        """Keep a connection whose answer is over; return one that is to be closed, if any."""
        self._active.discard(connection)
        if self.is_closed or not connection.is_reusable:
            return connection
        connection.rest()
        self._idle.append(connection)
        with contextlib.suppress(IndexError):  # another thread took it
            if len(self._idle) > MAX_IDLE or self._idle[0].has_expired:
                return self._idle.popleft()
        return None

    def _drain(self) -> list[C]:
        self.is_closed = True
        connections = [*self._idle, *self._active]
        self._idle.clear()
        self._active.clear()
        return connections


class Pool(_Connections[Connection]):
    """Blocking connections to one server; threads share it."""

    def open(self, request: Request, timeouts: httpx.Timeout) -> Opened:
        """Send a request and wait for the head of its answer.

        Raises:
            httpcore.TimeoutException: A phase took too long.
            httpcore.NetworkError: The connection cannot be made, or was lost.
            httpcore.ProtocolError: What came is not HTTP.
            httpx.InvalidURL: The URL is none.
        """
        message = _message(request, timeouts)
        connection = self._take(request.url, message)
        self._active.add(connection)
        try:
            connection.send(message)
        except BaseException:  # an interrupt, too: half a request makes the connection useless
            self._active.discard(connection)
            connection.close()
            raise

        def close() -> None:
            if (unwanted := self._keep(connection)) is not None:
                unwanted.close()

        head = read_headers(connection.headers)
        extensions = {"network_stream": connection.stream}
        return Opened(connection.status, head, connection.read, close, extensions)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._drain():
            connection.close()

    def close_idle(self) -> None:
        """Close the connections that nobody reads from, and keep no more."""
        self.is_closed = True
        while (connection := self._pop()) is not None:
            connection.close()

    def _take(self, url: str, message: Message) -> Connection:
        while (connection := self._pop()) is not None:
            if not connection.has_expired:
                return connection
            connection.close()
        return Connection.open(_target(url).origin(), message.timeouts["connect"])


class AsyncPool(_Connections[AsyncConnection]):
    """The same on one event loop."""

    async def open(self, request: Request, timeouts: httpx.Timeout) -> AsyncOpened:
        """See `Pool.open`."""
        message = _message(request, timeouts)
        connection = await self._take(request.url, message)
        self._active.add(connection)
        try:
            await connection.send(message)
        except BaseException:  # a cancellation, too: see `Pool.open`
            self._active.discard(connection)
            with anyio.CancelScope(shield=True):
                await connection.close()
            raise

        async def close() -> None:
            if (unwanted := self._keep(connection)) is not None:
                await unwanted.close()

        head = read_headers(connection.headers)
        return AsyncOpened(connection.status, head, connection.read, close)

    async def close(self) -> None:
        """Close all connections."""
        async with contextlib.AsyncExitStack() as stack:  # all, even if one is interrupted
            for connection in self._drain():
                stack.push_async_callback(connection.close)

    async def _take(self, url: str, message: Message) -> AsyncConnection:
        while (connection := self._pop()) is not None:
            if not connection.has_expired:
                return connection
            await connection.close()
        return await AsyncConnection.open(_target(url).origin(), message.timeouts["connect"])


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Build the one TLS context that all pools share; loading the CA bundle is slow."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Target:
    """A URL, parsed once."""

    def __init__(self, url: str) -> None:
        parsed = httpx.URL(url)
        self.path = parsed.raw_path
        self.netloc = parsed.netloc
        self._address = (parsed.raw_host.decode("ascii"), parsed.port)
        self._secure = parsed.scheme == "https"

    def origin(self) -> Origin:
        host, port = self._address
        tls = tls_context() if self._secure else None
        return Origin(host, port or (443 if self._secure else 80), tls)


_target = lru_cache(maxsize=64)(_Target)


def _message(request: Request, timeouts: httpx.Timeout) -> Message:
    target = _target(request.url)
    headers = {
        "host": target.netloc,
        "accept-encoding": b"gzip, deflate",
        "connection": b"keep-alive",
        "content-length": b"%d" % len(request.body),
        # As bytes, because a header may hold Latin-1.
        **{name: value.encode("latin-1") for name, value in request.headers.items()},
    }
    return Message(
        target.path,
        [(name.encode(), value) for name, value in headers.items()],
        request.body,
        timeouts.as_dict(),
    )
