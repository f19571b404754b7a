"""Shared pools of connections: who uses them, and when they close.

One pool per origin serves all model instances: one for blocking calls in the process, one
per running event loop (asyncio's, or a trio run) for asynchronous calls. The path of a base URL
does not matter: gateways have one for each of their customers. Pools open on first use, are
closed with their loop or at exit, and are forgotten (not closed: the sockets are the parent's)
after a fork.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from langchain_openrouter_o3._http.performer import AsyncPerformer, SyncPerformer
from langchain_openrouter_o3._http.shared_clients import (
    SharedAsyncClient,
    SharedClient,
    origin_of,
)
from langchain_openrouter_o3._http.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from langchain_openrouter_o3._http.pool_reference import PoolReference

C = TypeVar("C", bound=SharedClient | SharedAsyncClient)
Phases = Mapping[str, float | None]


class _Shared(Generic[C]):
    def __init__(self, client: C) -> None:
        self.client = client
        self.references: weakref.WeakSet[PoolReference] = weakref.WeakSet()


class _OfLoop:
    def __init__(self, guard: AsyncGenerator[None, None]) -> None:
        self.pools: dict[str, _Shared[SharedAsyncClient]] = {}
        self.under_way: set[AsyncPerformer] = set()
        self.guard = guard


class PoolManager:
    """All shared connections of this process."""

    def __init__(self) -> None:
        """Start empty; nothing is opened before the first call."""
        self._lock = threading.Lock()
        self._sync: dict[str, _Shared[SharedClient]] = {}
        self._async: dict[Hashable, _OfLoop] = {}
        self._forgotten: list[object] = []
        self._under_way: weakref.WeakSet[SyncPerformer] = weakref.WeakSet()
        self._watchdog = Watchdog()

    def performer(
        self, base_url: str, reference: PoolReference, own: Any, timeout: Phases
    ) -> SyncPerformer:
        """Return what performs one blocking exchange.

        Args:
            base_url: Of the server.
            reference: Of the model that asks.
            own: The caller's own client, if there is one.
            timeout: Seconds of each phase of a request, by httpx's names.

        Raises:
            OpenRouterInputError: The caller's client is closed, or `base_url` or a variable of
                the environment cannot be used.
        """
        client = self._client(base_url, reference) if own is None else own
        return SyncPerformer(client, timeout, self._watchdog, self._under_way)

    async def async_performer(
        self, base_url: str, reference: PoolReference, own: Any, timeout: Phases
    ) -> AsyncPerformer:
        """Return what performs one exchange on the running event loop; see `performer`."""
        of_loop = await self._of_running_loop()
        client = self._async_client(of_loop, base_url, reference) if own is None else own
        return AsyncPerformer(client, timeout, of_loop.under_way)

    def _client(self, base_url: str, reference: PoolReference) -> SharedClient:
        origin = origin_of(base_url)
        with self._lock:
            shared = self._sync.get(origin)
            if shared is None:
                shared = self._sync[origin] = _Shared(SharedClient(origin))
            shared.references.add(reference)
            return shared.client

    def _async_client(
        self, of_loop: _OfLoop, base_url: str, reference: PoolReference
    ) -> SharedAsyncClient:
        origin = origin_of(base_url)
        with self._lock:
            shared = of_loop.pools.get(origin)
            if shared is None:
                shared = of_loop.pools[origin] = _Shared(SharedAsyncClient(origin))
            shared.references.add(reference)
            return shared.client

    def release(self, reference: PoolReference) -> None:
        """Close the blocking pools that no other model holds."""
        with self._lock:
            closing = _without_reference(self._sync, reference)
        for client in closing:
            client.close()

    async def arelease(self, reference: PoolReference) -> None:
        """Close the running loop's pools that no other model holds."""
        of_loop = await self._of_running_loop()
        with self._lock:
            closing = _without_reference(of_loop.pools, reference)
        async with contextlib.AsyncExitStack() as stack:  # all, even if one is interrupted
            for client in closing:
                stack.push_async_callback(client.aclose)

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
        for performer in list(self._under_way):
            if performer.thread not in others:
                performer.close()
        for shared in pools:
            shared.client.close_idle()

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
                    stack.push_async_callback(shared.client.aclose)


def running_loop() -> Hashable:
    """Return what stands for the running event loop: asyncio's, or the token of a trio run.

    Raises:
        RuntimeError: None is running.
    """
    trio = sys.modules.get("trio")  # whoever runs it has imported it
    if trio is not None and trio.lowlevel.in_trio_task():
        token: Hashable = trio.lowlevel.current_trio_token()
        return token
    return asyncio.get_running_loop()


def _is_closed(loop: Hashable) -> bool:
    return isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed()


def _without_reference(pools: dict[str, _Shared[C]], reference: PoolReference) -> list[C]:
    closing: list[C] = []
    for origin, shared in list(pools.items()):
        if reference in shared.references:
            shared.references.discard(reference)
            if not shared.references:
                closing.append(pools.pop(origin).client)
    return closing


POOLS = PoolManager()
atexit.register(POOLS.close_all)
with contextlib.suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=POOLS.forget)
