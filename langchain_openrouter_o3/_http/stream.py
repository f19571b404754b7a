"""What httpcore reads from and writes to: a connection, seen as one exchange after the other.

A stream of this module lies between httpcore and the network. It

- joins chunks before h11 reads them (`chunk_joiner.py`);
- writes a short body together with its head, in one call, and a long one without copying it;
- ends an answer whose head does not come in time, or is preceded by endless informational ones;
- tells what the pool must know: may the connection be used again, and if the exchange failed, can
  the request have been acted upon?

What it knows of an exchange is in `_Exchanges`; the two streams add only the I/O.
"""

from __future__ import annotations

import array
import contextlib
import socket
import ssl
import sys
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpcore

from langchain_openrouter_o3._http import async_sockets
from langchain_openrouter_o3._http.chunk_joiner import MAX_INTERIM_HEADS, ChunkJoiner
from langchain_openrouter_o3._http.time_limits import seconds_left

if TYPE_CHECKING:
    from collections.abc import Iterable

S = TypeVar("S", "HTTPStream", "AsyncHTTPStream")
Stream = httpcore.NetworkStream | httpcore.AsyncNetworkStream

MAX_ALERT = 128
"""Bytes of the TLS alert after an end without `close_notify`; it is never confirmed."""

SHORT_BODY = 64 * 1024
"""Bytes; a body up to this size is copied behind its head to save a system call."""

_KEEPALIVE = (
    # Name, seconds or times: a connection that died in silence is noticed after two minutes.
    ("TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE", 60),
    ("TCP_KEEPINTVL", 20),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 120_000),  # milliseconds that written data may stay unconfirmed
)


def socket_options() -> list[tuple[int, int, int]]:
    """Return what is set on every socket; each platform has some of these options."""
    here = ((getattr(socket, name, None), value) for name, value in _KEEPALIVE)
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *((socket.IPPROTO_TCP, option, value) for option, value in here if option is not None),
    ]


class _Exchanges:
    """What both streams know of the exchange under way.

    Attributes:
        is_encrypted: Whether TLS has begun above it, for which there is another stream.
    """

    def __init__(self) -> None:
        self.is_encrypted = False
        self._joiner = ChunkJoiner()
        self._head: bytes | None = None  # of a request, waits for its body
        self._is_writing = False
        self._is_written = False  # whether the request was written whole
        self._is_refused = False  # the server's end came before it had confirmed the request

    @property
    def is_clean(self) -> bool:
        """Whether the answer has ended for certain, and nothing came behind it."""
        return self._joiner.is_clean

    @property
    def is_unheard(self) -> bool:
        """Whether the request that failed here cannot have been acted upon.

        Either it was not written whole, or the server closed its side before all of it had
        arrived. A reset alone says nothing: it may come from a server that has done its work.
        """
        return not self._joiner.has_begun and (self._is_refused or not self._is_written)

    def _outgoing(self, data: bytes) -> list[bytes]:
        """Return what is to be written now: a head waits for its body, or for the empty end."""
        if not self._is_writing:
            self._is_writing = True
            self._joiner = ChunkJoiner()
            self._is_written = self._is_refused = False
            self._head = data
            return []
        head, self._head = self._head or b"", None
        if len(data) <= SHORT_BODY:
            return [head + data] if head or data else []
        view = cast("bytes", memoryview(data))  # written in parts, without copies
        return [head, *(view[at : at + SHORT_BODY] for at in range(0, len(data), SHORT_BODY))]

    def _begin_reading(self) -> list[bytes]:
        """Return what must be written first: the greeting of a proxy has no body behind it."""
        self._is_writing = False
        head, self._head = self._head, None
        return [head] if head else []

    def _incoming(self, data: bytes, stream: Stream) -> bytes | None:
        """Return what h11 is to read; None if that is nothing yet.

        Args:
            data: What the stream below has brought; empty at its end.
            stream: The stream below.

        Raises:
            httpcore.RemoteProtocolError: Informational heads do not end.
        """
        if not data:
            # Asked now, because httpcore closes the socket before it tells of the failure.
            self._is_refused = _has_unconfirmed(stream.get_extra_info("socket"))
            return self._joiner.flush()
        joined = self._joiner.feed(data)
        if self._joiner.interim_heads > MAX_INTERIM_HEADS:
            raise httpcore.RemoteProtocolError("informational (1xx) heads without end")
        return joined or None


class HTTPStream(_Exchanges, httpcore.NetworkStream):
    """A blocking connection."""

    def __init__(self, stream: httpcore.NetworkStream, timeout: float | None) -> None:
        """Take httpcore's own stream.

        Args:
            stream: Connected.
            timeout: For the greeting of a SOCKS proxy, for which httpcore has none.
        """
        super().__init__()
        self._stream = stream
        self._timeout = timeout

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what h11 is to read next; empty at the end.

        Raises:
            httpcore.ReadError: The connection was lost.
            httpcore.ReadTimeout: It took too long.
            httpcore.RemoteProtocolError: See `_Exchanges._incoming`.
        """
        timeout = self._timeout if timeout is None else timeout
        if self._is_writing:
            for piece in self._begin_reading():
                self._stream.write(piece, _left(timeout, httpcore.WriteTimeout))
        if not self._joiner.has_begun:
            self._refuse_reset(_left(timeout, httpcore.ReadTimeout))
        while True:
            left = _left(timeout, httpcore.ReadTimeout)
            joined = self._incoming(self._stream.read(max_bytes, left), self._stream)
            if joined is not None:
                return joined

    def _refuse_reset(self, timeout: float | None) -> None:
        """Wait for the answer below TLS, which makes an end of a reset (see `is_unheard`)."""
        connection = self._stream.get_extra_info("socket")
        if not isinstance(connection, ssl.SSLSocket):
            return
        try:
            connection.settimeout(timeout)
            socket.socket.recv(connection, 1, socket.MSG_PEEK)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write a part of a request.

        Raises:
            httpcore.WriteError: The connection was lost.
            httpcore.WriteTimeout: It took too long.
        """
        for piece in self._outgoing(buffer):
            self._stream.write(piece, _left(timeout, httpcore.WriteTimeout))
        self._is_written = not buffer

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> HTTPStream:
        """Return the same connection, encrypted.

        Raises:
            httpcore.ConnectError: The server and this client do not agree.
            httpcore.ConnectTimeout: It took too long.
        """
        self.is_encrypted = True
        left = _left(timeout, httpcore.ConnectTimeout)
        try:
            encrypted = self._stream.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectError as error:
            _close_forgotten(error)
            raise
        return HTTPStream(encrypted, self._timeout)

    def get_extra_info(self, info: str) -> Any:
        """As httpcore's; "is_readable" tells of unread bytes in any layer."""
        if info == "is_readable":
            # TLS in TLS (an HTTPS proxy) keeps records where they cannot be seen.
            tls = self._stream.get_extra_info("ssl_object")
            if not self.is_clean or isinstance(tls, ssl.SSLObject):
                return True
        return self._stream.get_extra_info(info)


def _close_forgotten(error: httpcore.ConnectError) -> None:
    """Close the socket that `ssl` had taken over when the server reset the connection.

    Before 3.13, `SSLSocket._create` asks an unconnected socket for data, and does not close it if
    that fails; nobody but its frame knows the socket.
    """
    frames = traceback.walk_tb(getattr(error.__cause__, "__traceback__", None))
    for frame, _ in frames:
        if isinstance(forgotten := frame.f_locals.get("self"), ssl.SSLSocket):
            forgotten.close()


class AsyncHTTPStream(_Exchanges, httpcore.AsyncNetworkStream):
    """The same on an event loop; the whole step has a limit there (see `performer.py`)."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, timeout: float | None) -> None:
        """Take a stream of `async_sockets`; see `HTTPStream`."""
        super().__init__()
        self._stream = stream
        self._timeout = timeout

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        timeout = self._timeout if timeout is None else timeout
        if self._is_writing:
            for piece in self._begin_reading():
                await self._stream.write(piece, timeout)
        while True:
            data = await self._stream.read(max_bytes, timeout)
            joined = self._incoming(data, self._stream)
            if joined is not None:
                return joined

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for piece in self._outgoing(buffer):
            await self._stream.write(piece, timeout)
        self._is_written = not buffer

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncHTTPStream:
        self.is_encrypted = True
        encrypted = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return AsyncHTTPStream(encrypted, self._timeout)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and not self.is_clean:
            return True
        return self._stream.get_extra_info(info)


OPENED: ContextVar[list[HTTPStream | AsyncHTTPStream] | None] = ContextVar("OPENED", default=None)
"""Takes the streams that are opened for a connection: httpcore forgets one whose proxy fails."""


def _note(stream: S) -> S:
    opened = OPENED.get()
    if opened is not None:
        opened.append(stream)
    return stream


class Backend(httpcore.NetworkBackend):
    """Connects blocking streams."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - ours are set
    ) -> HTTPStream:
        """Connect.

        Raises:
            httpcore.ConnectError: It cannot be reached.
            httpcore.ConnectTimeout: It took too long.
        """
        left = _left(timeout, httpcore.ConnectTimeout)
        connected = httpcore.SyncBackend().connect_tcp(
            host, port, left, local_address, _SOCKET_OPTIONS
        )
        return _note(HTTPStream(connected, timeout))


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects streams on an event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the pools bind none
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - ours are set
    ) -> AsyncHTTPStream:
        connected = await async_sockets.connect(host, port, timeout, _SOCKET_OPTIONS)
        return _note(AsyncHTTPStream(async_sockets.SocketStream(connected), timeout))


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    left = seconds_left(timeout)
    if left is not None and left <= 0:
        raise late("timed out")
    return left


def _has_unconfirmed(connection: socket.socket | None) -> bool:
    """Whether the other side has not confirmed what was written; False if that is unknown."""
    if sys.platform != "linux" or connection is None:
        return False
    import fcntl  # noqa: PLC0415 - does not exist everywhere
    import termios  # noqa: PLC0415 - same

    count = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):  # closed
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, count)
    return count[0] > MAX_ALERT


_SOCKET_OPTIONS = socket_options()
