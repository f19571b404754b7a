"""Sockets on an event loop (asyncio, uvloop, trio), with nothing between httpcore and the socket.

AnyIO's streams read ahead into queues that are closed to everyone else. From there a stray answer
became the next caller's, an early answer was lost with the write that failed behind it, and
errors of TLS escaped untyped (see docs/decisions.md). Here whatever has not been read is still in
the socket, or in the TLS buffer beside it, and `has_unread` tells.

Strategy: a socket that does not block is tried first; only if it would block, the task waits for
it with AnyIO's `wait_readable` or `wait_writable`. A cancelled task loses no data, because it has
taken none. TLS is Python's `SSLObject` between two memory buffers.

Sources: https://anyio.readthedocs.io/en/stable/networking.html#waiting-for-sockets-to-become-readable-or-writable,
https://docs.python.org/3/library/ssl.html#memory-bio-support
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.lowlevel
import httpcore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

READ_AHEAD = 64 * 1024
MAX_READS = 8
"""Reads without a pause, when a server sends faster than it is read: others want to run, too."""

ATTEMPT_SECONDS = 0.25
"""How long an address may take before the next is tried beside it (RFC 8305, "happy eyeballs")."""

_CONNECTING = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN)
_WOULD_BLOCK = (BlockingIOError, InterruptedError)


class _Encryptable(httpcore.AsyncNetworkStream):
    """A stream that TLS can be put upon."""

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        """Return this stream encrypted; if that fails, or the task is cancelled, it is closed.

        Raises:
            httpcore.ConnectError: The server and this client do not agree, or it was lost.
            httpcore.ConnectTimeout: It took longer than these seconds.
        """
        lost, late = httpcore.ConnectError, httpcore.ConnectTimeout
        try:
            with _mapped(lost, late, httpcore.NetworkError), anyio.fail_after(timeout):
                encrypted = TLSStream(self, ssl_context, server_hostname)
                await encrypted.handshake()
        except BaseException:  # a cancelled task, too, must not leave a socket behind
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise
        return encrypted


class SocketStream(_Encryptable):
    """A connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        """Take a socket that does not block."""
        self._socket = connected
        self._reads = 0  # since the task has paused

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        """Read what has come, or wait for it; empty at the end.

        Raises:
            httpcore.ReadError: The connection was lost.
            httpcore.ReadTimeout: It took longer than these seconds.
        """
        with _mapped(httpcore.ReadError, httpcore.ReadTimeout):
            self._reads += 1
            if self._reads > MAX_READS:
                self._reads = 0
                await anyio.lowlevel.checkpoint()
            try:
                return self._socket.recv(max_bytes)
            except _WOULD_BLOCK:
                self._reads = 0
            with anyio.fail_after(timeout):
                while True:
                    await anyio.wait_readable(self._socket)
                    with contextlib.suppress(*_WOULD_BLOCK):
                        return self._socket.recv(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - same
        """Write everything.

        Raises:
            httpcore.WriteError: The connection was lost.
            httpcore.WriteTimeout: It took longer than these seconds.
        """
        with _mapped(httpcore.WriteError, httpcore.WriteTimeout):
            left = self._send(memoryview(buffer))
            if left:
                with anyio.fail_after(timeout):
                    while left:
                        await anyio.wait_writable(self._socket)
                        left = self._send(left)

    def _send(self, view: memoryview) -> memoryview:
        try:
            return view[self._socket.send(view) :]
        except _WOULD_BLOCK:
            return view

    async def aclose(self) -> None:
        """Close the socket; a task that waits for it fails."""
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Return the "socket", its addresses, or "is_readable": whether anything is unread."""
        if info == "socket":
            return self._socket
        if info == "is_readable":
            return _has_unread(self._socket)
        if info == "client_addr":
            return self._socket.getsockname()
        if info == "server_addr":
            return self._socket.getpeername()
        return None


class TLSStream(_Encryptable):
    """TLS over another stream, which may be encrypted itself (an HTTPS proxy)."""

    def __init__(
        self, stream: httpcore.AsyncNetworkStream, context: ssl.SSLContext, hostname: str | None
    ) -> None:
        """Prepare; `handshake` comes next."""
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)

    async def handshake(self) -> None:
        """Greet the server and check its certificate.

        Raises:
            ssl.SSLError: They do not agree, or the certificate is not trusted.
            httpcore.NetworkError: The connection was lost.
        """
        await self._carry_out(self._tls.do_handshake, None)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        with _mapped(httpcore.ReadError, httpcore.ReadTimeout), anyio.fail_after(timeout):
            try:
                received: bytes = await self._carry_out(lambda: self._tls.read(max_bytes), None)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""  # the end; whether the answer was complete is for HTTP to say
            return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - same
        left = memoryview(buffer)
        with _mapped(httpcore.WriteError, httpcore.WriteTimeout):
            while left:
                piece = left[:READ_AHEAD]  # what is encrypted lies in memory twice
                written = await self._carry_out(lambda: self._tls.write(piece), timeout)  # noqa: B023 - done before the next
                left = left[written:]

    async def _carry_out(self, operation: Callable[[], Any], timeout: float | None) -> Any:  # noqa: ASYNC109 - same
        """Do something with the TLS object, bringing it what it waits for."""
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:  # noqa: PERF203 - this is how TLS asks for more
                await self._flush(timeout)
                if received := await self._stream.read(READ_AHEAD, timeout):
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                with contextlib.suppress(httpcore.NetworkError):  # the alert is a courtesy
                    await self._flush(timeout)
                raise
            else:
                await self._flush(timeout)
                return result

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109 - same
        if self._outgoing.pending:
            await self._stream.write(self._outgoing.read(), timeout)

    async def aclose(self) -> None:
        """Close the connection, without a farewell: the answer's own end is what counts."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        """As `SocketStream.get_extra_info`, and the "ssl_object"."""
        if info == "ssl_object":
            return self._tls
        if info == "is_readable" and (self._incoming.pending or self._tls.pending()):
            return True
        return self._stream.get_extra_info(info)


class _Address(NamedTuple):
    family: int
    kind: int
    protocol: int
    where: Any


async def connect(
    host: str,
    port: int,
    timeout: float | None,  # noqa: ASYNC109 - httpcore's interface
    options: Iterable[tuple[int, int, int]],
) -> socket.socket:
    """Connect to the first of a host's addresses that answers.

    Args:
        host: Name or address.
        port: Number.
        timeout: Seconds that all of it may take.
        options: For `setsockopt`, set before connecting.

    Raises:
        httpcore.ConnectError: None answers; the last one's error.
        httpcore.ConnectTimeout: It took too long.
    """
    with (
        _mapped(httpcore.ConnectError, httpcore.ConnectTimeout),
        anyio.fail_after(timeout),
        contextlib.ExitStack() as attempts,  # closes all but the winner, however this ends
    ):
        race = _Race(attempts, list(options))
        await race.run(await _look_up(host, port))
        return race.take_winner()


async def _look_up(host: str, port: int) -> list[_Address]:
    try:  # an address needs no thread
        found: Any = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [_Address(family, kind, protocol, where) for family, kind, protocol, _, where in found]


class _Race:
    """Tries addresses one after the other, each with a head start; a connection that comes wins."""

    def __init__(self, attempts: contextlib.ExitStack, options: list[tuple[int, int, int]]) -> None:
        """Begin.

        Args:
            attempts: Takes every socket.
            options: For `setsockopt`.
        """
        self._attempts = attempts
        self._options = options
        self._winner: socket.socket | None = None
        self._error: OSError | None = None

    async def run(self, addresses: list[_Address]) -> None:
        """Try them."""
        if len(addresses) == 1:
            self._winner = await self._connect(addresses[0])
            return
        async with anyio.create_task_group() as group:
            for address in addresses:
                ended = anyio.Event()
                group.start_soon(self._attempt, address, group.cancel_scope, ended)
                with anyio.move_on_after(ATTEMPT_SECONDS):
                    await ended.wait()

    def take_winner(self) -> socket.socket:
        """Return the connection, which is the caller's to close from now on.

        Raises:
            OSError: There is none; the last error.
        """
        if self._winner is None:
            raise self._error or OSError("the host has no address")
        connected = socket.socket(fileno=self._winner.detach())
        connected.setblocking(False)  # noqa: FBT003 - the socket's own interface
        return connected

    async def _attempt(
        self, address: _Address, race: anyio.CancelScope, ended: anyio.Event
    ) -> None:
        try:
            self._winner = await self._connect(address)
        except OSError as error:
            self._error = error
            ended.set()
        else:
            race.cancel()

    async def _connect(self, address: _Address) -> socket.socket:
        attempt = self._attempts.enter_context(
            socket.socket(address.family, address.kind, address.protocol)
        )
        attempt.setblocking(False)  # noqa: FBT003 - the socket's own interface
        for option in self._options:
            attempt.setsockopt(*option)
        _raise_unless(attempt.connect_ex(address.where), _CONNECTING)
        await anyio.wait_writable(attempt)
        _raise_unless(attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), (0,))
        return attempt


def _raise_unless(code: int, good: Iterable[int]) -> None:
    if code not in good:
        raise OSError(code, os.strerror(code))


@contextlib.contextmanager
def _mapped(
    lost: type[Exception], late: type[Exception], *below: type[Exception]
) -> Generator[None]:
    """Translate errors into httpcore's.

    Args:
        lost: What a lost connection is here.
        late: What a time-out is here.
        below: httpcore's own classes, raised by the stream below, that mean `lost`, too.
    """
    try:
        yield
    except TimeoutError as error:
        raise late(str(error) or "timed out") from error
    except (OSError, anyio.ClosedResourceError) as error:  # ssl.SSLError is an OSError
        raise lost(str(error) or type(error).__name__) from error
    except below as error:
        raise lost(str(error) or type(error).__name__) from error


def _has_unread(connected: socket.socket) -> bool:
    try:
        connected.recv(1, socket.MSG_PEEK)
    except _WOULD_BLOCK:
        return False
    except OSError:
        return True  # reset or closed: of no use
    return True  # data, or the end
