"""A connection error says where to look: host and port, and the proxy with its variable."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from langchain_openrouter_o3 import (
    OpenRouterConnectionError,
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterStreamCutError,
    OpenRouterTimeoutError,
)
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import every_mode
from tests.helpers.proxies import build, failure, unknown_host
from tests.helpers.raw_server import (
    LAST_CHUNK,
    Handler,
    Peer,
    RawServer,
    chunk_of,
    response,
    stream_head,
)

pytestmark = pytest.mark.usefixtures("bare_environment", "no_name_server")
EVENT = wire.sse(wire.chunk("Hel"), done=False)
JSON = wire.to_json(wire.body("Hello"))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def assert_says(error: OpenRouterError, kind: type, *parts: str) -> None:
    assert type(error) is kind
    text = str(error)
    assert not [part for part in parts if part not in text]
    assert KEY not in text
    assert "PROXY" not in text


@every_mode
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_names_host_and_port(dead_port: int, scheme: str, mode: str) -> None:
    error = failure(f"{scheme}://127.0.0.1:{dead_port}/api/v1", mode)
    assert_says(error, OpenRouterConnectionError, "Cannot connect", f"127.0.0.1:{dead_port}")
    assert "refused" in str(error)


@every_mode
@pytest.mark.parametrize(
    ("authority", "said"),
    [
        ("openrouter.invalid", "openrouter.invalid"),
        ("openrouter.invalid:8443", "openrouter.invalid:8443"),
        ("OpenRouter.invalid:80", "openrouter.invalid"),
        ("bücher.invalid:8080", "xn--bcher-kva.invalid:8080"),
    ],
)
def test_an_unknown_host_is_named(authority: str, said: str, mode: str) -> None:
    error = failure(f"http://{authority}/api/v1", mode)
    assert_says(error, OpenRouterConnectionError, f"Cannot connect to {said}:")
    assert "not known" in str(error)


LOST_HEADS: dict[str, bytes] = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "half a head": HEAD,
    "an interim head": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@every_mode
@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("head", LOST_HEADS)
def test_a_connection_lost_before_the_head_is_named(head: str, ending: str, mode: str) -> None:
    with RawServer(writing(LOST_HEADS[head], ending)) as server:
        error = failure(server.base_url, mode)
    assert_says(error, OpenRouterConnectionError, "lost", server.origin.removeprefix("http://"))


def writing(data: bytes, ending: str) -> Handler:
    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(data)
        (peer.reset if ending == "reset" else peer.close)()

    return handle


LOST_BODIES: dict[str, bytes] = {
    "a length": HEAD + b"content-length: %d\r\n\r\n" % len(JSON) + JSON[:-5],
    "no chunk": stream_head(),
    "whole chunks": stream_head() + chunk_of(EVENT),
    "half a chunk": stream_head() + b"ffff\r\n" + EVENT,
    "half an event": stream_head() + chunk_of(EVENT[:-20]),
    "half a size": stream_head() + chunk_of(EVENT) + b"1f",
}


@every_mode
@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("body", LOST_BODIES)
def test_a_connection_lost_in_the_body_is_named(body: str, ending: str, mode: str) -> None:
    with RawServer(writing(LOST_BODIES[body], ending)) as server:
        error = failure(server.base_url, mode)
    assert_says(error, OpenRouterConnectionError, "lost", server.origin.removeprefix("http://"))


WHOLE_JSON = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@every_mode
@pytest.mark.parametrize(
    ("body", "partial"),
    [(JSON, "Hello"), (JSON[:-5], None), (b"<html>", None), (b"", None)],
    ids=["whole", "half", "a page", "nothing"],
)
def test_a_body_that_came_whole_before_its_connection_was_lost_is_the_partial_message(
    body: bytes, partial: str | None, mode: str
) -> None:
    data = WHOLE_JSON + (chunk_of(body) if body else b"")
    with RawServer(writing(data, "close")) as server:
        error = failure(server.base_url, mode)
    assert_says(error, OpenRouterConnectionError, "lost", server.origin.removeprefix("http://"))
    assert (error.partial.text if error.partial else None) == partial


@every_mode
def test_an_error_that_came_whole_tells_more_than_its_lost_connection(mode: str) -> None:
    data = WHOLE_JSON + chunk_of(wire.to_json(wire.error(402, "No credits")))
    with RawServer(writing(data, "close")) as server:
        error = failure(server.base_url, mode)
    assert_says(error, OpenRouterCreditsError, "No credits")


@every_mode
def test_a_stream_that_ends_in_order_before_the_answer_does_is_no_lost_connection(
    mode: str,
) -> None:
    data = stream_head() + chunk_of(EVENT) + LAST_CHUNK
    with RawServer(writing(data, "close")) as server:
        assert type(failure(server.base_url, mode)) is OpenRouterStreamCutError


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port that neither takes a connection nor refuses it: those that it holds are too many."""
    with socket.socket() as listener, contextlib.ExitStack() as held:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing, not even the greeting of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@every_mode
@pytest.mark.parametrize(
    ("scheme", "server"), [("http", full_backlog), ("https", full_backlog), ("https", silent)]
)
def test_a_connection_that_takes_too_long_names_host_and_port(
    scheme: str, server: Callable[[], Any], mode: str
) -> None:
    with server() as port:
        timeout = httpx.Timeout(10, connect=0.2)
        error = failure(f"{scheme}://127.0.0.1:{port}/api/v1", mode, timeout=timeout)
    assert_says(error, OpenRouterTimeoutError, "connect", f"127.0.0.1:{port}", "timeout=")


@every_mode
@pytest.mark.parametrize("data", [b"", HEAD, stream_head(), stream_head() + chunk_of(EVENT)])
def test_an_answer_that_takes_too_long_names_host_and_port(data: bytes, mode: str) -> None:
    def fall_silent(peer: Peer) -> None:
        peer.read_request()
        peer.write(data)
        peer.read_request()

    with RawServer(fall_silent) as server:
        error = failure(server.base_url, mode, timeout=httpx.Timeout(10, read=0.2))
    host = server.origin.removeprefix("http://")
    assert_says(error, OpenRouterTimeoutError, "read", host, "timeout=")


@every_mode
@pytest.mark.parametrize("tls", ["certificate", "handshake", "plain"])
def test_a_fault_of_tls_names_host_and_port(tls: str, mode: str) -> None:
    def answer(peer: Peer) -> None:
        peer.connection.recv(65_536)
        peer.write(response(b"") if tls == "plain" else b"")
        peer.close()

    with RawServer(answer, tls=tls == "certificate") as server:
        error = failure(server.base_url.replace("http:", "https:"), mode)
    host = server.origin.partition("//")[2]
    assert_says(error, OpenRouterConnectionError, "Cannot connect", host)


@every_mode
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_what_ends_in_the_greeting_of_tls_is_tried_again(ending: str, mode: str) -> None:
    def hang_up(peer: Peer) -> None:
        peer.connection.recv(65_536)  # all of the greeting, so that `close` is no reset
        (peer.reset if ending == "reset" else peer.close)()

    with RawServer(hang_up) as server:
        base_url = server.base_url.replace("http:", "https:")
        error = failure(base_url, mode, max_retries=1)
    assert type(error) is OpenRouterConnectionError
    assert len(server.peers) == 2  # nothing had been asked yet


@every_mode
@pytest.mark.parametrize(
    ("variable", "scheme"),
    [("HTTP_PROXY", "http"), ("HTTPS_PROXY", "https"), ("ALL_PROXY", "http")],
)
def test_a_dead_proxy_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, variable: str, scheme: str, mode: str
) -> None:
    proxy, host = f"http://127.0.0.1:{dead_port}", unknown_host()
    monkeypatch.setenv(variable, proxy)
    text = str(failure(f"{scheme}://{host}:8443/api/v1", mode))
    assert f"Cannot connect to {host}:8443 through the proxy {proxy} ({variable})" in text


@every_mode
@pytest.mark.parametrize("phase", ["connect", "read"])
def test_a_slow_proxy_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, phase: str, mode: str
) -> None:
    host = unknown_host()
    timeout = httpx.Timeout(10, **{phase: 0.2})
    with full_backlog() if phase == "connect" else silent() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        error = failure(f"http://{host}/api/v1", mode, timeout=timeout)
    assert type(error) is OpenRouterTimeoutError
    assert all(part in str(error) for part in (phase, host, f"127.0.0.1:{port}", "HTTP_PROXY"))


def test_the_error_of_the_last_attempt_is_named(dead_port: int) -> None:
    with build(f"http://127.0.0.1:{dead_port}/api/v1", max_retries=1) as model:
        with pytest.raises(OpenRouterConnectionError) as caught:
            model.invoke("Hello")
        assert f"127.0.0.1:{dead_port}" in str(caught.value)


@every_mode
@pytest.mark.parametrize(
    "sent",
    [
        b"garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.7\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        HEAD + b"no header\r\n\r\n",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nno size\r\n",
        stream_head() + chunk_of(EVENT) + b"size\r\n",
    ],
)
def test_what_is_not_http_is_no_lost_connection(sent: bytes, mode: str) -> None:
    def answer(peer: Peer) -> None:
        peer.read_request()
        peer.write(sent)
        peer.close()

    with RawServer(answer) as server:
        error = failure(server.base_url, mode)
    assert_says(error, OpenRouterConnectionError, "is not HTTP/1.1", "Check base_url")
