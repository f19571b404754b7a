"""The port that the emulator listens on, and keeps while it refuses connections."""

from __future__ import annotations

import os
import socket


class Port:
    """A port of this machine.

    While it is reserved a socket is bound to it but does not listen: connections are refused, and
    the system gives it to nobody who asks for any free port.
    """

    def __init__(self, host: str, number: int) -> None:
        """Name the address; 0 stands for any free port until `listen`."""
        self.number = number
        self._host = host
        self._reserved: socket.socket | None = None

    def listen(self) -> socket.socket:
        """Return a socket that listens.

        Raises:
            OSError: The address cannot be listened on.
        """
        listener = self._bind()
        try:
            listener.listen()
        except OSError:
            listener.close()
            raise
        return listener

    def reserve(self) -> None:
        """Refuse connections; the listening socket has to be closed before."""
        self._reserved = self._bind()

    def release(self) -> socket.socket:
        """Return the reserved socket, ready to listen on."""
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            raise RuntimeError("the port is not reserved")
        return reserved

    def close(self) -> None:
        """Give the port up if it is reserved."""
        if self._reserved is not None:
            self.release().close()

    def _bind(self) -> socket.socket:
        """Bind a socket.

        Its protocol is given, which `socket.create_server` leaves out: asyncio switches off
        Nagle's algorithm only where it sees TCP, and each event of a stream would wait 40 ms
        with it.
        """
        found = socket.getaddrinfo(
            self._host, self.number, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                # A port that was just in use can be taken again; on Windows this would share it.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        self.number = bound.getsockname()[1]
        return bound
