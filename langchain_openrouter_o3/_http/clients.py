"""Shared httpx clients, and the links that carry out the steps of an exchange with them.

One pool per base URL serves all model instances: one for blocking calls in the process, one
per running event loop (asyncio's, or a trio run) for asynchronous calls. Pools open on first
use, are closed with their loop or at exit, and are forgotten (not closed: the sockets are the
parent's) after a fork.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import httpx

from langchain_openrouter_o3._http.exchange import (
    Act,
    Answer,
    Receive,
    Reply,
    Request,
    Send,
    Sleep,
    TransportFailure,
)
from langchain_openrouter_o3._http.watchdog import Watchdog, socket_of
from langchain_openrouter_o3.errors import (
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
    OpenRouterTimeoutError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterator

    from langchain_openrouter_o3._http.lease import Lease

C = TypeVar("C", bound=httpx.Client | httpx.AsyncClient)

Client = httpx.Client
AsyncClient = httpx.AsyncClient
Timeout = httpx.Timeout

# httpx's default of 100 connections would make the 101st concurrent call wait in silence.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)


class _Pool(Generic[C]):
    def __init__(self, client: C) -> None:
        self.client = client
        self.leases: weakref.WeakSet[Lease] = weakref.WeakSet()


class _LoopPools:
    def __init__(self, guard: AsyncGenerator[None, None]) -> None:
        self.pools: dict[str, _Pool[httpx.AsyncClient]] = {}
        self.guard = guard


class Pools:
    """All shared clients of this process."""

    def __init__(self) -> None:
        """Start empty; nothing is opened before the first call."""
        self._lock = threading.Lock()
        self._sync: dict[str, _Pool[httpx.Client]] = {}
        self._async: dict[Hashable, _LoopPools] = {}
        self._forgotten: list[object] = []
        self.links: weakref.WeakSet[SyncLink] = weakref.WeakSet()
        """Blocking exchanges under way."""
        self.watchdog = Watchdog()
        """Ends their reads when a time limit is reached."""

    def client(self, base_url: str, lease: Lease) -> httpx.Client:
        """Return the blocking client for a base URL, opening it on first use."""
        with self._lock:
            pool = self._sync.get(base_url)
            if pool is None:
                pool = self._sync[base_url] = _Pool(
                    httpx.Client(verify=tls_context(), limits=_LIMITS)
                )
            pool.leases.add(lease)
            return pool.client

    async def async_client(self, base_url: str, lease: Lease) -> httpx.AsyncClient:
        """Return the running loop's client for a base URL, opening it on first use."""
        of_loop = await self._of_running_loop()
        with self._lock:
            pool = of_loop.pools.get(base_url)
            if pool is None:
                pool = of_loop.pools[base_url] = _Pool(
                    httpx.AsyncClient(verify=tls_context(), limits=_LIMITS)
                )
            pool.leases.add(lease)
            return pool.client

    def release(self, lease: Lease) -> None:
        """Close the blocking pools that nobody else holds."""
        with self._lock:
            closing = _without_lease(self._sync, lease)
        for client in closing:
            client.close()

    async def arelease(self, lease: Lease) -> None:
        """Close the running loop's pools that nobody else holds."""
        of_loop = await self._of_running_loop()
        with self._lock:
            closing = _without_lease(of_loop.pools, lease)
        for client in closing:
            await client.aclose()

    def close_all(self) -> None:
        """Close streams and blocking pools at exit; asynchronous ones end with their loops.

        A generator that is still suspended is closed by the interpreter's last collection, when
        it is too late for I/O (CPython 3.13.0 crashes there).
        """
        with self._lock:
            pools = list(self._sync.values())
            self._sync.clear()
        for link in list(self.links):
            link.close()
        for pool in pools:
            pool.client.close()

    def forget(self) -> None:
        """After a fork, drop every pool without closing it.

        The sockets and the loop's selector are shared with the parent: closing them here, or
        letting them be collected, would disturb the parent's connections.
        """
        self._forgotten += [self._sync, self._async, list(self.links), self.watchdog]
        self.links = weakref.WeakSet()
        self.watchdog = Watchdog()
        self._lock = threading.Lock()
        self._sync = {}
        self._async = {}

    async def _of_running_loop(self) -> _LoopPools:
        loop = running_loop()
        of_loop = self._async.get(loop)
        if of_loop is None:
            of_loop = _LoopPools(self._close_with(loop))
            with self._lock:
                for ended in [other for other in self._async if _is_closed(other)]:
                    del self._async[ended]  # ended without its generators: too late to close
                self._async[loop] = of_loop
            await of_loop.guard.__anext__()
        return of_loop

    async def _close_with(self, loop: Hashable) -> AsyncGenerator[None, None]:
        # `asyncio.run` ends with `loop.shutdown_asyncgens()`, which closes this generator while
        # the loop still runs: the one hook that lets pools leave without "Event loop is closed".
        # A trio run ends in the same way.
        try:
            yield
        finally:
            with self._lock:
                of_loop = self._async.pop(loop, None)
            for pool in of_loop.pools.values() if of_loop is not None else ():
                await pool.client.aclose()


def running_loop() -> Hashable:
    """Return what stands for the running event loop: asyncio's, or the token of a trio run.

    Raises:
        RuntimeError: None is running.
    """
    trio = sys.modules.get("trio")  # nobody runs it who has not imported it
    if trio is not None and trio.lowlevel.in_trio_task():
        token: Hashable = trio.lowlevel.current_trio_token()
        return token
    return asyncio.get_running_loop()


def _is_closed(loop: Hashable) -> bool:
    return isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed()


def _without_lease(pools: dict[str, _Pool[C]], lease: Lease) -> list[C]:
    closing: list[C] = []
    for base_url, pool in list(pools.items()):
        if lease in pool.leases:
            pool.leases.discard(lease)
            if not pool.leases:
                closing.append(pools.pop(base_url).client)
    return closing


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Build the one TLS context that all pools share; loading the CA bundle is slow."""
    return httpx.create_ssl_context()


POOLS = Pools()
atexit.register(POOLS.close_all)
with contextlib.suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=POOLS.forget)


class SyncLink:
    """Carries out the steps of one exchange with a blocking client."""

    def __init__(self, client: httpx.Client, timeout: httpx.Timeout) -> None:
        """Take the client; nothing is sent yet."""
        self._client = client
        self._timeout = timeout
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def perform(self, step: Act) -> Answer:
        """Do what the step says; transport errors are returned, not raised."""
        if isinstance(step, Sleep):
            self.close()
            time.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Send):
                timeout = _shorten(self._timeout, step.limit)
                request = _build(self._client, step.request, timeout)
                self._response = self._client.send(request, stream=True, follow_redirects=False)
                POOLS.links.add(self)
                self._pieces = self._response.iter_bytes()
                return _reply(self._response)
            with self._end_read_after(step.limit):
                return next(self._pieces, b"")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return _failure(error)

    def close(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            self._response.close()
            self._response = None
            POOLS.links.discard(self)

    def _end_read_after(self, seconds: float | None) -> contextlib.AbstractContextManager[None]:
        if seconds is None or self._response is None:
            return contextlib.nullcontext()
        connection = socket_of(self._response.extensions)
        if connection is None:
            return contextlib.nullcontext()
        return POOLS.watchdog.watch(connection, seconds)


class AsyncLink:
    """Carries out the steps of one exchange on the running event loop."""

    def __init__(self, client: httpx.AsyncClient, timeout: httpx.Timeout) -> None:
        """Take the client; nothing is sent yet."""
        self._client = client
        self._timeout = timeout
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def perform(self, step: Act) -> Answer:
        """Do what the step says; transport errors are returned, not raised."""
        if isinstance(step, Sleep):
            await self.close()
            await anyio.sleep(step.seconds)
            return None
        try:
            if step.limit is None:
                return await self._carry_out(step)
            with anyio.fail_after(step.limit):
                return await self._carry_out(step)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return _failure(error)
        except TimeoutError as error:
            return _limit_reached(error)

    async def _carry_out(self, step: Send | Receive) -> Answer:
        if isinstance(step, Send):
            request = _build(self._client, step.request, self._timeout)
            self._response = await self._client.send(request, stream=True, follow_redirects=False)
            self._pieces = self._response.aiter_bytes()
            return _reply(self._response)
        assert self._pieces is not None  # noqa: S101 - a flow sends before it receives
        return await anext(self._pieces, b"")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            await self._response.aclose()


def _build(
    client: httpx.Client | httpx.AsyncClient, request: Request, timeout: httpx.Timeout
) -> httpx.Request:
    if client.is_closed:
        raise OpenRouterInputError("http_client or http_async_client is closed; pass an open one.")
    # As bytes, because httpx writes text headers as ASCII only.
    headers = {name: value.encode("latin-1") for name, value in request.headers.items()}
    return client.build_request(
        "POST",
        request.url,
        content=request.body,
        headers={name.encode(): value for name, value in headers.items()},
        timeout=timeout,
    )


def _shorten(timeout: httpx.Timeout, limit: float | None) -> httpx.Timeout:
    """Let no phase of a request (connect, write, read, wait for a connection) exceed a limit."""
    if limit is None:
        return timeout
    phases = {
        name: limit if seconds is None else min(seconds, limit)
        for name, seconds in timeout.as_dict().items()
    }
    return httpx.Timeout(**phases)


def _limit_reached(error: TimeoutError) -> TransportFailure:
    failure = TransportFailure(OpenRouterTimeoutError("Timed out."))
    failure.error.__cause__ = error
    return failure


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, dict(response.headers))


def _failure(error: httpx.HTTPError | httpx.InvalidURL | httpx.StreamError) -> TransportFailure:
    """Translate the lower layer's error; the most specific class wins."""
    unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    words = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        raise OpenRouterInputError(f"base_url is not usable: {words}") from error
    if isinstance(error, httpx.LocalProtocolError):
        # Its text may quote a header's value, so it is neither repeated nor chained.
        raise OpenRouterInputError(
            "A header set by default_headers or extra_headers cannot be sent over HTTP."
        ) from None
    if isinstance(error, httpx.TimeoutException):
        kind = type(error).__name__.removesuffix("Timeout").lower()
        text = f"Timed out ({kind} time-out); set timeout= to wait longer."
        failure = TransportFailure(OpenRouterTimeoutError(text), unsent)
    elif isinstance(error, httpx.DecodingError):
        failure = TransportFailure(
            OpenRouterMalformedResponseError(f"Malformed answer: broken compression: {words}")
        )
    elif unsent:
        failure = TransportFailure(OpenRouterConnectionError(f"Cannot connect: {words}"), unsent)
    else:
        failure = TransportFailure(OpenRouterConnectionError(f"The connection was lost: {words}"))
    failure.error.__cause__ = error
    return failure
