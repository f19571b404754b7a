"""Ends a blocking read whose time is up. One thread serves all blocking exchanges.

httpx fixes the read time-out when a request is sent, and a read that comments keep alive never
times out. Shutting the socket down is the only way to wake a thread that blocks in it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

_NEVER = float("inf")


class Watchdog:
    """Shuts sockets down whose time is up."""

    def __init__(self) -> None:
        """Start without a thread; the first watch starts it."""
        self._changed = threading.Condition()
        self._dues: dict[object, tuple[float, socket.socket]] = {}
        self._wakes_at = _NEVER
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watch(self, connection: socket.socket, seconds: float) -> Generator[None]:
        """Shut a connection down if the block lasts longer than this.

        Whoever reads from it then sees its end. After the block the connection is left alone.
        """
        token = object()
        due = time.monotonic() + seconds
        with self._changed:
            self._dues[token] = (due, connection)
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
                for token, (due, connection) in list(self._dues.items()):
                    if due <= now:
                        del self._dues[token]
                        _shut_down(connection)
                self._wakes_at = min((due for due, _ in self._dues.values()), default=_NEVER)
                self._changed.wait(None if self._wakes_at == _NEVER else self._wakes_at - now)


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer was quicker
        # Not `connection.shutdown`: an SSLSocket's would take its state from under the reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def socket_of(extensions: Any) -> socket.socket | None:
    """Find the socket of an httpx response; transports without one (mocks, WSGI) have none.

    Source: https://www.python-httpx.org/advanced/extensions/#network_stream
    """
    stream = extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None
