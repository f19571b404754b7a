"""TLS on a server's side by hand, so that a test decides which records travel together.

`ssl.SSLSocket` sends each record by a call of its own and never sends an alert on request. Here
the records lie in memory until `flush`, and whatever the test wants may be written beside them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, cast

from langchain_openrouter_o3.emulator.certificate import untrusted_context
from tests.transport.raw_server import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

GARBAGE = b"\x17\x03\x03\x00\x20" + bytes(32)
"""A record that looks encrypted, and that no key has written."""


class Records:
    """The server's end of an encrypted connection."""

    def __init__(self, connection: socket.socket) -> None:
        """Take an accepted connection and greet the client."""
        self._connection = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        context = untrusted_context()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._wait_for(self._tls.do_handshake)

    def recv(self, size: int) -> bytes:
        """Read what the client wrote; empty at the end."""
        with contextlib.suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return cast("bytes", self._wait_for(lambda: self._tls.read(size)))
        return b""

    def sendall(self, data: bytes) -> None:
        """Write and send."""
        self.add(data)
        self.flush()

    def add(self, data: bytes) -> None:
        """Write records that wait for `flush`."""
        for start in range(0, len(data), 16_384):
            self._tls.write(data[start : start + 16_384])

    def add_farewell(self) -> None:
        """Write a `close_notify`."""
        with contextlib.suppress(ssl.SSLWantReadError):  # the client's own is not waited for
            self._tls.unwrap()

    def add_alert(self) -> None:
        """Write a fatal alert, as after a record that cannot be read."""
        self._incoming.write(GARBAGE)
        with contextlib.suppress(ssl.SSLError):
            self._tls.read(1)

    def flush(self, keep: int = 0) -> None:
        """Send what was written, all but the last bytes."""
        waiting = self._outgoing.read()
        self._connection.sendall(waiting[: len(waiting) - keep])

    def _wait_for(self, operation: Callable[[], object]) -> object:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:  # noqa: PERF203 - this is how TLS asks for more
                self.flush()
                if data := self._connection.recv(65_536):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self.flush()
                return result


def encrypt(peer: Peer) -> tuple[Peer, Records]:
    """Encrypt a connection; gives what requests are read from, and what writes the records."""
    records = Records(peer.connection)
    inner = Peer(cast("socket.socket", records), peer.number)
    inner.heads, inner.bodies = peer.heads, peer.bodies
    return inner, records
