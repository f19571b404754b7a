"""One connection of the server, which can be broken on purpose: reset, or in its TLS handshake."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import ssl
import struct
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from typing import Any

    from starlette.types import Scope

_INT = struct.Struct("i")
_SO_NWRITE = 0x1024


def unconfirmed_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes were written and are not known to have arrived.

    Beyond Linux and macOS only those count that the kernel has not taken yet.
    """
    waiting = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return 0
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not on every platform
        import termios  # noqa: PLC0415 - same

        # For a TCP socket this is SIOCOUTQ (tcp(7)).
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, _INT.pack(0))
        return waiting + int(_INT.unpack(answer)[0])
    if sys.platform == "darwin":
        import socket  # noqa: PLC0415 - the option is of this platform

        return waiting + int(connection.getsockopt(socket.SOL_SOCKET, _SO_NWRITE))
    return waiting


_NAME = "emulator.invalid"


def check_trustme() -> None:
    """Look for the package that makes certificates.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    if importlib.util.find_spec("trustme") is None:
        raise ModuleNotFoundError(
            'tls_failure="untrusted" needs trustme, which comes with the emulator\'s extra: '
            'pip install "langchain-openrouter-o3[emulator]"',
            name="trustme",
        )


@lru_cache(maxsize=1)
def untrusted_context() -> ssl.SSLContext:
    """Return a server's TLS context, its certificate signed by an authority made just now."""
    import trustme  # noqa: PLC0415 - it and cryptography take a while to import

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = trustme.CA().issue_cert(_NAME)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


TlsFailure = Literal["alert", "untrusted", "garbage", "plain-text", "close", "silence"]
TLS_FAILURES: tuple[TlsFailure, ...] = get_args(TlsFailure)

TLS_RECORD = b"\x16"
"""The first byte of every TLS handshake; no HTTP method begins with it."""

_ANSWERS: dict[str, bytes] = {
    # A fatal alert (RFC 8446 section 6): handshake_failure.
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "garbage": bytes(range(200, 256)) * 4,
    "plain-text": (
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
        b"This port speaks plain HTTP."
    ),
    "close": b"",
}


def check_tls_failure(kind: TlsFailure) -> TlsFailure:
    """Return the kind.

    Raises:
        ValueError: There is no such kind.
        ModuleNotFoundError: It needs trustme, which is not installed.
    """
    if kind not in TLS_FAILURES:
        raise ValueError(f"tls_failure is one of {', '.join(TLS_FAILURES)}, not {kind!r}")
    if kind == "untrusted":
        check_trustme()
    return kind


class TlsAnswer:
    """The server's side of a handshake that fails.

    - `alert`: the server finds no common ground and says so.
    - `untrusted`: a real handshake with a certificate of an authority that nobody knows. A client
      that accepts it finds the connection closed.
    - `garbage`: bytes that are no TLS.
    - `plain-text`: a plain HTTP answer, as from a server without TLS.
    - `close`: an end without a word.
    - `silence`: nothing at all, and the connection stays open.
    """

    def __init__(self, kind: TlsFailure) -> None:
        """Start before the client's first byte."""
        self.is_over = False
        self._kind = kind
        if kind == "untrusted":
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = untrusted_context()
            self._server = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client and return the answer to them."""
        if self._kind == "silence":
            return b""
        if self._kind != "untrusted":
            self.is_over = True
            return _ANSWERS[self._kind]
        self._incoming.write(data)
        try:
            self._server.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        except ssl.SSLError:
            pass  # the client refuses the certificate: that is the end of it
        self.is_over = True
        return self._outgoing.read()


# With a linger time of 0 seconds the kernel sends RST instead of FIN.
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_POLL_SECONDS = 0.002


class Connection(H11Protocol):
    """A connection that requests can find, and on which TLS handshakes fail."""

    tls_failure: TlsFailure = "alert"

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take uvicorn's arguments."""
        super().__init__(*arguments, **named)
        # Uvicorn copies this into the scope of each request.
        self.app_state = {"connection": self}
        self._tls: TlsAnswer | None = None
        self._is_new = True

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; the first one tells TLS from HTTP."""
        if self._is_new and data.startswith(TLS_RECORD):
            self._tls = TlsAnswer(self.tls_failure)
        self._is_new = False
        if self._tls is None:
            super().data_received(data)
            return
        self.transport.write(self._tls.feed(data))
        if self._tls.is_over:
            self.transport.close()

    async def hang_up(self, *, reset: bool) -> None:
        """Close the connection after what was written has been sent, before a reset: has arrived.

        Args:
            reset: Whether the client sees a reset (RST) instead of an end (FIN).
        """
        if not reset:
            self.transport.close()
            return
        while unconfirmed_bytes(self.transport) and not self.transport.is_closing():  # noqa: ASYNC110 - the kernel has to be asked
            await asyncio.sleep(_POLL_SECONDS)
        connection: socket.socket | None = self.transport.get_extra_info("socket")
        if connection is not None and not self.transport.is_closing():  # the client may have left
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class HangsUp(Protocol):
    """What a request came on: a connection, or an exchange without a socket."""

    async def hang_up(self, *, reset: bool) -> None:
        """Break the answer off."""


def connection_of(scope: Scope) -> HangsUp:
    """Return what a request came on."""
    connection: HangsUp = scope["state"]["connection"]
    return connection
