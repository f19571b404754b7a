"""A server of an application on a port that can be closed for a while; by uvicorn, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp

from langchain_openrouter_o3.emulator.serving.connection import Connection, TlsFailure

T = TypeVar("T")


class LoopThread:
    """A thread that runs an event loop from the first use until it is stopped."""

    def __init__(self) -> None:
        """Prepare it; nothing runs yet."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self.was_stopped = False

    @property
    def is_running(self) -> bool:
        """Whether the loop runs."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start work in the loop, and the loop if need be; return what will be its result.

        After a stop it is cancelled at once, as is all work that a stop meets.
        """
        with self._lock:
            if self.was_stopped:
                work.close()
                cancelled: Future[T] = Future()
                cancelled.cancel()
                return cancelled
            if self._thread is None:
                self._start()
            assert self._loop is not None  # noqa: S101 - it runs
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop with all of its tasks, and wait for the thread; safe to repeat."""
        with self._lock:
            if self._thread is None or self._loop is None:
                return
            self.was_stopped = True
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._over.set)
        # A finalizer may run in any thread.
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _start(self) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._over = asyncio.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(ready)),
            name="openrouter-emulator",
            # A test that forgets to stop its emulator must not keep the process alive.
            daemon=True,
        )
        self._thread.start()
        self._loop = ready.result()

    async def _run(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        ready.set_result(asyncio.get_running_loop())
        await self._over.wait()


# --- A server on a port ---


class Port:
    """A port of this machine.

    While it is reserved a socket is bound to it but does not listen: connections are refused, and
    the system gives it to nobody who asks for any free port.
    """

    def __init__(self, host: str, number: int) -> None:
        """Name the address; 0 stands for any free port until `listen`."""
        self.number = number
        self._host = host
        self._reserved: socket.socket | None = None

    def listen(self) -> socket.socket:
        """Return a socket that listens.

        Raises:
            OSError: The address cannot be listened on.
        """
        listener = self._bind()
        try:
            listener.listen()
        except OSError:
            listener.close()
            raise
        return listener

    def reserve(self) -> None:
        """Refuse connections; the listening socket has to be closed before."""
        self._reserved = self._bind()

    def release(self) -> socket.socket:
        """Return the reserved socket, ready to listen on."""
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            raise RuntimeError("the port is not reserved")
        return reserved

    def close(self) -> None:
        """Give the port up if it is reserved."""
        if self._reserved is not None:
            self.release().close()

    def _bind(self) -> socket.socket:
        """Bind a socket.

        Its protocol is given, which `socket.create_server` leaves out: asyncio switches off
        Nagle's algorithm only where it sees TCP, and each event of a stream would wait 40 ms
        with it.
        """
        found = socket.getaddrinfo(
            self._host, self.number, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                # A port that was just in use can be taken again; on Windows this would share it.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        self.number = bound.getsockname()[1]
        return bound


# A pooled connection must not be closed under a client between two requests of a slow test.
_KEEP_ALIVE_SECONDS = 120
_SHUTDOWN_SECONDS = 2
_TICK_SECONDS = 1


class Server(uvicorn.Server):
    """A server that does not wait for its clients when it stops, and can close its port."""

    def __init__(self, port: Port, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._port = port
        self._closed_by = 0
        self._opening: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def connections(self) -> Iterator[Connection]:
        """Return the connections that are open now."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                yield connection

    async def listen(self, listener: socket.socket) -> None:
        """Serve on a socket until `end`; return as soon as it does."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup([listener])
        self._serving = asyncio.ensure_future(self.main_loop())

    async def end(self) -> None:
        """Close the port, and drop every connection with its answer."""
        self.should_exit = True
        self._over.set()
        if self._serving is not None:
            await self._serving
            await self.shutdown()

    async def main_loop(self) -> None:
        """Keep the `date` header right; uvicorn's own loop looks ten times a second for an end."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), _TICK_SECONDS)

    @property
    def is_closed(self) -> bool:
        """Whether connections are refused for a while."""
        return self._closed_by > 0

    async def close_port(self) -> None:
        """Refuse connections until as many calls of `open_port`; running answers go on."""
        self._closed_by += 1
        if self._closed_by > 1 or not self.started:
            return
        for server in self.servers:
            server.close()
        self._port.reserve()
        # Uvicorn's graceful end: idle connections are closed, the others after their answer.
        for connection in self.connections():
            connection.shutdown()

    async def open_port(self) -> None:
        """Take connections again, if nobody else keeps the port closed."""
        self._closed_by -= 1
        if not self._closed_by and self.started and not self.should_exit:
            await super().startup([self._port.release()])

    def open_port_soon(self) -> None:
        """Do so from a callback of the event loop."""
        self._opening = asyncio.ensure_future(self.open_port())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Abort the connections: `RequestLog` cancels the answers of those it sees dropped."""
        del sockets
        for server in self.servers:
            server.close()
        for connection in self.connections():
            connection.transport.abort()
        # Uvicorn would wait a tenth of a second more here, and look again every tenth.
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_SHUTDOWN_SECONDS)
        self._port.close()


def make_server(app: ASGIApp, port: Port, tls_failure: TlsFailure) -> Server:
    """Make a server of an application, which does not listen yet."""
    return Server(
        port,
        uvicorn.Config(
            app,
            http=type("Connection", (Connection,), {"tls_failure": tls_failure}),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ),
    )
