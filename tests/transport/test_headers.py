"""Headers that would travel between tenants or break the framing never leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError, OpenRouterInputError
from tests.helpers import wire
from tests.helpers.backends import World, echo, every_world
from tests.helpers.factories import build_once
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import Peer, RawServer, response

pytestmark = pytest.mark.usefixtures("bare_environment")


HEADERS = {
    "content-length": "10",
    "transfer-encoding": "chunked",
    "connection": "close",
    "te": "trailers",
    "upgrade": "websocket",
    "trailer": "x-checksum",
    "expect": "100-continue",
    "keep-alive": "timeout=5",
}
every_header = pytest.mark.parametrize("header", HEADERS)
every_case = pytest.mark.parametrize("case", [str, str.upper, str.title, str.capitalize])
every_argument = pytest.mark.parametrize("argument", ["extra_headers", "default_headers"])


@every_header
@every_case
@every_argument
def test_a_framing_header_is_refused_by_name_in_the_constructor(
    header: str, case: Callable[[str], str], argument: str
) -> None:
    arguments: dict[str, Any] = {argument: {"x-mine": "1", case(header): HEADERS[header]}}
    with pytest.raises(ValidationError, match=f"'{case(header)}' frames the request"):
        ChatOpenRouterO3(api_key="k", **arguments)


@every_world
@every_header
@every_case
def test_a_framing_header_is_refused_by_name_in_a_call_and_disturbs_no_other(
    world: World, header: str, case: Callable[[str], str]
) -> None:
    """What is refused leaves the connection as it was, and the next caller gets its own answer."""
    refused = {case(header): HEADERS[header]}

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        for name in ("extra_headers", "default_headers"):
            for ask in (world.ask, world.listen):
                with pytest.raises(OpenRouterInputError, match=f"'{case(header)}' frames"):
                    await ask(model, "Refused", **{name: refused})
        assert await world.ask(model, "Second", extra_headers={"x-mine": "1"}) == "Second"

    with RawServer(echo) as server, build_once(server) as model:
        world.run(scenario())
        (peer,) = server.peers
        assert len(peer.bodies) == 2
        assert b"\r\nx-mine: 1" in peer.heads[1].lower()


def bound(model: ChatOpenRouterO3, **arguments: Any) -> Any:
    return model.bind(**arguments)


def bound_with_tools(model: ChatOpenRouterO3, **arguments: Any) -> Any:
    tool = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
    return model.bind_tools([tool], **arguments)


def structured(model: ChatOpenRouterO3, **arguments: Any) -> Any:
    schema = {"title": "T", "type": "object", "properties": {"a": {"type": "string"}}}
    return model.with_structured_output(schema, **arguments)


@every_header
@every_argument
@pytest.mark.parametrize("bind", [bound, bound_with_tools, structured])
def test_a_framing_header_is_refused_by_name_where_it_is_bound(
    header: str, argument: str, bind: Callable[..., Any]
) -> None:
    """When it is bound, or when the bound model is called: in any case before it is sent."""

    def ask() -> None:
        arguments = {argument: {header: HEADERS[header]}}
        bind(model, **arguments).invoke("Hi")

    with RawServer(echo) as server, build_once(server) as model:
        with pytest.raises(OpenRouterInputError, match=f"'{header}' frames"):
            ask()
        assert model.invoke("Next").text == "Next"
        assert server.requests == 1


@pytest.mark.parametrize("name", ["content-length ", " content-length", "content-length:", "te\t"])
def test_a_framing_header_in_disguise_is_no_header_name(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a header name"):
        ChatOpenRouterO3(api_key="k", default_headers={name: "10"})


@pytest.mark.parametrize("value", ["1\r\ncontent-length: 10", "1\ncontent-length: 10", "1\r"])
def test_a_framing_header_behind_another_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="'x-mine' is not text that a header can carry"):
        ChatOpenRouterO3(api_key="k", default_headers={"x-mine": value})


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
    proxied: bool,  # noqa: FBT001 - a parameter of the test
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
    proxied: bool,  # noqa: FBT001 - a parameter of the test
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
    proxied: bool,  # noqa: FBT001 - a parameter of the test
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


def test_http_client_keeps_its_cookies_as_httpx_does() -> None:
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
