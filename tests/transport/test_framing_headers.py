"""Headers that frame a request or its connection are the transport's, not the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from tests.helpers.backends import World, echo, every_world
from tests.helpers.factories import build_once
from tests.helpers.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable

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
