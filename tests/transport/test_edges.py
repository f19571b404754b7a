"""What is rare on the wire: small pieces, missing words, a second closing, streams of others."""

from __future__ import annotations

import gc
import gzip
import select
import socket
import ssl
import struct
import warnings
from typing import Any

import certifi
import h11
import httpcore
import httpx
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3._http import performer
from langchain_openrouter_o3._http.httpx_bodies import RequestBody
from langchain_openrouter_o3._http.shared_clients import (
    SharedAsyncClient,
    SharedClient,
    tls_context,
)
from langchain_openrouter_o3._http.stream import AsyncHTTPStream, HTTPStream
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.backends import World, every_usual_world
from tests.helpers.factories import build_once
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import LAST_CHUNK, Peer, RawServer, chunk_of, response, stream_head


@every_usual_world
def test_chunks_that_are_cut_in_their_size_lines_are_read(world: World) -> None:
    whole = wire.sse(wire.chunk("Hello"), *wire.ending())

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(stream_head())
        for byte in chunk_of(whole) + LAST_CHUNK:
            peer.write(bytes([byte]))

    async def scenario() -> None:
        assert await world.listen(model, "Hello") == "Hello"

    with RawServer(handle) as server, build_once(server) as model:
        world.run(scenario())


@every_mode
@pytest.mark.usefixtures("trusting")
def test_a_server_that_is_silent_behind_tls_is_a_time_out(mode: str) -> None:
    with (
        RawServer(Peer.read_request, tls=True) as server,
        pytest.raises(OpenRouterTimeoutError, match="read time-out"),
    ):
        MODES[mode](build_once(server, timeout=httpx.Timeout(30, read=0.2)))


@pytest.mark.usefixtures("trusting")
def test_a_server_that_falls_silent_on_a_used_connection_behind_tls_is_a_time_out() -> None:
    """The first answer's connection has nothing unread below TLS, such as session tickets."""
    answer = response(wire.sse(wire.chunk("Hello"), *wire.ending()))

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(answer)
        peer.read_request()

    with RawServer(handle, tls=True) as server:
        model = build_once(server, timeout=httpx.Timeout(30, read=0.5))
        assert "".join(piece.text for piece in model.stream("Hello")) == "Hello"
        with pytest.raises(OpenRouterTimeoutError, match="read time-out"):
            list(model.stream("Hello"))


@every_mode
def test_an_answer_that_grows_without_end_is_refused(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performer, "MAX_DECOMPRESSED", 1_000)
    packed = response(gzip.compress(b"{" + b" " * 10_000), "content-encoding: gzip")

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(packed)

    with (
        RawServer(handle) as server,
        pytest.raises(OpenRouterMalformedResponseError, match="decompression"),
    ):
        MODES[mode](build_once(server))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ReadError(""), OpenRouterConnectionError, "ReadError"),
        (UnicodeError("label too long"), OpenRouterInputError, "base_url is not usable"),
        (httpcore.ReadTimeout("Slow"), OpenRouterTimeoutError, "read time-out"),
        (httpcore.ConnectError("No"), OpenRouterConnectionError, "Cannot connect to .*: No"),
        (httpcore.ConnectionNotAvailable(), OpenRouterConnectionError, "ConnectionNotAvailable"),
        (h11.LocalProtocolError("Key"), OpenRouterInputError, "A header"),
        # Of another library, as `requests` in a hook: nothing tells that the request was not sent.
        (
            type("ConnectTimeout", (OSError,), {})("metrics"),
            OpenRouterConnectionError,
            "may be",
        ),
    ],
)
def test_an_error_of_ones_own_transport_is_told(
    error: Exception, kind: type[Exception], words: str
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with httpx.Client(transport=httpx.MockTransport(fail)) as client:
        model = ChatOpenRouterO3(api_key=KEY, http_client=client, max_retries=0)
        with pytest.raises(kind, match=words):
            model.invoke("Hello")


def test_a_stream_that_is_closed_inside_httpcore_is_closed_elsewhere(emulator: Emulator) -> None:
    """A finalizer may run anywhere; here a function that says it is httpcore's calls it."""
    inside: dict[str, Any] = {"__name__": "httpcore.anything"}
    exec("def call(action): action()", inside)  # noqa: S102 - a module's name is all it needs
    emulator.play(faults.pace(0.01))  # or all of it might be on its way already
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY)
    stream: Any = model.stream("repeat 5000 words")
    next(stream)
    inside["call"](stream.close)
    assert emulator.requests[-1].wait_disconnected(30)
    model.close()


async def test_a_body_is_given_as_often_as_asked() -> None:
    body = RequestBody(b"{}")
    assert [*body, *body] == [b"{}", b"{}"]
    assert [piece async for piece in aiter(body)] == [b"{}"]


def test_certificates_that_nobody_has_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setattr(certifi, "where", lambda: "/nowhere.pem")
    tls_context.cache_clear()
    with pytest.raises(OpenRouterInputError, match=r"certifi.*SSL_CERT_FILE"):
        tls_context()


async def test_a_body_may_be_closed_twice(emulator: Emulator) -> None:
    blocking, asynchronous = SharedClient(emulator.base_url), SharedAsyncClient(emulator.base_url)
    request = httpx.Request("GET", f"{emulator.base_url}/models")
    answer = blocking.send(request, stream=True)
    stream: Any = answer.stream
    stream.close()
    stream.close()
    answer = await asynchronous.send(
        httpx.Request("GET", f"{emulator.base_url}/models"), stream=True
    )
    stream = answer.stream
    await stream.aclose()
    await stream.aclose()
    for client in (blocking, asynchronous):
        assert not client.cookies
    blocking.close()
    await asynchronous.aclose()


class Nothing(httpcore.NetworkStream):
    """A network stream that has ended, over what it is told."""

    def __init__(self, **extra_info: Any) -> None:
        self._extra_info = extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's interface
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return self._extra_info.get(info)


def test_a_request_over_a_stream_without_a_socket_may_have_been_heard() -> None:
    stream = HTTPStream(Nothing(), None)
    for piece in (b"POST / HTTP/1.1\r\n\r\n", b"{}", b""):
        stream.write(piece)
    assert stream.read(1) == b""
    assert not stream.is_unheard


def test_a_stream_whose_layers_nobody_can_look_into_is_not_used_again() -> None:
    assert HTTPStream(Nothing(), None).get_extra_info("is_readable") is True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    stream = HTTPStream(Nothing(ssl_object=tls), None)
    stream._joiner.feed(response(b""))
    assert stream.is_clean
    assert stream.get_extra_info("is_readable") is True
    assert stream.get_extra_info("socket") is None


def test_a_lost_connection_below_tls_is_a_read_error() -> None:
    context = ssl.create_default_context()
    connection = context.wrap_socket(
        socket.socket(), server_hostname="nobody", do_handshake_on_connect=False
    )
    connection.close()
    stream = HTTPStream(Nothing(socket=connection), None)
    with pytest.raises(httpcore.ReadError):
        stream.read(1)


def test_an_unfinished_exchange_on_a_loop_is_not_used_again() -> None:
    stream = AsyncHTTPStream(httpcore.AsyncMockStream([]), None)
    assert stream.get_extra_info("is_readable") is True
    stream._joiner.feed(response(b""))
    assert stream.get_extra_info("is_readable") is None


def test_a_connection_that_was_reset_before_tls_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connected = httpcore.SyncBackend().connect_tcp(*listener.getsockname())
        accepted, _ = listener.accept()
        reset_at_close = struct.pack("ii", 1, 0)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_at_close)
        accepted.close()
        connection: socket.socket = connected.get_extra_info("socket")
        select.select([connection], [], [])
        with pytest.raises(httpcore.ConnectError) as raised:
            HTTPStream(connected, None).start_tls(ssl.create_default_context(), "nobody")
        assert connection.fileno() == -1
        del raised
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            gc.collect()
        assert complaints == []


async def test_a_size_line_in_two_pieces_is_read_on() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [head, b"1", b"\r\na\r\n0\r\n\r\n"]
    blocking = HTTPStream(httpcore.MockStream([*pieces]), None)
    asynchronous = AsyncHTTPStream(httpcore.AsyncMockStream([*pieces]), None)
    assert [blocking.read(100), blocking.read(100)] == [head, b"1\r\na\r\n0\r\n\r\n"]
    read = [await asynchronous.read(100), await asynchronous.read(100)]
    assert read == [head, b"1\r\na\r\n0\r\n\r\n"]
