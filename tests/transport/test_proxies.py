"""Proxies of the environment, of HTTP and of SOCKS."""

from __future__ import annotations

import contextlib

import httpx
import pytest

from langchain_openrouter_o3 import OpenRouterTimeoutError
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers.modes import MODES, every_mode
from tests.helpers.proxies import (
    BASIC,
    USER,
    assert_named,
    build,
    failure,
    forward,
    socks,
    tunnel,
    unknown_host,
)
from tests.helpers.raw_server import Handler, Peer, RawServer, response
from tests.lifecycle.test_tls import encrypted

pytestmark = pytest.mark.usefixtures("bare_environment", "no_name_server")

both_worlds = pytest.mark.parametrize("mode", ["invoke", "ainvoke"])


@every_mode
@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "Http_Proxy", "ALL_PROXY", "all_proxy"]
)
def test_plain_requests_go_to_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str, mode: str
) -> None:
    base_url = f"http://{unknown_host()}:8080/api/v1"
    with RawServer(forward) as proxy, build(base_url) as model:
        monkeypatch.setenv(variable, proxy.origin.replace("//", f"//{USER}"))
        assert MODES[mode](model).text == "Hello"
    (head,) = proxy.peers[0].heads
    assert head.startswith(f"POST {base_url}/chat/completions HTTP/1.1\r\n".encode())
    assert b"\r\nProxy-Authorization: Basic " + BASIC in head


def test_lower_case_wins_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(forward) as proxy, RawServer(forward) as other:
        monkeypatch.setenv("HTTP_PROXY", other.origin)
        monkeypatch.setenv("http_proxy", proxy.origin)
        with build(f"http://{unknown_host()}/api/v1") as model:
            model.invoke("Hello")
        assert (len(proxy.peers), len(other.peers)) == (1, 0)
        monkeypatch.setenv("http_proxy", "")
        with build(proxy.base_url) as model:
            model.invoke("Hello")
        assert proxy.peers[1].heads[0].startswith(b"POST /api/v1/")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "FTP_PROXY", "WSS_PROXY"])
def test_proxies_of_other_schemes_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense://")
    with RawServer(forward) as server, build(server.base_url) as model:
        assert model.invoke("Hello").text == "Hello"


def test_a_web_server_s_client_cannot_choose_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # CGI makes HTTP_PROXY of a request's header "Proxy" (CVE-2016-1000110).
    monkeypatch.setenv("REQUEST_METHOD", "POST")
    with RawServer(forward) as server, RawServer(forward) as other:
        monkeypatch.setenv("HTTP_PROXY", other.origin)
        with build(server.base_url) as model:
            assert model.invoke("Hello").text == "Hello"
    assert other.peers == []


@every_mode
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.usefixtures("trusting")
def test_encrypted_requests_go_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator, variable: str, mode: str
) -> None:
    with encrypted(emulator) as (base_url, _):
        server = httpx.URL(base_url)
        with RawServer(tunnel(server.port or 443)) as proxy, build(base_url) as model:
            monkeypatch.setenv(variable, proxy.origin.replace("//", f"//{USER}"))
            assert MODES[mode](model).text
    (head,) = proxy.peers[0].heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert BASIC in head
    assert KEY.encode() not in head  # the proxy gets its own credentials, and no others
    assert "proxy-authorization" not in emulator.requests[-1].headers


@every_mode
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.usefixtures("trusting")
def test_an_encrypted_proxy_is_trusted_as_servers_are(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator, scheme: str, mode: str
) -> None:
    with encrypted(emulator) as (secure, _):
        base_url = f"http://{unknown_host()}/api/v1" if scheme == "http" else secure
        handler = forward if scheme == "http" else tunnel(httpx.URL(secure).port or 443)
        with RawServer(handler, tls=True) as proxy, build(base_url) as model:
            monkeypatch.setenv("ALL_PROXY", proxy.origin)
            assert MODES[mode](model).text


@both_worlds
@pytest.mark.parametrize("status", ["403 Forbidden", "502 Bad Gateway", "301 Moved"])
def test_a_refused_tunnel_is_a_connection_error_that_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, status: str, mode: str
) -> None:
    def refuse(peer: Peer) -> None:
        peer.read_head()
        peer.write(response(b"<html>no", "content-type: text/html", status=status))

    assert_named(monkeypatch, refuse, mode, scheme="https", words=status[:3])


@every_mode
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_407_is_a_connection_error_that_names_the_proxy_and_is_not_asked_for_twice(
    monkeypatch: pytest.MonkeyPatch, scheme: str, mode: str
) -> None:
    def refuse(peer: Peer) -> None:
        peer.read_request()
        peer.write(response(b"<html>no", status="407 Proxy Authentication Required"))

    error = assert_named(monkeypatch, refuse, mode, scheme=scheme, words="user and password")
    assert (error.status_code, error.is_retryable) == (407, False)


@both_worlds
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("ending", ["close", "reset", "no-http"])
def test_a_proxy_that_hangs_up_is_named(
    monkeypatch: pytest.MonkeyPatch, ending: str, scheme: str, mode: str
) -> None:
    def hang_up(peer: Peer) -> None:
        peer.read_request()
        if ending == "no-http":
            peer.write(b"SSH-2.0-OpenSSH_9.7\r\n\r\n")
        (peer.reset if ending == "reset" else peer.close)()

    # A server behind a tunnel that was never made has heard nothing.
    of_plain = "is not HTTP" if ending == "no-http" else "was lost"
    words = "Cannot connect" if scheme == "https" else of_plain
    assert_named(monkeypatch, hang_up, mode, scheme=scheme, words=words)


@every_mode
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_silent_proxy_meets_the_limits(
    monkeypatch: pytest.MonkeyPatch, kind: str, mode: str
) -> None:
    def keep_silent(peer: Peer) -> None:
        with contextlib.closing(peer):
            peer.connection.settimeout(5)  # after which the test fails, instead of hanging
            while peer.connection.recv(1_000):
                pass

    with RawServer(keep_silent) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.origin.replace("http", kind))
        error = failure(f"https://{unknown_host()}/api/v1", mode, total_timeout=0.5)
    assert isinstance(error, OpenRouterTimeoutError)


FAILURES: dict[str, Handler] = {
    "no method": socks(b"\x05\xff"),
    "another method": socks(b"\x05\x02"),
    "nothing": socks(b""),
    "half a greeting": socks(b"\x05"),
    "an HTTP server": socks(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "host unreachable": socks(reply=b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"),
    "not allowed": socks(reply=b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"),
    "an unknown code": socks(reply=b"\x05\x55\x00\x01\x00\x00\x00\x00\x00\x00"),
    "no reply": socks(reply=b""),
    "half a reply": socks(reply=b"\x05\x00"),
    "nonsense": socks(reply=b"nonsense" * 4),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
def test_requests_go_through_a_socks_proxy_that_looks_the_host_up(
    monkeypatch: pytest.MonkeyPatch, scheme: str, mode: str
) -> None:
    host = unknown_host()
    with RawServer(socks()) as proxy, build(f"http://{host}:81/api/v1") as model:
        monkeypatch.setenv("ALL_PROXY", proxy.origin.replace("http", scheme))
        assert MODES[mode](model).text == "Hello"
    connect, head = proxy.peers[0].heads
    assert connect == b"\x05\x01\x00\x03%c%b\x00\x51" % (len(host), host.encode())
    assert head.startswith(b"POST /api/v1/chat/completions HTTP/1.1\r\n")


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
@pytest.mark.parametrize("case", FAILURES)
def test_a_socks_proxy_that_does_not_connect_is_named_and_left(
    monkeypatch: pytest.MonkeyPatch, case: str, mode: str
) -> None:
    assert_named(monkeypatch, FAILURES[case], mode, kind="socks5")
