"""Tools on their way to the wire, and what is remembered of them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolArg, StructuredTool, tool
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from langchain_openrouter_o3 import OpenRouterInputError
from langchain_openrouter_o3._json import memoize_json
from langchain_openrouter_o3._wire.tools import tool_choice_to_wire, tool_name, tools_to_wire


@tool
def weather(city: str, unit: str = "C") -> str:
    """Look the weather up."""
    return f"{city} {unit}"


def plain(city: str) -> str:
    """Look the weather up."""
    return city


def calls_back(done: Callable[[int], int]) -> str:
    """Take what has no schema."""
    return str(done(1))


class Lookup(BaseModel):
    """Look something up."""

    key: str
    depth: int = 1


SEARCH = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}
BARE = {"type": "function", "function": {"name": "ping"}}


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (weather, "weather"),
        (plain, "plain"),
        (Lookup, "Lookup"),
        (BARE, "ping"),
        ({"title": "Point", "type": "object", "properties": {"x": {"type": "integer"}}}, "Point"),
        ({"name": "f", "description": "d", "parameters": {"type": "object"}}, "f"),
        ({"name": "f", "parameters": {"type": "object", "properties": None}}, "f"),
        ({"type": "function", "name": "f", "parameters": {"type": "object"}}, "f"),  # Responses API
    ],
)
def test_anything_that_langchain_calls_a_tool_becomes_a_function(made: Any, name: str) -> None:
    (wire,) = tools_to_wire([made])
    assert wire["type"] == "function"
    assert tool_name(wire) == name
    assert wire["function"]["parameters"]["type"] == "object"
    assert isinstance(wire["function"]["parameters"]["properties"], dict)
    assert "strict" not in wire["function"]


def test_a_tool_of_mcp_keeps_its_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    made = {"name": "x", "description": "d", "inputSchema": schema, "annotations": {}}
    (sent,) = tools_to_wire([made])
    assert sent["function"] == {"name": "x", "description": "d", "parameters": schema}


def test_a_server_tool_passes_verbatim_and_has_no_name() -> None:
    assert tools_to_wire([SEARCH]) == [SEARCH]
    assert tool_name(SEARCH) is None


@pytest.mark.parametrize("made", [weather, Lookup])
def test_a_strict_tool_is_complete(made: Any) -> None:
    (wire,) = tools_to_wire([made], strict=True)
    parameters = wire["function"]["parameters"]
    assert wire["function"]["strict"] is True
    assert parameters["required"] == list(parameters["properties"])
    assert parameters["additionalProperties"] is False
    assert "default" not in repr(parameters)


@pytest.mark.parametrize(("asked", "sent"), [(None, True), (True, True), (False, False)])
def test_a_tools_own_word_on_strictness_holds_unless_overruled(
    asked: bool | None,  # noqa: FBT001 - a table
    sent: bool,  # noqa: FBT001 - same
) -> None:
    own = {**BARE, "function": {**BARE["function"], "strict": True}}  # type: ignore[dict-item]
    (wire,) = tools_to_wire([own], strict=asked)
    assert wire["function"]["strict"] is sent


def test_the_callers_dictionaries_are_not_changed() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "default": "b"}}}
    mine = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    before = copy.deepcopy(mine)
    tools_to_wire([mine], strict=True)
    assert mine == before


@pytest.mark.parametrize(
    "made",
    [
        None,
        5,
        "search",
        {},
        {"type": "function"},
        {"type": "function", "function": None},
        {"type": "function", "function": {}},
        {"type": "function", "function": {"name": "has space"}},
        {"type": "function", "function": {"name": "line\n"}},
        {"type": "function", "function": {"name": "x" * 65}},
        {"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}},
        {"type": "function", "function": {"name": "f", "parameters": "text"}},
        lambda x: x,
        calls_back,
        functools.partial(calls_back, abs),
    ],
)
def test_what_cannot_be_a_tool_is_refused(made: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="tool"):
        tools_to_wire([made])


@pytest.mark.parametrize("made", ["weather", {"title": "Point", "type": "object"}, 5])
def test_what_is_no_list_of_tools_is_refused(made: Any) -> None:
    with pytest.raises(OpenRouterInputError, match=r"tools is a list of tools, not (str|dict|int)"):
        tools_to_wire(made)


class Mail(BaseModel):
    """Written by keys that Python could not name, or does not like."""

    model_config = ConfigDict(alias_generator=to_camel)

    sender: str = Field(alias="from")
    sent_at: str = ""
    subject: str = Field(validation_alias="about")
    kept: Annotated[str, InjectedToolArg] = ""


class MailByName(Mail):
    """Taken by its fields' names, too."""

    model_config = ConfigDict(populate_by_name=True)


@pytest.mark.parametrize("kind", [Mail, MailByName])
def test_a_tool_is_shown_the_names_by_which_it_takes_its_arguments(kind: type[BaseModel]) -> None:
    def send(**arguments: str) -> str:
        return ",".join(arguments[name] for name in ("sender", "sent_at", "subject"))

    sender = StructuredTool.from_function(send, name="send", description="Send.", args_schema=kind)
    (sent,) = tools_to_wire([sender])
    shown = sent["function"]["parameters"]["properties"]
    assert sender.invoke({name: name for name in shown}) == ",".join(shown)
    assert (sent["function"]["description"], len(shown)) == ("Send.", 3)


class Post:
    """Sends letters."""

    def send(self, to: str, config: RunnableConfig) -> str:
        """Send a letter."""
        return f"{self} {to} {config}"

    async def fetch(self, to: str, *, config: RunnableConfig | None = None) -> str:
        """Send a letter."""
        return f"{self} {to} {config}"


def stamp(to: str, /) -> str:
    """Send a letter."""
    return to


def collect(config: RunnableConfig) -> str:
    """Collect letters."""
    return str(config)


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (Post().send, ["to"]),
        (tool(Post().send), ["to"]),
        (Post().fetch, ["to"]),
        (stamp, ["to"]),
        (collect, []),
    ],
)
def test_a_tool_shows_what_a_model_gives_and_no_more(made: Any, given: list[str]) -> None:
    """The configuration is the run's, whoever makes a tool of the function."""
    for strict in (None, True):
        (sent,) = tools_to_wire([made], strict=strict)
        parameters = sent["function"]["parameters"]
        assert parameters["properties"] == {name: {"type": "string"} for name in given}
        assert parameters.get("required", []) == given


def by_annotation(annotation: Any) -> Callable[..., str]:
    """Make a function whose parameter is annotated so."""

    def look_up(city: str) -> str:
        """Look up."""
        return city

    look_up.__annotations__["city"] = annotation
    return look_up


@pytest.mark.parametrize("annotation", ["Missing", "the city", "[1]['a']"])
def test_a_tool_whose_annotations_cannot_be_read_is_named(annotation: str) -> None:
    with pytest.raises(OpenRouterInputError, match="tools: look_up cannot be a tool"):
        tools_to_wire([by_annotation(annotation)])


def test_a_tool_that_cannot_be_strict_is_named() -> None:
    open_dict = {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}
    with pytest.raises(OpenRouterInputError, match=r"tool 'f'.*\$\.properties\.a"):
        tools_to_wire([open_dict], strict=True)


BOUND = [BARE, SEARCH]


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (None, None),
        (True, "required"),
        ("any", "required"),
        ("required", "required"),
        (False, "none"),
        ("none", "none"),
        ("auto", "auto"),
        ("ping", {"type": "function", "function": {"name": "ping"}}),
        ("openrouter:web_search", {"type": "openrouter:web_search"}),
        (BARE, BARE),
        ({"type": "function", "name": "ping"}, BARE),
        ({"type": "openrouter:web_search"}, {"type": "openrouter:web_search"}),
    ],
)
def test_a_choice_becomes_what_openrouter_understands(choice: Any, wire: Any) -> None:
    assert tool_choice_to_wire(choice, BOUND) == wire


@pytest.mark.parametrize(
    "choice",
    [
        "pong",
        "",
        5,
        {"type": "function"},
        {"type": "function", "function": {"name": "pong"}},
        {"type": "function", "function": "ping"},
    ],
)
def test_a_choice_of_no_bound_tool_is_refused_with_those_that_are(choice: Any) -> None:
    with pytest.raises(OpenRouterInputError, match=r"names no bound tool; bound: \['ping'\]"):
        tool_choice_to_wire(choice, BOUND)


seen: list[Any] = []


@memoize_json
def wrap(value: Any, strict: bool | None = None) -> dict[str, Any]:  # noqa: FBT001 - by position
    seen.append(value)
    return {"value": value, "strict": strict}


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


def test_the_same_content_is_converted_once() -> None:
    assert [wrap({"once": [1]}) for _ in range(3)] == [{"value": {"once": [1]}, "strict": None}] * 3
    assert len(seen) == 1


def test_a_change_inside_is_seen() -> None:
    given = {"inside": {"n": 1}}
    wrap(given)
    given["inside"]["n"] = 2
    assert wrap(given)["value"] == {"inside": {"n": 2}}


def test_what_one_caller_changes_nobody_else_sees() -> None:
    wrap({"mine": 1})["value"]["mine"] = 2
    assert wrap({"mine": 1})["value"] == {"mine": 1}


def test_numbers_truth_and_further_arguments_are_told_apart() -> None:
    given: list[tuple[Any, bool | None]] = [(1, None), (True, None), (1.0, None), (1, True)]
    results = [wrap(value, strict) for value, strict in given]
    assert [repr(result["value"]) for result in results] == ["1", "True", "1.0", "1"]
    assert [result["strict"] for result in results] == [None, None, None, True]


def test_what_is_no_json_is_left_to_the_conversion() -> None:
    odd = {"default": {1, 2}}
    assert wrap(odd)["value"] is odd


def test_bound_tools_do_not_share_what_is_sent() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    first, second = tools_to_wire([tool]), tools_to_wire([tool])
    first[0]["function"]["name"] = "g"
    assert second[0]["function"]["name"] == "f"


def test_a_tool_that_is_no_json_is_named_as_before() -> None:
    broken = {"type": "function", "function": {"name": "not a name", "parameters": {"x": {1}}}}
    with pytest.raises(OpenRouterInputError, match="not a name"):
        tools_to_wire([broken])
