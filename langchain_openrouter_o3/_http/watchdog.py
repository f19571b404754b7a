"""Ends what takes too long in a caller's own blocking client. One thread serves all exchanges.

Shared clients keep the limits of a step in their network streams (`timeouts.LimitedTimeout`). The
streams of other clients know only the time-out of one read, which starts anew with each byte;
shutting the socket down is the only way to wake a thread that blocks in it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_NEVER = float("inf")


class Watchdog:
    """Shuts sockets down whose time is up."""

    def __init__(self) -> None:
        """Start without a thread; the first watch starts it."""
        self._changed = threading.Condition()
        self._dues: dict[object, tuple[float, list[socket.socket]]] = {}
        self._wakes_at = _NEVER
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watch(self, connection: socket.socket | None, seconds: float) -> Generator[None]:
        """Shut a connection down if the block lasts longer than this.

        Whoever reads from it then sees its end. After the block the connection is left alone.

        Args:
            connection: None if there is no socket (mocks, WSGI): nothing is done then.
            seconds: How long.
        """
        with self._watch([] if connection is None else [connection], seconds):
            yield

    @contextlib.contextmanager
    def watch_new(self, seconds: float) -> Generator[Callable[[str, dict[str, Any]], None]]:
        """Shut down what the block connects to, if it lasts longer than this.

        Gives what is to be the request's "trace" extension.

        Source: https://www.python-httpx.org/advanced/extensions/#trace
        """
        connections: list[socket.socket] = []

        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                connected = socket_of(info["return_value"])
                connections[:] = [connected] if connected is not None else []

        with self._watch(connections, seconds):
            yield trace

    @contextlib.contextmanager
    def _watch(self, connections: list[socket.socket], seconds: float) -> Generator[None]:
        token = object()
        due = time.monotonic() + seconds
        with self._changed:
            self._dues[token] = (due, connections)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="openrouter-watchdog", daemon=True
                )
                self._thread.start()
            elif due < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:  # the lock: never in the middle of a shutdown
                self._dues.pop(token, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for token, (due, connections) in list(self._dues.items()):
                    if due <= now:
                        del self._dues[token]
                        for connection in list(connections):
                            _shut_down(connection)
                self._wakes_at = min((due for due, _ in self._dues.values()), default=_NEVER)
                self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - now)


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer was quicker
        # Not `connection.shutdown`: an SSLSocket's would take its state from under the reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def socket_of(stream: Any) -> socket.socket | None:
    """Return the socket of a network stream; None if there is none (mocks, WSGI).

    Source: https://www.python-httpx.org/advanced/extensions/#network_stream
    """
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None
