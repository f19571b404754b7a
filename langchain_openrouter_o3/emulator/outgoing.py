"""How many bytes of a connection its peer has not confirmed yet.

A reset discards them. A test wants to know what had arrived before it, so they are waited for.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

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
