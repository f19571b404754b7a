"""Servers made of sockets: each connection is handled by the test's own function.

`Records` encrypts by hand, so that a test decides which TLS records travel together:
`ssl.SSLSocket` sends each record by a call of its own and never sends an alert on request.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import cast

from typing_extensions import Self

from langchain_openrouter_o3.emulator.serving.connection import untrusted_context

Handler = Callable[["Peer"], object]

PATIENCE = 30.0
"""Seconds until a test gives up; only a failing test waits that long."""


class Peer:
    """One accepted connection.

    Attributes:
        number: Of the connection, from 1.
        heads: The heads of the requests that were read from it.
        bodies: Their bodies.
    """

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self._buffer = b""

    def read_head(self) -> bytes:
        """Read the head of a request; empty when the client has left."""
        while b"\r\n\r\n" not in self._buffer:
            if not (data := self.connection.recv(65_536)):
                return b""
            self._buffer += data
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        self.heads.append(head)
        return head

    def read_request(self) -> bytes:
        """Read a whole request and return its head; empty when the client has left."""
        head = self.read_head()
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        while head and len(self._buffer) < length:
            if not (data := self.connection.recv(65_536)):
                return b""
            self._buffer += data
        if head:
            self.bodies.append(self._buffer[:length])
            self._buffer = self._buffer[length:]
        return head

    def write(self, *pieces: bytes) -> None:
        """Write pieces, each by a call of its own."""
        for piece in pieces:
            self.connection.sendall(piece)

    def close(self) -> None:
        """Close in order (FIN)."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.connection, socket.SHUT_WR)
        self.connection.close()

    def reset(self) -> None:
        """Close with a reset (RST)."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


class RawServer:
    """Accepts connections and hands each to a function in a thread of its own.

    Attributes:
        peers: All connections so far.
        errors: What handlers raised, other than that the client had left.
    """

    def __init__(self, handler: Handler, *, tls: bool = False) -> None:
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self._handler = handler
        self._context = untrusted_context() if tls else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._greeting: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept)
        scheme = "https" if tls else "http"
        self.origin = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.base_url = f"{self.origin}/api/v1"

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything, and show what handlers raised."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        # A client that gives up while it greets may leave its end open.
        for connection in [*self._greeting, *(peer.connection for peer in self.peers)]:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for peer in self.peers:
            peer.connection.close()
        if kind is None:
            assert self.errors == []

    @property
    def requests(self) -> int:
        """How many whole requests were read."""
        return sum(len(peer.bodies) for peer in self.peers)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._handle, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _handle(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
                self._greeting.append(connection)
                try:
                    connection.do_handshake()
                except OSError:
                    connection.close()
                    raise
            peer = Peer(connection, len(self.peers) + 1)
            self.peers.append(peer)
            self._handler(peer)
        except OSError:
            pass  # the client, or the end of the test, was quicker
        except BaseException as error:  # noqa: BLE001 - the test shows it
            self.errors.append(error)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write a whole response with a length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def stream_head(*headers: str) -> bytes:
    """Write the head of a chunked event stream."""
    lines = [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "transfer-encoding: chunked",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def chunk_of(data: bytes) -> bytes:
    """Write one chunk of the chunked encoding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


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
