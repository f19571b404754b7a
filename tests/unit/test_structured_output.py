"""Structured output: any schema in, the wanted object or a typed error out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, Field, field_validator
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import TypedDict

from langchain_openrouter_o3._json import decode, encode
from langchain_openrouter_o3._wire.output_schema import build_output_schema, response_format_to_wire
from langchain_openrouter_o3.chat_models.structured_output import StructuredOutputParser
from langchain_openrouter_o3.errors import (
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterTruncatedError,
)


class City(BaseModel):
    """A city."""

    name: str
    people: int | None = None
    tag: str = "none"

    @field_validator("name")
    @classmethod
    def _no_atlantis(cls, name: str) -> str:
        if name == "Atlantis":
            raise ValueError("sunk")
        return name


class Country(BaseModel):
    """A country."""

    capital: City = Field(description="Its capital")
    others: list[City]


class Part(BaseModel):
    parts: list[Part]


class OldCity(BaseModelV1):
    name: str


@dataclass
class DataCity:
    name: str


class DictCity(TypedDict):
    """A city."""

    name: str


class DictCountry(TypedDict):
    """A country."""

    capital: DictCity
    others: list[DictCity]


SCHEMA = {
    "title": "city",
    "description": "A city.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "tag": {"type": "string"}},
    "required": ["name"],
}
UNTITLED = {key: value for key, value in SCHEMA.items() if key != "title"}
ENVELOPE = {
    "type": "json_schema",
    "json_schema": {"name": "city", "strict": True, "schema": SCHEMA},
}
FUNCTION = {"name": "city", "description": "A city.", "parameters": UNTITLED}
FORMS = [City, OldCity, DataCity, DictCity, SCHEMA, UNTITLED, ENVELOPE, FUNCTION,
         {"type": "function", "function": FUNCTION}]  # fmt: skip


def parser(schema: Any = City, method: Any = "json_schema", **more: Any) -> StructuredOutputParser:
    return StructuredOutputParser(target=build_output_schema(schema), method=method, **more)


def called(args: Any = None, name: str = "City", **more: Any) -> AIMessage:
    made = [{"name": name, "args": args or {"name": "Oslo"}, "id": "1"}]
    return AIMessage("", tool_calls=made, **more)


@pytest.mark.parametrize("schema", FORMS)
def test_every_form_of_schema_becomes_a_strict_envelope(schema: Any) -> None:
    sent = response_format_to_wire(schema)
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["strict"] is True
    inner = sent["json_schema"]["schema"]
    assert inner["additionalProperties"] is False
    assert inner["required"] == list(inner["properties"])


@pytest.mark.parametrize("schema", FORMS)
def test_every_form_of_schema_makes_its_own_object(schema: Any) -> None:
    made = parser(schema).parse('{"name": "Oslo"}')
    assert (made["name"] if isinstance(made, dict) else made.name) == "Oslo"
    assert isinstance(schema, dict) or schema is DictCity or isinstance(made, schema)


@pytest.mark.parametrize(
    ("schema", "name"),
    [(City, "City"), (SCHEMA, "city"), (UNTITLED, "output"),
     ({**SCHEMA, "title": "Ünï cödé!"}, "n_c_d"), ({**SCHEMA, "title": "☃"}, "output"),
     ({**SCHEMA, "title": "x" * 99}, "x" * 64)],
)  # fmt: skip
def test_the_name_is_one_that_openai_accepts(schema: Any, name: str) -> None:
    assert build_output_schema(schema).name == name


def test_an_envelope_may_ask_not_to_be_strict() -> None:
    open_schema = {"type": "object", "properties": {"x": {}}}
    loose = {"name": "city", "strict": False, "schema": open_schema}
    sent = response_format_to_wire({"type": "json_schema", "json_schema": loose})
    assert sent["json_schema"]["strict"] is False
    assert sent["json_schema"]["schema"]["properties"] == {"x": {}}


@pytest.mark.parametrize("value", [{"type": "json_object"}, {"type": "grammar", "grammar": "x"}])
def test_other_formats_pass_verbatim(value: dict[str, Any]) -> None:
    assert response_format_to_wire(value) == value


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": 5},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": None},
        {"type": "json_schema", "json_schema": "city"},
        {"type": "json_schema", "json_schema": {"name": "city"}},
        {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "array"}}},
        {"type": "function", "function": {"name": "f"}},
        {"function": "city"},
        "city",
        5,
        int,
        list[int],
    ],
)
def test_what_is_no_schema_is_refused(value: Any) -> None:
    with pytest.raises(OpenRouterInputError):
        response_format_to_wire(value)


def test_a_schema_that_cannot_be_strict_is_named_by_its_path() -> None:
    strict = {"name": "city", "strict": True, "schema": {"type": "object", "properties": {"x": {}}}}
    with pytest.raises(OpenRouterInputError, match=r"schema 'city'.*\$\.properties\.x"):
        response_format_to_wire(strict)


def test_the_tool_of_a_target_carries_its_description() -> None:
    function = build_output_schema(City).tool(strict=None)[0]["function"]
    assert (function["name"], function["description"]) == ("City", "A city.")
    assert "description" not in build_output_schema(OldCity).tool(strict=None)[0]["function"]


@pytest.mark.parametrize(("schema", "title"), [(UNTITLED, "output"), (DataCity, "DataCity")])
def test_a_traced_schema_has_a_title(schema: Any, title: str) -> None:
    assert build_output_schema(schema).traced(schema)["title"] == title


@pytest.mark.parametrize(
    "schema", [City, Country, DictCity, DictCountry, SCHEMA, Country.model_json_schema(), FUNCTION]
)
def test_a_traced_schema_is_as_langchain_shows_it(schema: Any) -> None:
    traced = build_output_schema(schema).traced(schema)
    assert traced == convert_to_json_schema(schema)
    assert convert_to_json_schema(traced) == traced  # LangChain converts it anew for each call


def test_a_traced_schema_keeps_its_recursion() -> None:
    traced = build_output_schema(Part).traced(Part)
    assert traced["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}
    assert traced["$defs"]["Part"]["properties"].keys() == {"parts"}


@pytest.mark.parametrize("text", ["", "Oslo", '{"name": "Os', '{"name": 5}', '{"name": "Atlantis"}',
                                  "[" * 100_000])  # fmt: skip
def test_an_answer_that_is_not_the_object_is_a_typed_error_with_the_answer(text: str) -> None:
    message = AIMessage(text, response_metadata={"id": "gen-1", "provider": "Azure"})
    with pytest.raises(OpenRouterOutputError) as caught:
        parser().parse_message(message)
    assert caught.value.partial is message
    assert caught.value.llm_output == text
    assert (caught.value.generation_id, caught.value.provider_name) == ("gen-1", "Azure")


@pytest.mark.parametrize("text", ["null", "5", "[1]", '"x"'])
@pytest.mark.parametrize("schema", [DictCity, SCHEMA])
def test_an_answer_that_is_no_object_is_not_passed_off_as_one(schema: Any, text: str) -> None:
    with pytest.raises(OpenRouterOutputError):
        parser(schema).parse(text)


@pytest.mark.parametrize(
    "metadata",
    [{"finish_reason": "length"},
     {"finish_reason": "tool_calls", "native_finish_reason": "max_output_tokens"}],
)  # fmt: skip
@pytest.mark.parametrize("text", ['{"name": "Oslo"}', '{"name": "Os', ""])
def test_an_answer_cut_by_a_limit_is_never_an_object(metadata: dict[str, str], text: str) -> None:
    counts: Any = {"input_tokens": 1, "output_tokens": 99, "total_tokens": 100,
                   "output_token_details": {"reasoning": 64}}  # fmt: skip
    message = AIMessage(text, response_metadata=metadata, usage_metadata=counts)
    with pytest.raises(OpenRouterTruncatedError, match="99 tokens, 64 of them hidden"):
        parser().parse_message(message)


def test_the_nulls_of_absent_optionals_become_defaults_again() -> None:
    assert parser().parse('{"name": "Oslo", "people": null, "tag": null}') == City(name="Oslo")
    assert parser(SCHEMA).parse('{"name": "Oslo", "tag": null}') == {"name": "Oslo"}


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (AIMessage("Oslo"), "no call of City.*'Oslo'"),
        (called(name="Other"), "no call of City"),
        (called({"name": 5}), "does not fit City"),
        (called({"name": "half \ud83d"}), "does not fit City"),  # of the caller's own making
        (AIMessage("", tool_calls=called().tool_calls * 2), "2 calls of City"),
        (
            AIMessage("", invalid_tool_calls=[
                {"name": "City", "args": '{"na', "id": "1", "error": None,
                 "type": "invalid_tool_call"}]),
            "not valid",
        ),
        (HumanMessage("x"), "HumanMessage makes no tool calls"),
    ],
)  # fmt: skip
def test_a_missing_doubled_or_broken_call_is_an_error(message: Any, match: str) -> None:
    with pytest.raises(OpenRouterOutputError, match=match):
        parser(method="function_calling").parse_message(message)


def test_without_raw_a_result_is_the_object() -> None:
    good = '{"name": "Oslo"}'
    assert parser().parse_result([Generation(text=good)]) == City(name="Oslo")
    assert parser().parse_result([ChatGeneration(message=AIMessage(good))]) == City(name="Oslo")


class Rate(BaseModel):
    value: float
    note: str | None = None


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5_000])
@pytest.mark.parametrize("rest", ["", '"note":null', '"note":"x"'])
@pytest.mark.parametrize("schema", [Rate, Rate.model_json_schema()])
def test_no_object_holds_a_number_that_json_does_not_know(
    schema: Any, rest: str, number: str
) -> None:
    pieces = [f'{{"value":{number}', f",{rest}" if rest else "", "}"]
    with pytest.raises(OpenRouterOutputError):
        parser(schema).parse("".join(pieces))
    shown: list[Any] = []
    with pytest.raises(OpenRouterOutputError):
        shown.extend(parser(schema).transform(iter(pieces)))
    assert shown in ([], [{}])


PIECES = ['{"na', 'me": "Os', 'lo", "tag"', ': "x"}']


async def stream(reader: StructuredOutputParser, parts: list[Any]) -> list[Any]:
    """Both streams, which must be the same."""

    async def later() -> Any:
        for part in parts:
            yield part

    made = list(reader.transform(iter(parts)))
    assert [item async for item in reader.atransform(later())] == made
    return made


async def test_an_instance_appears_once_it_is_valid() -> None:
    made = await stream(parser(), PIECES)
    assert all(isinstance(item, City) for item in made)
    assert made[-1] == City(name="Oslo", tag="x")


async def test_the_arguments_of_a_call_grow_too() -> None:
    parts = [
        AIMessageChunk(
            content="",
            tool_call_chunks=[
                {"name": "city" if n == 0 else None, "args": piece, "id": None, "index": 0,
                 "type": "tool_call_chunk"}
            ],
        )
        for n, piece in enumerate(PIECES)
    ]  # fmt: skip
    made = await stream(parser(SCHEMA, "function_calling"), parts)
    assert made[-1] == {"name": "Oslo", "tag": "x"}


def test_a_stream_that_fails_with_raw_has_no_object_left() -> None:
    parts = [AIMessageChunk(content=piece) for piece in PIECES[:2]]
    total: Any = None
    for item in list(parser(SCHEMA, include_raw=True).transform(iter(parts))):
        total = item if total is None else total + item
    assert total["parsed"] is None
    assert isinstance(total["parsing_error"], OpenRouterOutputError)


def test_a_stream_that_fails_without_raw_raises() -> None:
    reader = parser(SCHEMA)
    with pytest.raises(OpenRouterOutputError):
        list(reader.transform(iter(PIECES[:2])))


async def test_a_stream_of_nothing_gives_nothing() -> None:
    assert await stream(parser(), []) == []


@pytest.mark.parametrize("null", ["", ',"people":null'])
@pytest.mark.parametrize(
    "text", ['{"name":"Oslo"%s}', '\n {"name":"Oslo","tag":"x"%s} ', '{"name":1%s}']
)
def test_both_ways_to_read_an_object_agree(text: str, null: str) -> None:
    target = build_output_schema(City)
    message = AIMessage(text % null)
    always = replace(target, validate=lambda text: target.validate(encode(decode(text))))
    outcomes = []
    for way in (target, always):
        parser = StructuredOutputParser(target=way, method="json_schema")
        try:
            outcomes.append(parser.parse_message(message))
        except OpenRouterOutputError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
