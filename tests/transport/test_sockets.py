"""What is read from and written to sockets, blocking and on event loops."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpcore
import pytest

from langchain_openrouter_o3._http.async_sockets import SocketStream, connect
from langchain_openrouter_o3._http.shared_clients import SharedAsyncClient, SharedClient
from langchain_openrouter_o3._http.stream import Backend, socket_options
from langchain_openrouter_o3._http.time_limits import StepLimit, limited
from tests.helpers.backends import World, answer, client_sockets, every_world
from tests.helpers.factories import build_once
from tests.helpers.raw_server import Peer, RawServer, encrypt, response

pytestmark = pytest.mark.usefixtures("trusting", "bare_environment")


Prepare = Callable[[Peer], Peer]
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


def grant(peer: Peer) -> Peer:
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
        ("https://openrouter.invalid/api/v1", "http", grant),
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
            found.extend(map(options, client_sockets(raw)))
            prepared.write(answer("Hello"))
            prepared.read_request()

    with RawServer(handle) as raw:
        if proxy is not None:
            monkeypatch.setenv("ALL_PROXY", raw.origin.replace("http", proxy))
        port = raw.origin.rpartition(":")[2]
        with build_once(raw, base_url=base_url.format(port=port)) as model:
            assert world.run(world.ask(model, "Hi")) == "Hello"
    assert len(found) == 1
    assert found[0].items() <= EXPECTED.items()
    assert found[0].keys() >= {"SO_KEEPALIVE", "TCP_NODELAY"}
    if sys.platform == "linux":
        assert found[0] == EXPECTED


def echo(peer: Peer) -> None:
    while peer.read_request():
        peer.write(response(b"{}"))


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(echo) as raw:
        yield raw


def port_of(server: RawServer) -> int:
    return int(server.origin.rsplit(":", 1)[1])


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let the resolver find these addresses for any name."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "several.example":
            return real(host, *arguments, **options)
        if options.get("flags", 0) & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        return found

    async def agetaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        return getaddrinfo(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(anyio, "getaddrinfo", agetaddrinfo)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_the_next_address_is_tried_when_one_refuses(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = port_of(server)
    resolve_to(monkeypatch, ("127.0.0.1", closed_port()), ("127.0.0.1", port))
    connected = await connect("several.example", port, 30, socket_options())
    assert connected.getpeername() == ("127.0.0.1", port)
    connected.close()


async def test_the_next_address_is_tried_while_one_is_silent(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = port_of(server)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as waiting:
            for _ in range(4):  # more than its backlog: the next one is not answered
                other = waiting.enter_context(socket.socket())
                other.setblocking(False)  # noqa: FBT003 - the socket's own interface
                other.connect_ex(full.getsockname())
            resolve_to(monkeypatch, full.getsockname(), ("127.0.0.1", port))
            connected = await connect("several.example", port, 30, ())
    assert connected.getpeername() == ("127.0.0.1", port)
    connected.close()


async def test_the_last_refusal_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ("127.0.0.1", closed_port()), ("127.0.0.1", closed_port()))
    with pytest.raises(httpcore.ConnectError, match="refused"):
        await connect("several.example", 1, 30, ())


async def test_a_host_without_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)
    with pytest.raises(httpcore.ConnectError, match="no address"):
        await connect("several.example", 1, 30, ())


async def test_an_address_that_cannot_be_reached_is_an_error_at_once() -> None:
    with pytest.raises(httpcore.ConnectError) as caught:
        await connect("255.255.255.255", 1, 30, ())
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno in (errno.EACCES, errno.ENETUNREACH, errno.EHOSTUNREACH)


async def test_a_stream_tells_its_addresses_and_whether_anything_is_unread() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - the socket's own interface
    stream = SocketStream(ours)
    assert stream.get_extra_info("socket") is ours
    assert stream.get_extra_info("client_addr") == ours.getsockname()
    assert stream.get_extra_info("server_addr") == ours.getpeername()
    assert stream.get_extra_info("anything") is None
    assert stream.get_extra_info("is_readable") is False
    theirs.sendall(b"?")
    assert stream.get_extra_info("is_readable") is True
    theirs.close()
    await stream.aclose()
    await stream.aclose()
    assert stream.get_extra_info("is_readable") is True  # of no use any more
    with pytest.raises(httpcore.ReadError):
        await stream.read(1)


async def test_a_write_waits_for_a_slow_reader() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - the socket's own interface
    data, received = b"x" * 3_000_000, bytearray()

    def read() -> None:
        while len(received) < len(data):
            received.extend(theirs.recv(65_536))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, read)
        await SocketStream(ours).write(data, 30)
    assert bytes(received) == data
    ours.close()
    theirs.close()


def test_a_step_that_is_over_begins_no_connection(server: RawServer) -> None:
    limit = StepLimit()
    limit.start(0.0)
    with pytest.raises(httpcore.ConnectTimeout):
        Backend().connect_tcp("127.0.0.1", port_of(server), limited(5, limit))


async def test_pools_tell_their_connections(server: RawServer) -> None:
    blocking, asynchronous = SharedClient(server.base_url), SharedAsyncClient(server.base_url)
    assert blocking.post(server.base_url).json() == {}
    assert (await asynchronous.post(server.base_url)).json() == {}
    for client in (blocking, asynchronous):
        pool: Any = client._own_transport._pool
        (connection,) = pool.connections
        assert connection.is_idle()
    blocking.close()
    await asynchronous.aclose()
