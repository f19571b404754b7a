"""SOCKS proxies of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.modes import MODES
from tests.helpers.proxies import assert_named, build, socks, unknown_host
from tests.helpers.raw_server import RawServer

if TYPE_CHECKING:
    from tests.helpers.raw_server import Handler

pytestmark = pytest.mark.usefixtures("bare_environment", "no_name_server")

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
