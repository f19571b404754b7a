"""Structured output: really strict on the way out, never half an object on the way in."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
    OpenRouterTruncatedError,
)
from tests.helpers import wire
from tests.helpers.factories import build, sent, streamed, whole
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator


class Address(BaseModel):
    street: str = Field(default="Main", description="Where")
    number: int | None = None


class Person(BaseModel):
    """A person."""

    name: str
    age: int | None = None
    homes: list[Address] = []


@dataclass
class PersonData:
    """A person."""

    name: str


class PersonDict(TypedDict):
    """A person."""

    name: str


PERSON_SCHEMA = {"title": "Person", "type": "object", "properties": {"name": {"type": "string"}}}
ENVELOPE = {"type": "json_schema", "json_schema": {"name": "Person", "schema": PERSON_SCHEMA}}
FORMS = [Person, PersonData, PersonDict, PERSON_SCHEMA, ENVELOPE]
HALF = '{"name": "Ada", "ag'


def assert_closed(schema: Any) -> None:
    """Check that every object in a schema is complete, as strict mode needs it."""
    if isinstance(schema, list):
        for item in schema:
            assert_closed(item)
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        assert schema["additionalProperties"] is False
        assert sorted(schema["required"]) == sorted(schema["properties"])
    assert "default" not in schema
    assert "$ref" not in schema or set(schema) == {"$ref"}
    for item in schema.values():
        assert_closed(item)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_p18_a_strict_schema_is_strict_at_every_depth(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any
) -> None:
    reader = model.with_structured_output(Person, method=method)
    assert reader.invoke("Ada is 36").name
    if method == "json_schema":
        envelope = sent(emulator)["response_format"]["json_schema"]
    else:
        envelope = sent(emulator)["tools"][0]["function"]
    assert envelope["strict"] is True
    assert_closed(envelope.get("schema", envelope.get("parameters")))


def test_p18_a_schema_that_cannot_be_strict_is_named_by_its_path(
    model: ChatOpenRouterO3,
) -> None:
    class Open(BaseModel):
        tags: dict[str, str]

    with pytest.raises(OpenRouterInputError, match=r"\$\.properties\.tags"):
        model.with_structured_output(Open, strict=True)
    with pytest.warns(UserWarning, match=r"\$\.properties\.tags"):
        model.with_structured_output(Open)
    model.with_structured_output(Open, strict=False)
    schema = Person.model_json_schema()
    before = copy.deepcopy(schema)
    model.with_structured_output(schema)
    assert schema == before


def ask(model: ChatOpenRouterO3, **arguments: Any) -> Any:
    return model.with_structured_output(Person, **arguments).invoke("Ada, as JSON")


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_p19_half_an_object_is_an_error(
    emulator: Emulator, model: ChatOpenRouterO3, method: str
) -> None:
    calls = [wire.tool_call("Person", HALF)]
    cut = (
        wire.body(None, finish="length", tool_calls=calls)
        if method == "function_calling"
        else wire.body(HALF, finish="length")
    )
    emulator.play(whole(cut), whole(cut))
    with pytest.raises(OpenRouterTruncatedError, match="max_tokens"):
        ask(model, method=method)
    outcome = ask(model, method=method, include_raw=True)
    assert outcome["parsed"] is None
    assert isinstance(outcome["parsing_error"], OpenRouterTruncatedError)
    assert outcome["raw"].response_metadata["id"] == wire.GENERATION


@every_mode
def test_p20_a_refusal_is_kept_and_raised(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    streaming = "stream" in mode
    said = [wire.chunk(refusal=piece) for piece in ("I can", "not.")]
    refused = whole(wire.body(None, refusal="I cannot."))
    emulator.play(streamed(*said, *wire.ending()) if streaming else refused, refused)
    assert MODES[mode](model).additional_kwargs["refusal"] == "I cannot."
    with pytest.raises(OpenRouterRefusalError, match=r"I cannot\."):
        ask(model)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (wire.body("Ada, I think."), "Ada, I think"),
        (
            wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call("Person", HALF)]),
            "valid",
        ),
        (
            wire.body(
                None, finish="tool_calls", tool_calls=[wire.tool_call("Person", '{"name": 3}')]
            ),
            "name",
        ),
    ],
)
def test_p21_a_missing_or_broken_call_is_never_none(
    emulator: Emulator, model: ChatOpenRouterO3, answer: wire.Json, words: str
) -> None:
    emulator.play(whole(answer), whole(answer))
    with pytest.raises(OutputParserException, match=words):
        ask(model, method="function_calling")
    outcome = ask(model, method="function_calling", include_raw=True)
    assert isinstance(outcome["parsing_error"], OpenRouterOutputError)


def test_p21_the_default_holds_the_model_to_the_schema(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    assert isinstance(ask(model), Person)
    assert sent(emulator)["response_format"]["json_schema"]["strict"] is True
    assert "tools" not in sent(emulator)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_p22_an_agents_response_format_is_the_models_own(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    agent: Any = create_agent(model, response_format=PersonDict)
    result = agent.invoke({"messages": [("user", "Ada Lovelace")]})
    assert result["structured_response"]["name"]
    assert sent(emulator)["response_format"]["json_schema"]["strict"] is True
    assert "tool_choice" not in sent(emulator)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("where", ["constructor", "call", "bind", "bind_tools"])
def test_p22_a_response_format_takes_every_form_everywhere(
    emulator: Emulator, model: ChatOpenRouterO3, form: Any, where: str
) -> None:
    if where == "constructor":
        build(emulator, response_format=form).invoke("Ada")
    elif where == "call":
        model.invoke("Ada", response_format=form)
    elif where == "bind":
        model.bind(response_format=form).invoke("Ada")
    else:
        model.bind_tools([], response_format=form).invoke("Ada")
    sent_format = sent(emulator)["response_format"]
    assert sent_format["type"] == "json_schema"
    assert_closed(sent_format["json_schema"]["schema"])


def test_p68_json_mode_is_json_mode_and_checks_the_prompt(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    reader = model.with_structured_output(PERSON_SCHEMA, method="json_mode")
    with pytest.raises(OpenRouterInputError, match="json"):
        reader.invoke("Ada")
    assert emulator.requests == []
    emulator.play(whole(wire.body('{"name": "Ada"}')))
    assert reader.invoke("Ada, as JSON") == {"name": "Ada"}
    assert sent(emulator)["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_p70_a_schema_without_a_usable_title_gets_a_name(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any
) -> None:
    names = []
    for title in ({}, {"title": "Person (new) of Ärzte"}, {"title": "x" * 99}):
        schema = {**PERSON_SCHEMA, "title": None, **title}
        if not title:
            del schema["title"]
        model.with_structured_output(schema, method=method).invoke("Ada")
        body = sent(emulator)
        named = body["response_format"]["json_schema"] if "tools" not in body else None
        names.append((named or body["tools"][0]["function"])["name"])
    assert all(name.isascii() and len(name) <= 64 and " " not in name for name in names)
    assert "Person" in names[1]
