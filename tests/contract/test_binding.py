"""`bind_tools` and `with_structured_output`: what is bound, and what is refused when binding."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import BaseModel, model_validator
from typing_extensions import NotRequired, TypedDict

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError, OpenRouterOutputError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.factories import get_weather


class Person(BaseModel):
    """A person."""

    name: str
    born: int | None = None


def bound(runnable: Any) -> dict[str, Any]:
    return dict(runnable.kwargs)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        (False, "none"),
        ("none", "none"),
        ("auto", "auto"),
        ("get_weather", {"type": "function", "function": {"name": "get_weather"}}),
        (
            {"type": "function", "function": {"name": "Person"}},
            {"type": "function", "function": {"name": "Person"}},
        ),
        ("openrouter:web_search", {"type": "openrouter:web_search"}),
    ],
)
def test_every_spelling_of_tool_choice(model: ChatOpenRouterO3, choice: Any, expected: Any) -> None:
    tools: list[Any] = [get_weather, Person, {"type": "openrouter:web_search"}]
    assert bound(model.bind_tools(tools, tool_choice=choice)).get("tool_choice") == expected


@pytest.mark.parametrize("choice", ["nobody", 5, {"type": "function", "function": {"name": "x"}}])
def test_a_choice_that_names_no_tool_is_refused(model: ChatOpenRouterO3, choice: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="get_weather"):
        model.bind_tools([get_weather], tool_choice=choice)


@pytest.mark.parametrize("choice", [None, False, "none", "auto"])
def test_an_empty_tool_list_is_not_sent(
    emulator: Emulator, model: ChatOpenRouterO3, choice: Any
) -> None:
    model.bind_tools([], tool_choice=choice).invoke("Hello")
    assert emulator.requests[-1].body is not None
    assert emulator.requests[-1].body.keys() == {"model", "messages"}


@pytest.mark.parametrize("choice", [True, "any", "required"])
def test_forcing_a_call_without_tools_is_refused(model: ChatOpenRouterO3, choice: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="needs tools"):
        model.bind_tools([], tool_choice=choice)


def test_tools_and_a_response_format_go_together(model: ChatOpenRouterO3) -> None:
    kwargs = bound(model.bind_tools([get_weather], response_format=Person, strict=True))
    assert kwargs["tools"][0]["function"]["strict"] is True
    assert kwargs["tools"][0]["function"]["parameters"]["additionalProperties"] is False
    assert kwargs["response_format"]["json_schema"]["strict"] is True


def test_a_typo_in_a_bound_parameter_is_refused_when_binding(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match="Did you mean 'max_tokens'"):
        model.bind_tools([get_weather], max_token=100)
    with pytest.raises(OpenRouterInputError, match="Did you mean 'seed'"):
        model.with_structured_output(Person, sed=100)


def test_two_tools_of_one_name_are_refused(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match="more than once"):
        model.bind_tools([get_weather, get_weather]).invoke("Hello")
    assert emulator.requests == []


def test_tools_given_to_a_bare_call_are_converted_too(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.invoke("Use get_weather for Rome", tools=[get_weather], tool_choice="any")
    body = emulator.requests[-1].body
    assert body is not None
    assert body["tools"][0]["function"]["name"] == "get_weather"
    assert body["tool_choice"] == "required"


def test_a_method_that_does_not_exist_is_refused(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match="'function_calling'"):
        model.with_structured_output(Person, method="json")  # type: ignore[call-overload]


def test_a_class_without_a_schema_is_refused(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match=r"subclass of `?BaseModel"):
        model.with_structured_output(BaseModel)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("strict", [None, True, False])
def test_every_method_and_strictness_can_be_built(
    model: ChatOpenRouterO3,
    method: Any,
    strict: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert model.with_structured_output(Person, method=method, strict=strict) is not None


class Missing(TypedDict):
    name: str
    age: NotRequired[int]


class Tree(TypedDict):
    """A tree."""

    children: list[Tree]


def test_typed_dicts_that_langchain_core_cannot_read(model: ChatOpenRouterO3) -> None:
    for schema in (Missing, Tree):
        envelope = bound(cast("Any", model.with_structured_output(schema)).first)
        strict = envelope["response_format"]["json_schema"]
        assert strict["strict"] is True
        assert "dict(" not in str(strict)
    with pytest.raises(OpenRouterInputError, match="not a schema"):
        model.with_structured_output(object)


def test_a_call_beside_structured_output_is_named(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    body = wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("get_weather", "{}")])
    emulator.play(Canned(pieces=wire.to_json(body)))
    with pytest.raises(OpenRouterOutputError, match="called get_weather instead"):
        model.with_structured_output(Person, tools=[get_weather]).invoke("Ada")


class Fragile(BaseModel):
    name: str

    @model_validator(mode="after")
    def _explode(self) -> Fragile:
        assert self.name[1] != "!", "no exclamations"
        return self


def test_a_validator_that_raises_anything_is_a_typed_error(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(Canned(pieces=wire.to_json(wire.body('{"name":""}'))))
    outcome = model.with_structured_output(Fragile, include_raw=True).invoke("x")
    assert isinstance(outcome["parsing_error"], OpenRouterOutputError)
    events = wire.sse(wire.chunk('{"name":"'), wire.chunk('Ada"}'), *wire.ending())
    emulator.play(Canned(headers={"content-type": "text/event-stream"}, pieces=events))
    assert list(model.with_structured_output(Fragile).stream("x"))[-1] == Fragile(name="Ada")


def test_structured_output_may_have_tools_beside_it(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.with_structured_output(Person, tools=[get_weather]).invoke("Ada Lovelace, born 1815")
    body = emulator.requests[-1].body
    assert body is not None
    assert body["tools"][0]["function"]["name"] == "get_weather"
