"""Cookies: models share connections, and a cookie that one was given must not be another's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import RawServer, response

if TYPE_CHECKING:
    from tests.helpers.raw_server import Peer

pytestmark = pytest.mark.usefixtures("bare_environment")
ways = pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
COOKIES = ("set-cookie: session=of-one-tenant; Path=/", "set-cookie: __cf_bm=x; Domain=.invalid")


def give_cookies(peer: Peer) -> None:
    """Answer every request of a connection, each time with cookies."""
    while head := peer.read_request():
        streamed = b'"stream":true' in peer.bodies[-1]
        body = wire.sse(wire.chunk("Hello"), *wire.ending()) if streamed else b""
        kind = "text/event-stream" if streamed else "application/json"
        status = "429 Too Many Requests" if b"x-refuse" in head else "200 OK"
        body = body or wire.to_json(wire.body("Hello"))
        peer.write(response(body, f"content-type: {kind}", *COOKIES, status=status))


def build(base_url: str, key: str, **headers: str) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=base_url, api_key=key, default_headers=headers, max_retries=0)


def url_of(server: RawServer, monkeypatch: pytest.MonkeyPatch, *, proxied: bool) -> str:
    """Return the base URL; behind a proxy, which the server plays then, there is no other."""
    if not proxied:
        return server.base_url
    monkeypatch.setenv("HTTP_PROXY", server.origin)
    return f"http://behind-{server.origin.rpartition(':')[2]}.invalid/api/v1"


def heads(server: RawServer) -> list[bytes]:
    return [head.lower() for peer in server.peers for head in peer.heads]


@every_mode
@ways
def test_no_model_sends_the_cookies_that_it_or_another_was_given(
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    proxied: bool,  # noqa: FBT001
) -> None:
    with RawServer(give_cookies) as server:
        base_url = url_of(server, monkeypatch, proxied=proxied)
        with build(base_url, "of-one") as one, build(base_url, "of-another") as another:
            for model in (one, one, another):
                assert MODES[mode](model).text == "Hello"
    assert server.requests == 3
    assert [head for head in heads(server) if b"\r\ncookie:" in head] == []


@ways
def test_models_on_one_loop_share_connections_and_no_cookies(
    monkeypatch: pytest.MonkeyPatch,
    proxied: bool,  # noqa: FBT001
) -> None:
    async def ask() -> None:
        for key in ("of-one", "of-one", "of-another"):
            assert (await build(base_url, key).ainvoke("Hello")).text == "Hello"
            async for _ in build(base_url, key).astream("Hello"):
                pass

    with RawServer(give_cookies) as server:
        base_url = url_of(server, monkeypatch, proxied=proxied)
        asyncio.run(ask())
        assert len(server.peers) == 1
    assert server.requests == 6
    assert [head for head in heads(server) if b"\r\ncookie:" in head] == []


@every_mode
@ways
def test_the_cookies_of_a_failure_are_not_sent_either(
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    proxied: bool,  # noqa: FBT001
) -> None:
    with RawServer(give_cookies) as server:
        base_url = url_of(server, monkeypatch, proxied=proxied)
        with build(base_url, "of-one", **{"x-refuse": "yes"}) as one:
            with pytest.raises(OpenRouterError):
                MODES[mode](one)
            with build(base_url, "of-another") as another:
                MODES[mode](another)
    assert server.requests == 2
    assert [head for head in heads(server) if b"\r\ncookie:" in head] == []


def test_a_callers_own_client_keeps_its_cookies_as_httpx_does() -> None:
    """The cookies of these tests are good ones: a client with a jar sends them."""
    with RawServer(give_cookies) as server, httpx.Client() as client:
        model = build(server.base_url, "of-one").model_copy(update={"http_client": client})
        model.invoke("Hello")
        model.invoke("Hello")
    first, second = heads(server)
    assert b"\r\ncookie:" not in first
    assert b"\r\ncookie: session=of-one-tenant\r\n" in second


@every_mode
def test_a_cookie_that_the_caller_sets_is_sent(mode: str) -> None:
    with RawServer(give_cookies) as server, build(server.base_url, "k", Cookie="a=b") as model:
        MODES[mode](model)
        MODES[mode](model)
    assert all(b"\r\ncookie: a=b\r\n" in head for head in heads(server))
