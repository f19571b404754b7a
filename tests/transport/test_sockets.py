"""What is set on sockets: a connection that dies in silence must be noticed."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.helpers.backends import World, answer, client_sockets, every_world
from tests.helpers.factories import build_once
from tests.helpers.raw_server import Peer, RawServer, encrypt

if TYPE_CHECKING:
    from collections.abc import Callable

    Prepare = Callable[[Peer], Peer]

pytestmark = pytest.mark.usefixtures("trusting", "bare_environment")
EXPECTED = {
    "SO_KEEPALIVE": 1,
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": 60,  # seconds
    "TCP_USER_TIMEOUT": 120_000,  # milliseconds
}


def nothing(peer: Peer) -> Peer:
    return peer


def tls(peer: Peer) -> Peer:
    return encrypt(peer)[0]


def connect(peer: Peer) -> Peer:
    peer.read_head()
    peer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return tls(peer)


def socks(peer: Peer) -> Peer:
    peer.connection.recv(100)
    peer.write(b"\x05\x00")
    peer.connection.recv(1_000)
    peer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
    return peer


def socks_and_tls(peer: Peer) -> Peer:
    return tls(socks(peer))


def options(connection: socket.socket) -> dict[str, int]:
    """Return the options of a socket that this system has, by name."""
    found = {}
    for name, expected in EXPECTED.items():
        if (option := getattr(socket, name, None)) is not None:
            level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
            value = connection.getsockopt(level, option)
            found[name] = int(value != 0) if expected == 1 else value
    return found


@every_world
@pytest.mark.parametrize(
    ("base_url", "proxy", "prepare"),
    [
        ("http://127.0.0.1:{port}/api/v1", None, nothing),
        ("http://localhost:{port}/api/v1", None, nothing),
        ("https://127.0.0.1:{port}/api/v1", None, tls),
        ("https://localhost:{port}/api/v1", None, tls),
        ("http://openrouter.invalid/api/v1", "http", nothing),
        ("https://openrouter.invalid/api/v1", "http", connect),
        ("http://openrouter.invalid/api/v1", "socks5", socks),
        ("https://openrouter.invalid/api/v1", "socks5", socks_and_tls),
    ],
    ids=[
        "plain",
        "plain by name",
        "TLS",
        "TLS by name",
        "HTTP proxy",
        "HTTP proxy and TLS",
        "SOCKS proxy",
        "SOCKS proxy and TLS",
    ],
)
def test_every_socket_is_kept_alive_and_fails_when_nobody_confirms(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    base_url: str,
    proxy: str | None,
    prepare: Prepare,
) -> None:
    found: list[dict[str, int]] = []

    def handle(peer: Peer) -> None:
        prepared = prepare(peer)
        if prepared.read_request():  # the client waits, so its socket is open
            found.extend(map(options, client_sockets(server)))
            prepared.write(answer("Hello"))
            prepared.read_request()

    with RawServer(handle) as server:
        if proxy is not None:
            monkeypatch.setenv("ALL_PROXY", server.origin.replace("http", proxy))
        port = server.origin.rpartition(":")[2]
        with build_once(server, base_url=base_url.format(port=port)) as model:
            assert world.run(world.ask(model, "Hi")) == "Hello"
    assert len(found) == 1
    assert found[0].items() <= EXPECTED.items()
    assert found[0].keys() >= {"SO_KEEPALIVE", "TCP_NODELAY"}
    if sys.platform == "linux":
        assert found[0] == EXPECTED
