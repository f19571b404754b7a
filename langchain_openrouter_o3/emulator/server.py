"""The emulator as a server in a thread of this process."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import TYPE_CHECKING, final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from langchain_openrouter_o3.emulator.application import Endpoints
from langchain_openrouter_o3.emulator.canned import Canned, CannedAnswers
from langchain_openrouter_o3.emulator.request_log import ReceivedRequest, RequestLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from starlette.types import Scope

# A pooled connection must not be closed under a client between two requests of a slow test.
_KEEP_ALIVE_SECONDS = 120
_SHUTDOWN_SECONDS = 2


@final
class Emulator:
    """A local OpenRouter: the wire is real, the answers follow rules instead of a model.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        think_time: float = 0.0,
    ) -> None:
        """Prepare an emulator.

        Args:
            host: The address to listen on.
            port: The port to listen on; 0 takes any free one.
            api_key: The only key that is accepted; by default every key is.
            think_time: Seconds before the first event or the body of each answer by the rules.
        """
        self._host = host
        self._port = port
        endpoints = Endpoints(api_key=api_key, think_time=think_time)
        self._canned = CannedAnswers(endpoints.application())
        self._log = RequestLog(self._canned, self._close_connection)
        self._server = _Server(
            uvicorn.Config(
                self._log,
                http="h11",
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
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Emulator:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def base_url(self) -> str:
        """The base URL for a client, known once the emulator has started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/api/v1"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests so far, in their order of arrival."""
        return self._log.requests

    def play(self, *answers: Canned) -> None:
        """Queue answers for the next chat requests, one each, before any rule applies."""
        self._canned.queue.extend(answers)

    def reset(self) -> None:
        """Forget the requests so far and the answers that nobody asked for."""
        self._canned.queue.clear()
        self._log.requests.clear()

    def start(self) -> None:
        """Start listening; clients can connect as soon as this returns.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: The emulator was started before.
        """
        if self._thread is not None:
            raise RuntimeError("an emulator starts only once")
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._serve,
            args=(listener,),
            name="openrouter-emulator",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Drop every connection and wait until the server is gone; safe to repeat."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()

    def _serve(self, listener: socket.socket) -> None:
        # Uvicorn closes the listener itself, except when it is stopped before it has started.
        with listener:
            asyncio.run(self._server.serve([listener]))

    def _close_connection(self, scope: Scope) -> None:
        """Close the connection of a request, after what was written has been sent."""
        for connection in self._server.connections():
            if connection.client == tuple(scope["client"]):
                connection.transport.close()


def _listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Its protocol is given, which `socket.create_server` leaves out: asyncio switches off Nagle's
    algorithm only where it sees TCP, and each event of a stream would wait 40 ms with it.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # A port that was just in use can be taken again; on Windows this would share it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """A server that does not wait for its clients when it stops."""

    def connections(self) -> Iterator[H11Protocol]:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                yield connection

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Uvicorn would let running answers finish; `RequestLog` cancels those it sees dropped.
        for connection in self.connections():
            connection.transport.abort()
        await super().shutdown(sockets)
