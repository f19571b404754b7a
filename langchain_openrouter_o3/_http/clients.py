"""Shared pools of connections: who uses them, and when they close.

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
import weakref
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.request import getproxies

import httpx

from langchain_openrouter_o3._http.channel import (
    AsyncChannel,
    AsyncClientChannel,
    Channel,
    ClientChannel,
)
from langchain_openrouter_o3._http.connection import KEEPALIVE_SECONDS
from langchain_openrouter_o3._http.link import AsyncLink, SyncLink
from langchain_openrouter_o3._http.pool import MAX_IDLE, AsyncPool, Pool, tls_context
from langchain_openrouter_o3._http.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from langchain_openrouter_o3._http.lease import Lease

C = TypeVar("C", bound=Channel | AsyncChannel)

Client = httpx.Client
AsyncClient = httpx.AsyncClient
Timeout = httpx.Timeout

# httpx's default of 100 connections would make the 101st concurrent call wait in silence.
_LIMITS = httpx.Limits(
    max_connections=None, max_keepalive_connections=MAX_IDLE, keepalive_expiry=KEEPALIVE_SECONDS
)


class _Shared(Generic[C]):
    def __init__(self, channel: C) -> None:
        self.channel = channel
        self.leases: weakref.WeakSet[Lease] = weakref.WeakSet()


class _OfLoop:
    def __init__(self, guard: AsyncGenerator[None, None]) -> None:
        self.pools: dict[str, _Shared[AsyncChannel]] = {}
        self.guard = guard


class Pools:
    """All shared connections of this process."""

    def __init__(self) -> None:
        """Start empty; nothing is opened before the first call."""
        self._lock = threading.Lock()
        self._sync: dict[str, _Shared[Channel]] = {}
        self._async: dict[Hashable, _OfLoop] = {}
        self._forgotten: list[object] = []
        self._under_way: weakref.WeakSet[SyncLink] = weakref.WeakSet()
        self._watchdog = Watchdog()

    def link(
        self, base_url: str, lease: Lease, own: httpx.Client | None, timeout: httpx.Timeout
    ) -> SyncLink:
        """Return the link for one blocking exchange.

        Args:
            base_url: Of the server.
            lease: The claim of the model that asks.
            own: The caller's own client, if there is one.
            timeout: For each phase of a request.
        """
        channel = ClientChannel(own) if own is not None else self._channel(base_url, lease)
        return SyncLink(channel, timeout, self._watchdog, self._under_way)

    async def async_link(
        self, base_url: str, lease: Lease, own: httpx.AsyncClient | None, timeout: httpx.Timeout
    ) -> AsyncLink:
        """Return the link for one exchange on the running event loop; see `link`."""
        if own is not None:
            return AsyncLink(AsyncClientChannel(own), timeout)
        return AsyncLink(await self._async_channel(base_url, lease), timeout)

    def _channel(self, base_url: str, lease: Lease) -> Channel:
        with self._lock:
            shared = self._sync.get(base_url)
            if shared is None:
                shared = self._sync[base_url] = _Shared(_open_pool())
            shared.leases.add(lease)
            return shared.channel

    async def _async_channel(self, base_url: str, lease: Lease) -> AsyncChannel:
        of_loop = await self._of_running_loop()
        with self._lock:
            shared = of_loop.pools.get(base_url)
            if shared is None:
                shared = of_loop.pools[base_url] = _Shared(_open_async_pool())
            shared.leases.add(lease)
            return shared.channel

    def release(self, lease: Lease) -> None:
        """Close the blocking pools that nobody else holds."""
        with self._lock:
            closing = _without_lease(self._sync, lease)
        for channel in closing:
            channel.close()

    async def arelease(self, lease: Lease) -> None:
        """Close the running loop's pools that nobody else holds."""
        of_loop = await self._of_running_loop()
        with self._lock:
            closing = _without_lease(of_loop.pools, lease)
        async with contextlib.AsyncExitStack() as stack:  # all, even if one is interrupted
            for channel in closing:
                stack.push_async_callback(channel.close)

    def close_all(self) -> None:
        """Close streams and blocking pools at exit; asynchronous ones end with their loops.

        A generator that is still suspended is closed by the interpreter's last collection, when
        it is too late for I/O (CPython 3.13.0 crashes there). What another thread still reads is
        left alone: a daemon thread would end with a traceback.
        """
        with self._lock:
            pools = list(self._sync.values())
            self._sync.clear()
        others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        for link in list(self._under_way):
            if link.thread not in others:
                link.close()
        for shared in pools:
            shared.channel.close_idle()

    def forget(self) -> None:
        """After a fork, drop every pool without closing it.

        The sockets and the loop's selector are shared with the parent: closing them here, or
        letting them be collected, would disturb the parent's connections.
        """
        self._forgotten += [self._sync, self._async, list(self._under_way), self._watchdog]
        self._under_way = weakref.WeakSet()
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._sync = {}
        self._async = {}

    async def _of_running_loop(self) -> _OfLoop:
        loop = running_loop()
        of_loop = self._async.get(loop)
        if of_loop is None:
            of_loop = _OfLoop(self._close_with(loop))
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
            # All of them: trio closes generators in a cancelled scope.
            async with contextlib.AsyncExitStack() as stack:
                for shared in of_loop.pools.values() if of_loop is not None else ():
                    stack.push_async_callback(shared.channel.close)


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


def _without_lease(pools: dict[str, _Shared[C]], lease: Lease) -> list[C]:
    closing: list[C] = []
    for base_url, shared in list(pools.items()):
        if lease in shared.leases:
            shared.leases.discard(lease)
            if not shared.leases:
                closing.append(pools.pop(base_url).channel)
    return closing


def _open_pool() -> Channel:
    if _has_proxy():
        return ClientChannel(httpx.Client(verify=tls_context(), limits=_LIMITS))
    return Pool()


def _open_async_pool() -> AsyncChannel:
    if _has_proxy():
        return AsyncClientChannel(httpx.AsyncClient(verify=tls_context(), limits=_LIMITS))
    return AsyncPool()


def _has_proxy() -> bool:
    """Whether the environment names proxies; which of them applies is then httpx's to decide."""
    return not getproxies().keys().isdisjoint({"http", "https", "all"})


POOLS = Pools()
atexit.register(POOLS.close_all)
with contextlib.suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=POOLS.forget)
