"""One connection of the server, which can be broken on purpose."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

from langchain_openrouter_o3.emulator.outgoing import unconfirmed_bytes
from langchain_openrouter_o3.emulator.tls import TLS_RECORD, TlsAnswer

if TYPE_CHECKING:
    from typing import Any

    from starlette.types import Scope

    from langchain_openrouter_o3.emulator.tls import TlsFailure

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
