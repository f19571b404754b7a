"""While it is on, no connection of this process leaves the machine.

It listens to Python's own audit events, so it sees blocking and asynchronous connections, name
lookups, and datagrams, however a library makes them. uvloop makes its own without telling Python,
so its methods are guarded as well.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Generator
from typing import Any

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")

_guards: list[str] = []
_installed: list[bool] = []


class OutsideConnectionError(RuntimeError):
    """A connection would have left the machine. It is no `OSError`, so that nobody tries again."""


@contextlib.contextmanager
def guarded(guard: str) -> Generator[None]:
    """Refuse connections to other machines, in every thread.

    Args:
        guard: Who refuses them, for the error's text.
    """
    _install()
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guards:
        return
    if event in _LOOKUPS:
        _check(arguments[0], arguments[1] if len(arguments) > 1 else None)
    elif event in _CONNECTIONS and isinstance(arguments[1], tuple):
        # An address that is no tuple is a path or None: it stays here.
        _check(*arguments[1][:2])


def _check(host: Any, port: Any) -> None:
    name = host.decode("idna") if isinstance(host, bytes) else host
    if _guards and name and not _is_here(str(name)):
        raise OutsideConnectionError(
            f"{name}{'' if port is None else f':{port}'} is another machine, and {_guards[-1]} "
            "lets no connection leave this one: give the client the base URL of the emulator "
            "when the test runs, or mock that host"
        )


def _is_here(host: str) -> bool:
    if host in {"localhost", socket.gethostname()}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _install() -> None:
    """Listen from now on; an audit hook cannot be taken out again, so each asks who guards."""
    if _installed:
        return
    _installed.append(True)
    sys.addaudithook(_audit)
    with contextlib.suppress(ImportError):  # uvloop is not everywhere
        _install_for_uvloop()


def _install_for_uvloop() -> None:
    import uvloop  # noqa: PLC0415 - not before a test wants the guard

    connect, look_up = uvloop.Loop.create_connection, uvloop.Loop.getaddrinfo

    async def checked_connect(
        loop: Any, factory: Any, host: Any = None, port: Any = None, **named: Any
    ) -> Any:
        _check(host, port)
        return await connect(loop, factory, host, port, **named)

    async def checked_look_up(loop: Any, host: Any, port: Any, **named: Any) -> Any:
        _check(host, port)
        return await look_up(loop, host, port, **named)

    setattr(uvloop.Loop, "create_connection", checked_connect)  # noqa: B010 - of its base class
    setattr(uvloop.Loop, "getaddrinfo", checked_look_up)  # noqa: B010 - same
