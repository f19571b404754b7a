"""Variables of the environment, and base URLs: they work, or are refused by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import OpenRouterConnectionError, OpenRouterInputError
from langchain_openrouter_o3._http import shared_clients
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.modes import MODES, every_mode
from tests.helpers.proxies import build, unknown_host

pytestmark = pytest.mark.usefixtures("bare_environment", "no_name_server")
both_worlds = pytest.mark.parametrize("mode", ["invoke", "ainvoke"])


@pytest.fixture
def certificates_anew() -> Iterator[None]:
    """Have the certificates read again, now and after the test."""
    shared_clients.tls_context.cache_clear()
    yield
    shared_clients.tls_context.cache_clear()


def refusal(base_url: str, mode: str = "invoke") -> str:
    """Return the text of the connection error of a server that cannot be reached."""
    with build(base_url) as model, pytest.raises(OpenRouterConnectionError) as caught:
        MODES[mode](model)
    return str(caught.value)


V4, V6, MAPPED, NAME = "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "api.example.invalid"

EXEMPT = {
    V4: [
        *("127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "127.0.0.1/255.0.0.0", "[127.0.0.1]"),
        *("127.0.0.1:{port}", "*", " * ", "a.example, *", "\t127.0.0.1 \n", "::1, 127.0.0.1"),
        *("127.0.0.0/8,fd00::/8", "fd00::/8 , 127.0.0.1", "/,,::::,%,[,],-1,127.0.0.1"),
    ],
    V6: [
        *("::1", "[::1]", "[::1]:{port}", "::1/128", "::/0", "*", "0:0:0:0:0:0:0:1", "[0::1]"),
        *("127.0.0.1,::1", " ::1 ,x"),
    ],
    MAPPED: ["::ffff:127.0.0.1", "[::ffff:127.0.0.1]", "::ffff:7f00:1", "::ffff:0:0/96"],
    NAME: [
        *(NAME, ".example.invalid", "example.invalid", "invalid", "API.Example.Invalid", "a,*"),
        *(f" {NAME} ", f"{NAME}:{{port}}", "fd00::/8,[::1],.invalid", "/,::,%,.invalid"),
    ],
}
NOT_EXEMPT = {
    V4: [
        *("fd00::/8", "::1", "[::1]", "::/0", "127.0.0.2", "128.0.0.0/8", "127.0.0.1/33"),
        *(".0.0.1", "0.1", "127.", "localhost", "127.0.0.1:1", "[127.0.0.1]:1"),
        *(" ", ",", ".", "/", "[", "%", ":", "::::", "-1"),
    ],
    V6: ["127.0.0.0/8", "0.0.0.0/0", "::2", "fd00::/8", "[::1]:1", "1", ":", "[", "]"],
    NAME: [
        *("xample.invalid", "example", "b.example.invalid", f"{NAME}:1", f"{NAME}.b"),
        *("127.0.0.0/8", "::/0", "[::1]", ".", "", "%"),
    ],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(host, entries) for host, row in table.items() for entries in row]


@pytest.mark.parametrize(("host", "entries"), pairs(EXEMPT))
def test_an_exempt_host_is_asked_without_the_proxy(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, host: str, entries: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port}")
    monkeypatch.setenv("NO_PROXY", entries.format(port=dead_port))
    assert "PROXY" not in refusal(f"http://{host}:{dead_port}/api/v1")


@pytest.mark.parametrize(("host", "entries"), pairs(NOT_EXEMPT))
def test_every_other_host_is_asked_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, host: str, entries: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port}")
    monkeypatch.setenv("NO_PROXY", entries)
    assert "HTTP_PROXY" in refusal(f"http://{host}:{dead_port}/api/v1")


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_scheme_s_own_port_is_exempt_with_and_without_being_written(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, scheme: str, port: int
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{dead_port}")
    host = unknown_host()
    monkeypatch.setenv("NO_PROXY", f"{host}:{port}")
    assert "PROXY" not in refusal(f"{scheme}://{host}/api/v1")
    assert "PROXY" not in refusal(f"{scheme}://{host}:{port}/api/v1")


@every_mode
def test_an_exempt_host_answers_in_spite_of_a_dead_proxy(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, mode: str
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{dead_port}")
    monkeypatch.setenv("NO_PROXY", "fd00::/8,[::1],127.0.0.0/8")
    with Emulator() as emulator, build(emulator.base_url) as model:
        assert MODES[mode](model).text


UNUSABLE = [
    *("http://127.0.0.1:99999", "http://127.0.0.1:65536", "http://127.0.0.1:-1", "127.0.0.1:x"),
    *("ftp://127.0.0.1:21", "socks4://127.0.0.1:1080", "unix:///run/proxy", "file:///etc/hosts"),
    *("http://", "http:///", "socks://", "socks5://", "socks5://:1080", ":", "::::", "//", "/"),
    *("http://[::1", "http://[::g]:1", "http://256.1.1.1:1", "http://☃☃.example:1"),
    *(f"http://{'a' * 64}.example:1", "http://a..b:1", "http://.:1", "http://xn--:1"),
]


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [("HTTP_PROXY", "http"), ("HTTPS_PROXY", "https"), ("ALL_PROXY", "http")],
)
@pytest.mark.parametrize("address", UNUSABLE)
def test_an_unusable_proxy_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, address: str, variable: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, address)
    host = unknown_host()
    for mode in ("invoke", "ainvoke"):
        with (
            build(f"{scheme}://{host}/api/v1") as model,
            pytest.raises(OpenRouterInputError, match=variable) as caught,
        ):
            MODES[mode](model)
        assert "NO_PROXY" in str(caught.value)
    monkeypatch.setenv("NO_PROXY", host)
    assert "PROXY" not in refusal(f"{scheme}://{host}/api/v1")


@every_mode
def test_a_socks_proxy_without_its_package_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    # With None in `sys.modules`, `find_spec` says that there is no such package, and importing it
    # fails: the same as if it was not installed.
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    host = unknown_host()
    with (
        build(f"http://{host}/api/v1") as model,
        pytest.raises(OpenRouterInputError, match=r"ALL_PROXY.*socksio.*httpx\[socks\]"),
    ):
        MODES[mode](model)
    monkeypatch.setenv("NO_PROXY", host)
    assert "PROXY" not in refusal(f"http://{host}/api/v1", mode)


CERTIFICATES = [
    *(("SSL_CERT_FILE", path) for path in ("/nowhere.pem", "/", os.devnull)),
    *(("SSL_CERT_DIR", path) for path in ("/nowhere", os.devnull)),
    ("SSLKEYLOGFILE", "/nowhere/keys"),
]


@both_worlds
@pytest.mark.parametrize(("variable", "path"), CERTIFICATES)
@pytest.mark.usefixtures("certificates_anew")
def test_certificates_that_cannot_be_read_are_refused_by_the_name_of_their_variable(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, variable: str, path: str, mode: str
) -> None:
    monkeypatch.setenv(variable, path)
    with (
        build(f"https://127.0.0.1:{dead_port}/api/v1") as model,
        pytest.raises(OpenRouterInputError, match=variable),
    ):
        MODES[mode](model)
    monkeypatch.delenv(variable)  # and what failed is not remembered
    assert f"127.0.0.1:{dead_port}" in refusal(f"https://127.0.0.1:{dead_port}/api/v1", mode)


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:{port}", "socks5://127.0.0.1:{port}"])
@pytest.mark.parametrize(("variable", "path"), CERTIFICATES)
@pytest.mark.usefixtures("certificates_anew")
def test_nobody_reads_certificates_without_encryption(
    monkeypatch: pytest.MonkeyPatch, dead_port: int, variable: str, path: str, proxy: str | None
) -> None:
    monkeypatch.setenv(variable, path)
    if proxy is not None:
        monkeypatch.setenv("HTTP_PROXY", proxy.format(port=dead_port))
    assert ("HTTP_PROXY" in refusal(f"http://127.0.0.1:{dead_port}/api/v1")) == bool(proxy)


@both_worlds
@pytest.mark.parametrize(
    "authority",
    [
        *(f"{'a' * 64}.example", f"{'a' * 64}", f"x.{'ü' * 64}.example", "a..example", ".example"),
        *("☃☃.example", "xn--", "exa\u200bmple", "１２７.0.0.1", "\ud83d.example"),  # noqa: RUF001 - the point of the case
        *("127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "256.0.0.1"),
        *("[::g]", "[::1", "[127.0.0.1]", "", ":80", "a\tb", "a\nb"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused_by_name(authority: str, mode: str) -> None:
    def ask() -> None:
        with build(f"http://{authority}/api/v1") as model:
            MODES[mode](model)

    with pytest.raises((ValidationError, OpenRouterInputError), match="base_url"):
        ask()


@both_worlds
@pytest.mark.parametrize("host", [f"{'a' * 63}.invalid", "bücher.invalid", "a_b.invalid"])
def test_an_unusual_host_is_looked_up(host: str, mode: str) -> None:
    assert host.encode("idna").decode() in refusal(f"http://{host}/api/v1", mode)
