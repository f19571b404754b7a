"""Shared connections to one server: httpcore's connections, the idle ones on a stack.

httpcore's own pool looks at every connection whenever a request begins or ends, so a thousand
concurrent calls cost a million looks. Here a request takes the connection that was used last,
or opens a new one; nothing is searched. docs/performance.md has the figures.

Only HTTP/1.1, no proxies: with a proxy in the environment, `clients.py` takes an httpx client.
"""

from __future__ import annotations

import contextlib
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
import httpcore
import httpx

from langchain_openrouter_o3._http.channel import AsyncOpened, Opened, read_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from langchain_openrouter_o3._http.exchange import Request

C = TypeVar("C", bound=httpcore.HTTPConnection | httpcore.AsyncHTTPConnection)

KEEPALIVE_SECONDS = 30.0
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
        if self.is_closed or not connection.is_idle():
            return connection
        self._idle.append(connection)
        with contextlib.suppress(IndexError):  # another thread took it
            if len(self._idle) > MAX_IDLE or self._idle[0].has_expired():
                return self._idle.popleft()
        return None

    def _drain(self) -> list[C]:
        self.is_closed = True
        connections = [*self._idle, *self._active]
        self._idle.clear()
        self._active.clear()
        return connections


class Pool(_Connections[httpcore.HTTPConnection]):
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
        connection = self._take(message.url.origin)
        self._active.add(connection)
        try:
            response = connection.handle_request(message)
        except BaseException:
            self._active.discard(connection)
            connection.close()
            raise

        def close() -> None:
            response.close()
            if (unwanted := self._keep(connection)) is not None:
                unwanted.close()

        head = read_headers(response.headers)
        body = response.iter_stream()
        extensions = cast("Mapping[str, Any]", response.extensions)
        return Opened(response.status, head, body, close, extensions)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._drain():
            connection.close()

    def _take(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        while (connection := self._pop()) is not None:
            if not connection.has_expired():
                return connection
            connection.close()
        return httpcore.HTTPConnection(origin, _tls(origin), keepalive_expiry=KEEPALIVE_SECONDS)


class AsyncPool(_Connections[httpcore.AsyncHTTPConnection]):
    """The same on one event loop."""

    async def open(self, request: Request, timeouts: httpx.Timeout) -> AsyncOpened:
        """See `Pool.open`."""
        message = _message(request, timeouts)
        connection = await self._take(message.url.origin)
        self._active.add(connection)
        try:
            response = await connection.handle_async_request(message)
        except BaseException:
            self._active.discard(connection)
            with anyio.CancelScope(shield=True):
                await connection.aclose()
            raise

        async def close() -> None:
            await response.aclose()
            if (unwanted := self._keep(connection)) is not None:
                await unwanted.aclose()

        head = read_headers(response.headers)
        body = response.aiter_stream()
        return AsyncOpened(response.status, head, body, close)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._drain():
            await connection.aclose()

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        while (connection := self._pop()) is not None:
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, _tls(origin), keepalive_expiry=KEEPALIVE_SECONDS
        )


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Build the one TLS context that all pools share; loading the CA bundle is slow."""
    return httpx.create_ssl_context()


def _tls(origin: httpcore.Origin) -> ssl.SSLContext | None:
    return tls_context() if origin.scheme == b"https" else None


@lru_cache(maxsize=64)
def _target(url: str) -> tuple[httpcore.URL, bytes]:
    """Parse a URL into what httpcore wants and the value of the header `Host`."""
    parsed = httpx.URL(url)
    target = httpcore.URL(
        scheme=parsed.raw_scheme,
        host=parsed.raw_host,
        port=parsed.port,
        target=parsed.raw_path,
    )
    return target, parsed.netloc


def _message(request: Request, timeouts: httpx.Timeout) -> httpcore.Request:
    url, host = _target(request.url)
    headers = {
        "host": host,
        "accept-encoding": b"gzip, deflate",
        "connection": b"keep-alive",
        "content-length": str(len(request.body)).encode(),
        # As bytes, because a header may hold Latin-1.
        **{name: value.encode("latin-1") for name, value in request.headers.items()},
    }
    return httpcore.Request(
        b"POST",
        url,
        headers=[(name.encode(), value) for name, value in headers.items()],
        content=request.body,
        extensions={"timeout": timeouts.as_dict()},
    )
