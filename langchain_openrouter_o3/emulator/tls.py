"""How a TLS handshake with the emulator fails: it speaks HTTP only, and so answers https badly."""

from __future__ import annotations

import ssl
from typing import Literal, get_args

from langchain_openrouter_o3.emulator.certificate import check_trustme, untrusted_context

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
