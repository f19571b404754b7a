"""httpx's transports with another pool: idle connections lie on a stack, and nothing is searched.

httpcore's pool looks at every connection whenever a request begins or ends, under a lock, so that
a thousand concurrent calls cost a million looks. Here a request takes the connection that was used
last, or makes a new one. All else is httpx's and httpcore's: whoever wraps `HTTPTransport` or
`HTTPConnection` (respx, pytest-httpx, VCR.py, OpenTelemetry) sees these requests, too.

Strategy: a pool serves one origin. A connection is in use by one request, or it is idle on the
stack, or it is closed. It goes back to the stack only if httpcore says that it is idle and its
stream says that nothing is left unread. Whatever interrupts a request closes its connection.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections import deque
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
import httpcore
import httpx
from typing_extensions import NamedTuple

from langchain_openrouter_o3._http.stream import (
    OPENED,
    AsyncBackend,
    AsyncHTTPStream,
    Backend,
    HTTPStream,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator

Stream = HTTPStream | AsyncHTTPStream
C = TypeVar("C", bound=httpcore.ConnectionInterface | httpcore.AsyncConnectionInterface)

MAX_IDLE = 100
IDLE_SECONDS = 30.0
SAFETY_SECONDS = 1.0
"""How long before its announced end an idle connection is given up: a request takes time, too."""

REUSED = "openrouter_reused"
"""Key in `Request.extensions`: whether the connection had served a request before."""

_ANNOUNCED = re.compile(rb"timeout\s*=\s*\"?([0-9]{1,9})")
_LOST = (
    httpcore.ReadError,
    httpcore.WriteError,
    httpcore.RemoteProtocolError,
)
_HTTPCORE = str(Path(httpcore.__file__).parent)


class _Idle(NamedTuple, Generic[C]):  # Python 3.10's own cannot be generic
    connection: C
    stream: Stream
    ends_at: float


class _Stack(Generic[C]):
    """Which connections are idle, and which are in use; the I/O is the pools'."""

    def __init__(self) -> None:
        self.is_closed = False
        self._idle: deque[_Idle[C]] = deque()
        self._in_use: set[C] = set()

    def take(self) -> _Idle[C] | None:
        """Take the idle connection that was used last, if there is one."""
        try:
            return self._idle.pop()  # one operation: threads need no lock
        except IndexError:
            return None

    def end(self, connection: C, response: httpcore.Response | None) -> C | None:
        """Keep a connection whose exchange is over; return one that is to be closed, if any."""
        self._in_use.discard(connection)
        if self.is_closed or response is None:
            return connection
        stream = _extensions(response).get("network_stream")
        if not (isinstance(stream, Stream) and connection.is_idle() and stream.is_clean):
            return connection
        self._idle.append(_Idle(connection, stream, time.monotonic() + _idle_seconds(response)))
        with contextlib.suppress(IndexError):  # another thread took it
            if len(self._idle) > MAX_IDLE or self._idle[0].ends_at < time.monotonic():
                return self._idle.popleft().connection
        return None

    @contextlib.contextmanager
    def sending(
        self, request: httpcore.Request, connection: C, *, reused: bool
    ) -> Generator[list[Stream]]:
        """Surround the sending of a request; gives the list of the streams that it opens.

        Raises:
            httpcore.ProxyError: A proxy does not speak SOCKS, of which httpcore tells in the
                words of another package; or it was lost before it had made a tunnel, of which
                httpcore tells as if the request had been sent.
        """
        _extensions(request)[REUSED] = reused
        self._in_use.add(connection)
        opened: list[Stream] = []
        token = OPENED.set(opened)
        try:
            yield opened
        except Exception as error:  # goes on; what a proxy caused, as an error of the proxy
            socksio = sys.modules.get("socksio")  # a proxy that speaks SOCKS has loaded it
            if socksio is not None and isinstance(error, socksio.SOCKSError):
                raise httpcore.ProxyError(f"not SOCKS: {error}") from error
            is_tunnel = request.url.scheme == b"https" and opened
            if is_tunnel and isinstance(error, _LOST) and not opened[0].is_encrypted:
                raise httpcore.ProxyError(str(error)) from error
            raise
        finally:
            OPENED.reset(token)

    def drain(self) -> list[C]:
        """Forget all connections and keep no more; they are to be closed."""
        self.is_closed = True
        connections = [*(idle.connection for idle in self._idle), *self._in_use]
        self._idle.clear()
        self._in_use.clear()
        return connections

    @property
    def all(self) -> list[C]:
        return [*(idle.connection for idle in self._idle), *self._in_use]


def _idle_seconds(response: httpcore.Response) -> float:
    """Return how long a connection may be idle, which the server may have announced.

    Source: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Keep-Alive
    """
    for name, value in response.headers:
        if name.lower() == b"keep-alive" and (found := _ANNOUNCED.search(value.lower())):
            return min(IDLE_SECONDS, float(found[1]) - SAFETY_SECONDS)
    return IDLE_SECONDS


def _extensions(message: httpcore.Request | httpcore.Response) -> dict[str, Any]:
    return cast("Any", message).extensions  # type: ignore[no-any-return] # incomplete there


def _with_body(
    response: httpcore.Response, body: Iterable[bytes] | AsyncIterable[bytes]
) -> httpcore.Response:
    return httpcore.Response(
        response.status,
        headers=response.headers,
        content=body,
        extensions=_extensions(response),
    )


def _is_usable(idle: _Idle[C]) -> bool:
    return time.monotonic() < idle.ends_at and not idle.connection.has_expired()


@lru_cache(maxsize=8)
def is_httpcores_own(method: Any) -> bool:
    """Whether a method is httpcore's, and not what a mock has put in its place.

    Asked by its code, because the first call of a process may be a mocked one.
    """
    return bool(method.__code__.co_filename.startswith(_HTTPCORE))


class StackPool(httpcore.ConnectionPool):
    """Blocking connections to one origin; threads share it."""

    def __init__(self, context: ssl.SSLContext, proxy: httpcore.Proxy | None) -> None:
        """Start empty.

        Args:
            context: For TLS.
            proxy: Through which all connections go.
        """
        super().__init__(context, proxy, max_connections=None, network_backend=Backend())
        self._stack: _Stack[httpcore.ConnectionInterface] = _Stack()

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send a request and wait for the head of its answer.

        Raises:
            httpcore.TimeoutException: A phase took too long.
            httpcore.NetworkError: The connection cannot be made, or was lost.
            httpcore.ProtocolError: What came is not HTTP.
        """
        if not is_httpcores_own(httpcore.ConnectionPool.handle_request):
            return super().handle_request(request)  # somebody mocks httpcore's pool
        while (idle := self._stack.take()) is not None:
            if not _is_usable(idle):
                idle.connection.close()
                continue
            try:
                return self._send(request, idle.connection, reused=True)
            except _LOST:
                if not idle.stream.is_unheard:
                    raise
                break  # the server closed it meanwhile: once more, on a fresh connection
        return self._send(request, self.create_connection(request.url.origin), reused=False)

    def _send(
        self, request: httpcore.Request, connection: httpcore.ConnectionInterface, *, reused: bool
    ) -> httpcore.Response:
        with self._stack.sending(request, connection, reused=reused) as opened:
            try:
                response = connection.handle_request(request)
            except BaseException:  # an interrupt, too: half a request makes a connection useless
                self.release(connection, None)
                for stream in opened:
                    stream.close()  # type: ignore[union-attr] # a blocking one
                raise
        return _with_body(response, _Body(self, connection, response))

    def release(
        self, connection: httpcore.ConnectionInterface, response: httpcore.Response | None
    ) -> None:
        """Take a connection back.

        Args:
            connection: Whose exchange is over.
            response: What came, with its stream closed; None if the exchange failed.
        """
        if (unwanted := self._stack.end(connection, response)) is not None:
            unwanted.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._stack.drain():
            connection.close()
        super().close()

    def close_idle(self) -> None:
        """Close the idle connections, and keep no more of them."""
        self._stack.is_closed = True
        while (idle := self._stack.take()) is not None:
            idle.connection.close()

    @property
    def connections(self) -> list[httpcore.ConnectionInterface]:
        """All connections, as httpcore's pool tells them."""
        return [*self._stack.all, *super().connections]


class AsyncStackPool(httpcore.AsyncConnectionPool):
    """The same on one event loop."""

    def __init__(self, context: ssl.SSLContext, proxy: httpcore.Proxy | None) -> None:
        super().__init__(context, proxy, max_connections=None, network_backend=AsyncBackend())
        self._stack: _Stack[httpcore.AsyncConnectionInterface] = _Stack()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        if not is_httpcores_own(httpcore.AsyncConnectionPool.handle_async_request):
            return await super().handle_async_request(request)
        while (idle := self._stack.take()) is not None:
            if not _is_usable(idle):
                await idle.connection.aclose()
                continue
            try:
                return await self._send(request, idle.connection, reused=True)
            except _LOST:
                if not idle.stream.is_unheard:
                    raise
                break
        return await self._send(request, self.create_connection(request.url.origin), reused=False)

    async def _send(
        self,
        request: httpcore.Request,
        connection: httpcore.AsyncConnectionInterface,
        *,
        reused: bool,
    ) -> httpcore.Response:
        with self._stack.sending(request, connection, reused=reused) as opened:
            try:
                response = await connection.handle_async_request(request)
            except BaseException:  # a cancellation, too
                await self.release(connection, None)
                with anyio.CancelScope(shield=True):
                    for stream in opened:
                        await stream.aclose()  # type: ignore[union-attr] # an asynchronous one
                raise
        return _with_body(response, _AsyncBody(self, connection, response))

    async def release(
        self, connection: httpcore.AsyncConnectionInterface, response: httpcore.Response | None
    ) -> None:
        if (unwanted := self._stack.end(connection, response)) is not None:
            with anyio.CancelScope(shield=True):
                await unwanted.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        async with contextlib.AsyncExitStack() as closing:  # all, even if one is interrupted
            for connection in self._stack.drain():
                closing.push_async_callback(connection.aclose)
            closing.push_async_callback(super().aclose)

    @property
    def connections(self) -> list[httpcore.AsyncConnectionInterface]:
        """All connections, as httpcore's pool tells them."""
        return [*self._stack.all, *super().connections]


class _Body:
    """The body of an answer; closing it gives the connection back."""

    def __init__(
        self,
        pool: StackPool,
        connection: httpcore.ConnectionInterface,
        response: httpcore.Response,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._response: httpcore.Response | None = response

    def __iter__(self) -> Iterator[bytes]:
        assert self._response is not None  # noqa: S101 - httpx does not read what it has closed
        stream: Iterable[bytes] = self._response.stream  # type: ignore[assignment] # a blocking one
        return iter(stream)

    def close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            try:
                response.close()
            finally:
                self._pool.release(self._connection, response)


class _AsyncBody:
    """The same on an event loop."""

    def __init__(
        self,
        pool: AsyncStackPool,
        connection: httpcore.AsyncConnectionInterface,
        response: httpcore.Response,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._response: httpcore.Response | None = response
        self._pieces: Any = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        assert self._response is not None  # noqa: S101 - see `_Body`
        # Kept: httpcore's generator awaits at its end, so it must not be collected.
        self._pieces = aiter(self._response.stream)  # type: ignore[arg-type] # an asynchronous one
        pieces: AsyncIterator[bytes] = self._pieces
        return pieces

    async def aclose(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            try:
                with anyio.CancelScope(shield=True):  # inside httpcore's lock, too
                    if hasattr(self._pieces, "aclose"):
                        await self._pieces.aclose()
                    await response.aclose()
            finally:
                await self._pool.release(self._connection, response)


class StackTransport(httpx.HTTPTransport):
    """httpx's transport over a `StackPool`; it overrides nothing else."""

    def __init__(self, context: ssl.SSLContext, proxy: httpx.Proxy | None) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            context: For TLS.
            proxy: Of the environment, if one applies.

        Raises:
            ImportError: The proxy speaks SOCKS, which needs a package that is missing.
            ValueError: The proxy speaks something else.
        """
        super().__init__(verify=context, proxy=proxy)
        self._pool: StackPool = StackPool(context, _to_httpcore(proxy, context))

    def close_idle(self) -> None:
        self._pool.close_idle()


class AsyncStackTransport(httpx.AsyncHTTPTransport):
    """The same on an event loop."""

    def __init__(self, context: ssl.SSLContext, proxy: httpx.Proxy | None) -> None:
        super().__init__(verify=context, proxy=proxy)
        self._pool: AsyncStackPool = AsyncStackPool(context, _to_httpcore(proxy, context))


def _to_httpcore(proxy: httpx.Proxy | None, context: ssl.SSLContext) -> httpcore.Proxy | None:
    if proxy is None:
        return None
    encrypted = proxy.url.scheme == "https"
    url = httpcore.URL(
        scheme=proxy.url.raw_scheme,
        host=proxy.url.raw_host,
        port=proxy.url.port,
        target=proxy.url.raw_path,
    )
    return httpcore.Proxy(url, auth=proxy.raw_auth, ssl_context=context if encrypted else None)
