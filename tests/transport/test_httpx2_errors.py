"""What goes wrong below a client of httpx2 has the same classes as below the shared ones."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterRateLimitError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.own_clients import failure
from tests.helpers.raw_server import RawServer, chunk_of, stream_head

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator
    from tests.helpers.raw_server import Peer

pytestmark = pytest.mark.usefixtures("bare_environment", "no_name_server")
PIECE = wire.sse(wire.chunk("Hel"), done=False)


@every_mode
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"timeout": 0.2}, OpenRouterTimeoutError, "read"),
        ({"timeout": httpx2.Timeout(10, read=0.2)}, OpenRouterTimeoutError, "read"),
        ({"idle_timeout": 0.2}, OpenRouterIdleTimeoutError, "idle_timeout"),
        ({"total_timeout": 0.2}, OpenRouterTotalTimeoutError, "total_timeout"),
    ],
    ids=["seconds", "parts", "idle", "total"],
)
def test_a_silent_server_is_a_time_out(
    emulator: Emulator, arguments: dict[str, Any], kind: type, words: str, mode: str
) -> None:
    emulator.play(Canned(delay=30))
    error = failure(mode, emulator.base_url, **arguments)
    assert type(error) is kind
    assert words in str(error)


@every_mode
def test_a_server_that_never_greets_is_a_time_out(mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"https://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        error = failure(mode, base_url, timeout=httpx2.Timeout(10, connect=0.2))
    assert type(error) is OpenRouterTimeoutError
    assert "connect" in str(error)


@every_mode
@pytest.mark.parametrize("host", ["127.0.0.1", "openrouter.invalid"])
def test_a_server_that_cannot_be_reached_is_a_connection_error(
    dead_port: int, host: str, mode: str
) -> None:
    error = failure(mode, f"http://{host}:{dead_port}/api/v1")
    assert type(error) is OpenRouterConnectionError
    assert f"Cannot connect to {host}:{dead_port}" in str(error)


@every_mode
@pytest.mark.parametrize("where", ["head", "body"])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_lost_connection_is_a_connection_error(ending: str, where: str, mode: str) -> None:
    def hang_up(peer: Peer) -> None:
        peer.read_request()
        if where == "body":
            peer.write(stream_head(), chunk_of(PIECE))
        (peer.reset if ending == "reset" else peer.close)()

    with RawServer(hang_up) as server:
        error = failure(mode, server.base_url)
    assert type(error) is OpenRouterConnectionError
    assert server.origin.removeprefix("http://") in str(error)


@every_mode
@pytest.mark.parametrize("fault", ["certificate", "no TLS", "handshake", "record"])
def test_a_fault_of_tls_is_a_connection_error(fault: str, mode: str) -> None:
    def break_tls(peer: Peer) -> None:
        if fault != "record":
            peer.connection.recv(65_536)
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" if fault == "no TLS" else b"")
            peer.close()
            return
        peer.read_request()
        peer.write(stream_head(), chunk_of(PIECE))
        socket.socket.sendall(peer.connection, b"\x17\x03\x03\x00\x20" + b"?" * 32)

    with RawServer(break_tls, tls=fault in ("certificate", "record")) as server:
        base_url = server.base_url.replace("http:", "https:")
        error = failure(mode, base_url, client={"verify": fault == "certificate"})
    assert type(error) is OpenRouterConnectionError
    if fault == "record" and "stream" in mode:
        assert error.partial is not None
        assert error.partial.text == "Hel"


@every_mode
def test_an_error_status_keeps_its_class(emulator: Emulator, mode: str) -> None:
    emulator.play(Canned(status=429, pieces=wire.to_json(wire.error(429, "Slow down"))))
    error = failure(mode, emulator.base_url)
    assert type(error) is OpenRouterRateLimitError
    assert "Slow down" in str(error)


@every_mode
@pytest.mark.parametrize("name", ["x-secret", "bad name"])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name: str, mode: str) -> None:
    with RawServer(lambda peer: peer.read_request()) as server:
        error = failure(mode, server.base_url, client={"headers": {name: "s3cret\n"}})
    assert type(error) is OpenRouterInputError
    assert "s3cret" not in repr(error)


@every_mode
def test_a_closed_client_is_refused(mode: str) -> None:
    with httpx2.Client() as client:
        pass
    other: Any = httpx2.AsyncClient()
    asyncio.run(other.aclose())
    model = ChatOpenRouterO3(api_key=KEY, http_client=client, http_async_client=other)
    with pytest.raises(OpenRouterInputError, match="closed"):
        MODES[mode](model)
