"""Every kind of schema that people write: what goes out, and what comes back as an object."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import pickle
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Optional

import pytest
from jsonschema import Draft202012Validator
from langchain_core.runnables import RunnableParallel
from langchain_core.tools import tool
from langchain_core.tracers import ConsoleCallbackHandler
from langchain_openai import custom_tool
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    PositiveInt,
    SecretStr,
    Tag,
    TypeAdapter,
    computed_field,
    create_model,
    field_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import (
    Never,
    NotRequired,
    ReadOnly,
    Required,
    TypeAliasType,
    TypedDict,
    override,
)

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.contract.test_structured_output import MODES, every_method
from tests.helpers import wire

Run = Callable[[Any, str], Any]


PROMPT = "Answer as JSON."


@pytest.fixture(params=MODES)
def run(request: pytest.FixtureRequest) -> Run:
    """One of the four ways to call a chain."""
    return MODES[request.param]


def play(emulator: Emulator, answer: Any, method: str = "json_schema", name: str = "") -> None:
    """Let the server answer with an object, as text or as a tool call."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    if method == "function_calling":
        call = wire.tool_call(name, text)
        body = wire.body(None, finish="tool_calls", tool_calls=[call])
    else:
        body = wire.body(text)
    emulator.play(Canned(pieces=wire.to_json(body)))


def sent_body(emulator: Emulator) -> dict[str, Any]:
    """The body of the last request."""
    body = emulator.requests[-1].body
    assert body is not None
    return body


def sent_format(emulator: Emulator) -> dict[str, Any]:
    """The envelope of the last request's response format."""
    envelope: dict[str, Any] = sent_body(emulator)["response_format"]["json_schema"]
    return envelope


def sent_schema(emulator: Emulator) -> dict[str, Any]:
    """The schema of the last request's response format."""
    schema: dict[str, Any] = sent_format(emulator)["schema"]
    return schema


def sent_tool(emulator: Emulator) -> dict[str, Any]:
    """The function of the last request's first tool."""
    function: dict[str, Any] = sent_body(emulator)["tools"][0]["function"]
    return function


# --- S3, S4: TypedDicts keep what is optional, on every Python ---


class Address(typing.TypedDict, total=False):
    """Where somebody lives."""

    street: str
    zip_code: Required[str]


class PersonDict(typing.TypedDict):
    """A person.

    Args:
        name: As in the passport.
    """

    name: str
    age: int | None
    nick: Optional[str]  # noqa: UP045 - the spelling of many callers
    address: NotRequired[Address]
    colour: NotRequired[Literal["red", "blue"]]
    unit: Annotated[str, "piece", "What is counted"]
    home: NotRequired[Annotated[str, "The town"]]


class Tree(TypedDict):
    """A tree."""

    value: int
    children: NotRequired[list[Tree]]


Forest = TypedDict("Forest", {"trees": list["Tree"]})  # noqa: UP013 - a text at run time

PERSON: dict[str, Any] = {"name": "Ann", "age": None, "nick": None}


@pytest.mark.parametrize(
    "case",
    [
        (PersonDict, {**PERSON, "address": None, "colour": None, "unit": None}, PERSON),
        (
            PersonDict,
            {**PERSON, "address": {"street": None, "zip_code": "1"}, "colour": "red", "unit": "kg"},
            {**PERSON, "address": {"zip_code": "1"}, "colour": "red", "unit": "kg"},
        ),
        (
            Tree,
            {"value": 1, "children": [{"value": 2, "children": None}]},
            {"value": 1, "children": [{"value": 2}]},
        ),
        (Forest, {"trees": [{"value": 1, "children": None}]}, {"trees": [{"value": 1}]}),
    ],
)
def test_a_typed_dict_keeps_what_is_optional(
    emulator: Emulator, model: ChatOpenRouterO3, case: tuple[Any, Any, Any], run: Run
) -> None:
    schema, answer, expected = case
    play(emulator, answer)
    chain = model.with_structured_output(schema, strict=True)
    traced = chain.with_config(callbacks=[ConsoleCallbackHandler()])
    assert run(traced, PROMPT) == expected


class Remark(TypedDict):
    """A remark."""

    text: str
    urgent: NotRequired[Literal[True]]


REMARK: dict[str, Any] = {
    "title": "Remark",
    "type": "object",
    "properties": {"text": {"type": "string"}, "urgent": {"const": True}},
    "required": ["text"],
}


@pytest.mark.parametrize("schema", [Remark, REMARK])
def test_an_optional_constant_may_be_absent(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any, run: Run
) -> None:
    """A model that had to give it would say of every remark that it is urgent."""
    play(emulator, {"text": "Tea", "urgent": None})
    chain = model.with_structured_output(schema, strict=True)
    assert run(chain, PROMPT) == {"text": "Tea"}
    Draft202012Validator(sent_schema(emulator)).validate({"text": "Tea", "urgent": None})


def test_an_optional_constant_is_not_strict_where_null_is_not_undone(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """An agent parses its answer itself, and a tool its arguments."""
    with pytest.warns(UserWarning, match="without strict mode.*urgent.*always be given"):
        model.bind(response_format=Remark).invoke(PROMPT)
    assert sent_format(emulator)["strict"] is False
    assert sent_schema(emulator)["required"] == ["text"]
    with pytest.raises(OpenRouterInputError, match="always be given"):
        model.bind_tools([Remark], strict=True)


class Bird(TypedDict):
    """A bird."""

    kind: NotRequired[Literal["bird"]]
    name: str


class Fish(TypedDict):
    """A fish."""

    kind: NotRequired[Literal["fish"]]
    name: str


class Pond(BaseModel):
    """What lives in a pond."""

    animal: Bird | Fish


def test_an_optional_constant_that_is_the_tag_of_a_union_is_given(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    play(emulator, {"animal": {"kind": "fish", "name": "Wanda"}})
    found = model.with_structured_output(Pond, strict=True).invoke(PROMPT)
    assert found == Pond(animal=Fish(kind="fish", name="Wanda"))
    model.bind(response_format=Pond).invoke(PROMPT)
    for request in emulator.requests:
        assert request.body is not None
        sent = request.body["response_format"]["json_schema"]
        assert sent["strict"] is True
        for definition in sent["schema"]["$defs"].values():
            assert definition["required"][0] == "kind"
            assert "const" in definition["properties"]["kind"]


def test_a_typed_dict_says_what_it_means(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    model.with_structured_output(PersonDict).invoke("Ann lives in a street.")
    properties = sent_schema(emulator)["properties"]
    assert properties["name"]["description"] == "As in the passport."
    assert properties["age"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["unit"]["description"] == 'What is counted. Default: "piece".'
    assert "null" in properties["unit"]["type"]
    assert properties["home"]["description"] == "The town"


def kind_of(value: Any) -> Any:
    """The tag by which pydantic chooses."""
    return value.get("kind")


class Limited(TypedDict):
    age: Annotated[PositiveInt, "How old"]
    pet: Annotated[
        Annotated[Bird, Tag("bird")] | Annotated[Fish, Tag("fish")],
        Discriminator(kind_of),
        "What lives there",
    ]
    rank: NotRequired[Annotated[PositiveInt, 7, "The place"]]
    key: NotRequired[Annotated[SecretStr, "A secret"]]


@every_method
def test_limits_beside_words_stay_limits(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, run: Run
) -> None:
    """They are not taken for LangChain's default, with which a key would be optional."""
    chain = model.with_structured_output(Limited, method=method)
    whole: dict[str, Any] = {"age": 3, "pet": {"kind": "fish", "name": "Wanda"}}
    play(emulator, whole, method, "Limited")
    assert run(chain, PROMPT) == whole
    for wrong in ({"pet": whole["pet"]}, {**whole, "age": 0}):
        play(emulator, wrong, method, "Limited")
        with pytest.raises(OpenRouterOutputError, match="does not fit"):
            run(chain, PROMPT)


def test_limits_beside_words_are_told(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    model.bind_tools([Limited]).invoke(PROMPT)
    parameters = sent_tool(emulator)["parameters"]
    age = {"type": "integer", "exclusiveMinimum": 0, "description": "How old"}
    assert parameters["properties"]["age"] == age
    assert parameters["properties"]["rank"]["default"] == 7
    assert parameters["required"] == ["age", "pet"]


class Qualified(TypedDict):
    name: Required[ReadOnly[str]]
    parts: ReadOnly[NotRequired[list[Qualified]]]
    size: NotRequired[ReadOnly[Annotated[int, "How large"]]]


@pytest.mark.filterwarnings("error")
def test_qualifiers_come_in_any_order(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    play(emulator, {"name": "a", "parts": [{"name": "b", "parts": None, "size": 2}], "size": None})
    found: Any = model.with_structured_output(Qualified, strict=True).invoke(PROMPT)
    assert found == {"name": "a", "parts": [{"name": "b", "size": 2}]}


@pytest.mark.parametrize("schema", [PersonDict, Tree])
def test_a_typed_dict_is_a_tool(model: ChatOpenRouterO3, emulator: Emulator, schema: Any) -> None:
    model.bind_tools([schema]).invoke("Hello")
    parameters = sent_tool(emulator)["parameters"]
    assert parameters["required"] == [
        name for name in schema.__annotations__ if name in parameters["required"]
    ]
    assert "children" not in parameters["required"]
    assert "{}" not in json.dumps(parameters)


@dataclass
class House:
    address: Address


class Street(typing.NamedTuple):
    house: House
    next_one: Optional[House] = None  # noqa: UP045 - the spelling of many callers


class Town(TypedDict):
    streets: TypeAliasType("Streets", list[Street])  # type: ignore[valid-type]


def find_house(house: House) -> str:
    """Find a house."""
    return str(house)


@pytest.mark.parametrize("schema", [House, Town, find_house])
def test_a_typed_dict_that_cannot_be_read_is_named(model: ChatOpenRouterO3, schema: Any) -> None:
    refused = pytest.raises(OpenRouterInputError, match=r"Address.*from typing_extensions")
    with contextlib.nullcontext() if sys.version_info >= (3, 12) else refused:
        model.bind_tools([schema])


# --- S5, S25, S30: unions ---


class Card(BaseModel):
    number: str = ""


class Bank(BaseModel):
    iban: str
    bic: str = "unknown"


class Payment(BaseModel):
    parts: list[Card] | list[Bank]


class Banana(BaseModel):
    ripe: bool = True
    kind: Literal["banana"] = "banana"


class Apple(BaseModel):
    ripe: bool = True
    kind: Literal["apple"] = "apple"


class Basket(BaseModel):
    fruit: Banana | Apple
    more: list[Annotated[Banana | Apple, Field(discriminator="kind")]] = []


class Wide(BaseModel):
    value: str
    width: int = 1


class Tall(BaseModel):
    value: str
    height: int = 1


class Shade(Enum):
    DARK = "dark"
    LIGHT = "light"


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Lamp(BaseModel):
    value: Shade = Field(Shade.DARK, description="How dark it is.")


class Table(BaseModel):
    value: Size = Size.SMALL


class Furniture(BaseModel):
    piece: Lamp | Table


class Shape(BaseModel):
    either: Wide | Tall | None = None


class First(BaseModel):
    name: str
    role: str = "captain"


class Second(BaseModel):
    name: str
    role: str = "sailor"


class Crew(BaseModel):
    pair: tuple[First, Second]


class Urgent(BaseModel):
    due: date
    owner: str = "boss"


class Later(BaseModel):
    due: str
    owner: str = "nobody"


class Task(BaseModel):
    when: Urgent | Later


class Noted(TypedDict):
    name: str
    note: NotRequired[str]


class MaybeNoted(TypedDict):
    name: str
    note: str | None


class Pair(TypedDict):
    pair: tuple[Noted, MaybeNoted]


class Blank(BaseModel):
    size: int | None = None


class Titled(BaseModel):
    title: str = ""


class Sheet(BaseModel):
    part: Blank | Titled


UNIONS: list[tuple[Any, Any, Any]] = [
    (Sheet, {"part": {"title": None}}, Sheet(part=Titled())),
    (Sheet, {"part": {"size": None}}, Sheet(part=Blank())),
    (
        Crew,
        {"pair": [{"name": "Ann", "role": None}, {"name": "Bob", "role": None}]},
        Crew(pair=(First(name="Ann"), Second(name="Bob"))),
    ),
    (Task, {"when": {"due": "some day", "owner": None}}, Task(when=Later(due="some day"))),
    (
        Pair,
        {"pair": [{"name": "a", "note": None}, {"name": "b", "note": None}]},
        {"pair": ({"name": "a"}, {"name": "b", "note": None})},
    ),
    (Payment, {"parts": [{"iban": "DE00", "bic": None}]}, Payment(parts=[Bank(iban="DE00")])),
    (Payment, {"parts": [{"number": None}]}, Payment(parts=[Card()])),
    (
        Basket,
        {"fruit": {"kind": "apple", "ripe": None}, "more": [{"kind": "banana", "ripe": False}]},
        Basket(fruit=Apple(), more=[Banana(ripe=False)]),
    ),
    (Shape, {"either": {"height": None, "value": "x"}}, Shape(either=Tall(value="x"))),
    (Shape, {"either": {"width": 3, "value": "x"}}, Shape(either=Wide(value="x", width=3))),
    (Shape, {"either": None}, Shape()),
    (Furniture, {"piece": {"value": "small"}}, Furniture(piece=Table())),
    (Furniture, {"piece": {"value": "light"}}, Furniture(piece=Lamp(value=Shade.LIGHT))),
]


@every_method
@pytest.mark.parametrize("case", UNIONS)
def test_the_member_of_a_union_is_the_one_that_the_value_fits(
    emulator: Emulator, model: ChatOpenRouterO3, case: tuple[Any, Any, Any], method: Any, run: Run
) -> None:
    schema, answer, expected = case
    play(emulator, answer, method, schema.__name__)
    assert run(model.with_structured_output(schema, method=method), PROMPT) == expected


class ByMail(BaseModel):
    kind: Literal["mail"]
    address: str = ""

    @field_validator("address")
    @classmethod
    def has_a_place(cls, address: str) -> str:
        if "@" not in address:
            raise ValueError("no address")
        return address


class ByPost(BaseModel):
    kind: Literal["post"]
    street: str
    land: str = "no"

    @field_validator("land")
    @classmethod
    def in_capitals(cls, land: str) -> str:
        return land.upper()


class Sending(BaseModel):
    way: ByMail | ByPost


@every_method
@pytest.mark.parametrize(
    "case",
    [
        ({"kind": "mail", "address": None}, ByMail(kind="mail")),
        ({"kind": "post", "street": "Elm", "land": None}, ByPost(kind="post", street="Elm")),
    ],
)
def test_validators_see_no_default_that_stands_for_null(
    emulator: Emulator, model: ChatOpenRouterO3, case: tuple[Any, Any], method: Any, run: Run
) -> None:
    answer, expected = case
    play(emulator, {"way": answer}, method, "Sending")
    found = run(model.with_structured_output(Sending, method=method), PROMPT)
    assert found == Sending(way=expected)
    assert found.way.model_fields_set == expected.model_fields_set


class Note(BaseModel):
    name: str


class Event(BaseModel):
    name: str
    at: datetime = Field(default_factory=datetime.now)
    limit: float = math.inf


class Reminder(BaseModel):
    name: str
    day: int
    at: datetime = Field(default_factory=datetime.now)


class Diary(BaseModel):
    entry: Note | Event | Reminder
    key: float = math.inf


class NoteDict(TypedDict):
    name: str


class EventDict(TypedDict):
    name: str
    at: NotRequired[str]


class DiaryDict(TypedDict):
    entry: NoteDict | EventDict


@pytest.mark.parametrize(
    ("schema", "nullable"),
    [(Diary, {"key", "Reminder.at"}), (DiaryDict, {"EventDict.at"})],
)
def test_null_never_stands_for_a_default_that_another_member_lacks(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any, nullable: set[str]
) -> None:
    play(emulator, {"entry": {"name": "x", "at": "2026-11-29T00:00:00", "limit": 1, "key": None}})
    with contextlib.suppress(OpenRouterOutputError):  # only what went out is looked at
        model.with_structured_output(schema).invoke(PROMPT)
    sent = sent_schema(emulator)
    objects = {"": sent, **{f"{name}.": each for name, each in sent.get("$defs", {}).items()}}
    assert nullable == {
        f"{owner}{name}"
        for owner, each in objects.items()
        for name, item in each["properties"].items()
        if name != "entry" and "null" in json.dumps(item)
    }


@every_method
def test_a_member_with_a_default_that_json_cannot_show_is_made(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, run: Run
) -> None:
    at = datetime(2026, 11, 29)  # noqa: DTZ001 - as the class has it
    entry = {"name": "x", "at": at.isoformat(), "limit": 1.0}
    play(emulator, {"entry": entry, "key": None}, method, "Diary")
    made = run(model.with_structured_output(Diary, method=method), PROMPT)
    assert made == Diary(entry=Event(name="x", at=at, limit=1))


class Folder(TypedDict):
    name: str
    children: NotRequired[list[Folder | Leaf]]


class Leaf(TypedDict):
    name: str
    size: NotRequired[int]


def test_nulls_are_taken_out_of_deep_unions_in_time_that_does_not_double(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    schema = TypeAdapter(Folder).json_schema()
    answer: Any = {"name": "leaf", "size": None}
    expected: Any = {"name": "leaf"}
    for _ in range(60):
        answer = {"name": "folder", "children": [answer]}
        expected = {"name": "folder", "children": [expected]}
    play(emulator, answer, "json_schema", "Folder")
    assert model.with_structured_output(schema).invoke(PROMPT) == expected


def test_a_tag_is_never_null_and_comes_first(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    model.with_structured_output(Basket).invoke("A basket.")
    for fruit in ("Banana", "Apple"):
        definition = sent_schema(emulator)["$defs"][fruit]
        assert list(definition["properties"]) == definition["required"] == ["kind", "ripe"]
        assert definition["properties"]["kind"]["const"] == fruit.lower()


def test_enums_tell_members_apart_although_they_are_described(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.with_structured_output(Furniture).invoke("A piece of furniture.")  # not refused
    value = sent_schema(emulator)["$defs"]["Lamp"]["properties"]["value"]
    assert value["enum"] == ["dark", "light"]
    assert value["description"] == 'How dark it is. Default: "dark".'


def test_members_without_a_tag_begin_with_different_keys(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.with_structured_output(Shape).invoke("A shape.")
    definitions = sent_schema(emulator)["$defs"]
    firsts = {next(iter(definitions[name]["properties"])) for name in ("Wide", "Tall")}
    assert len(firsts) == 2


# --- S6, S7: whatever the kind, half an object is an error ---


class PlainModel(BaseModel):
    name: str
    born: int


class OldLeaf(BaseModelV1):
    size: tuple[int, str]
    note: str = "none"


class OldTwig(BaseModelV1):
    size: Optional[int] = None  # noqa: UP045 - pydantic's first version reads it so


class OldBranch(BaseModelV1):
    colour: Literal["red", "blue"] = "red"
    end: OldLeaf | OldTwig


class OldStump(BaseModelV1):
    rings: int = 1


class OldTree(BaseModelV1):
    part: OldBranch | OldStump


class OldModel(BaseModelV1):
    name: str
    born: int


@dataclass
class PlainData:
    name: str
    born: int


class PlainDict(TypedDict):
    name: str
    born: int


KINDS: dict[str, Any] = {
    "pydantic": PlainModel,
    "pydantic v1": OldModel,
    "dataclass": PlainData,
    "typed dict": PlainDict,
    "json schema": PlainModel.model_json_schema(),
    "envelope": {"name": "PlainModel", "schema": PlainModel.model_json_schema()},
}
HALVES = ["{}", '{"name":"Ann"}', '{"name":5,"born":"x"}', '{"name":"Ann","born":null}']


@every_method
@pytest.mark.parametrize("schema", KINDS.values(), ids=KINDS)
def test_half_an_object_is_an_error(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any, method: Any, run: Run
) -> None:
    for half in HALVES:
        play(emulator, half, method, getattr(schema, "__name__", "PlainModel"))
        with pytest.raises(OpenRouterOutputError, match="does not fit"):
            run(model.with_structured_output(schema, method=method), PROMPT)


@every_method
@pytest.mark.parametrize("schema", KINDS.values(), ids=KINDS)
def test_a_chain_can_be_pickled(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    schema: Any,
    method: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    chain = model.with_structured_output(schema, method=method)
    name = getattr(schema, "__name__", "PlainModel")
    play(emulator, {"name": "Ann", "born": 1}, method, name)
    found = pickle.loads(pickle.dumps(chain)).invoke(PROMPT)
    play(emulator, {"name": "Ann", "born": 1}, method, name)
    assert found == chain.invoke(PROMPT)


class Tagged(BaseModel):
    """Its values are known only when the program runs."""

    tag: str
    tags: ClassVar[list[str]] = ["red"]

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        shown = handler(core_schema)
        handler.resolve_ref_schema(shown)["properties"]["tag"]["enum"] = [*cls.tags]
        return shown


def test_a_class_is_shown_as_it_is_now(
    emulator: Emulator, model: ChatOpenRouterO3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tags in (["red"], ["red", "blue"]):
        monkeypatch.setattr(Tagged, "tags", tags)
        model.with_structured_output(Tagged).invoke(PROMPT)
        assert sent_schema(emulator)["properties"]["tag"]["enum"] == tags
        model.bind(response_format=Tagged).invoke(PROMPT)
        assert sent_schema(emulator)["properties"]["tag"]["enum"] == tags


class Written(BaseModel):
    """Configured to show what it writes, which is not what it takes."""

    model_config = ConfigDict(json_schema_mode_override="serialization")

    size: int = Field(3, validation_alias="taken", serialization_alias="written")

    @computed_field
    def double(self) -> int:
        return self.size * 2


@pydantic_dataclass(config=ConfigDict(extra="forbid"))
class Counted:
    """Counts its letters itself, and refuses to be told."""

    text: str
    letters: int = Field(init=False, default=0)


@pytest.mark.parametrize(
    ("schema", "answer", "expected"),
    [
        (Written, {"taken": 5}, Written.model_validate({"taken": 5})),
        (Counted, {"text": "Tea"}, Counted(text="Tea")),
    ],
)
def test_a_class_is_shown_by_what_it_takes(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any, answer: Any, expected: Any
) -> None:
    play(emulator, answer)
    assert model.with_structured_output(schema).invoke(PROMPT) == expected
    assert sent_schema(emulator)["required"] == [*answer]


class ByPath(BaseModel):
    """Takes its field by no name at all."""

    street: str = Field("none", validation_alias=AliasPath("address", "street"))


class ByPathOrName(BaseModel):
    """Takes its field by a path or a name."""

    street: str = Field(validation_alias=AliasChoices(AliasPath("address", "street"), "street"))


class ByPathOrOwnName(ByPath):
    """Takes its field by a path or the field's own name."""

    model_config = ConfigDict(populate_by_name=True)


def test_a_field_that_is_read_from_a_path_needs_a_name_besides(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """Under the name that pydantic shows the answer would be lost, and the default stand for it."""
    with pytest.raises(OpenRouterInputError, match=r"schema 'ByPath': .*AliasChoices"):
        model.with_structured_output(ByPath)
    for schema in (ByPathOrName, ByPathOrOwnName):
        play(emulator, {"street": "Elm"})
        found: Any = model.with_structured_output(schema).invoke(PROMPT)
        assert found.street == "Elm"


def test_a_wrong_value_within_makes_no_other_object(
    emulator: Emulator, model: ChatOpenRouterO3, run: Run
) -> None:
    """A class that passes other keys would take what is left for a member without any."""
    play(emulator, {"part": {"colour": None, "end": {"size": None, "note": "x"}}})
    found = run(model.with_structured_output(OldTree), PROMPT)
    assert found == OldTree(part=OldBranch(end=OldTwig()))  # as the class itself reads it


class Counts(PlainDict, extra_items=ReadOnly[int]):  # type: ignore[call-arg]
    """Names the type of its other keys (PEP 728)."""


class Nested(PlainDict, extra_items="int | Nested"):  # type: ignore[call-arg]
    within: NotRequired[list[Annotated[Nested, Field(description="Inside")]]]
    depth: NotRequired[Annotated[int, Field(ge=1)]]


class Words(PlainDict, extra_items=str):  # type: ignore[call-arg]
    pass


class MoreWords(Words):
    pass


class Closed(PlainDict, extra_items=Never):  # type: ignore[call-arg]
    pass


@pytest.mark.parametrize(
    ("schema", "is_right"),
    [
        (KINDS["json schema"], True),
        ({**KINDS["json schema"], "additionalProperties": False}, False),
        ({**KINDS["json schema"], "additionalProperties": {"type": "string"}}, False),
        (PlainDict, True),
        (Counts, True),
        (Nested, True),
        (Words, False),
        (MoreWords, False),
        (Closed, False),
    ],
)
def test_more_keys_are_judged_by_the_schema(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    schema: Any,
    is_right: bool,  # noqa: FBT001 - a table
) -> None:
    answer = {"name": "Ann", "born": 1, "more": 2}
    play(emulator, answer)
    chain = model.with_structured_output(schema, method="json_mode")
    if is_right:
        assert chain.invoke(PROMPT) == answer
        return
    with pytest.raises(OpenRouterOutputError, match="does not fit"):
        chain.invoke(PROMPT)


@pytest.mark.parametrize(
    ("price", "is_right"),
    [(0.07, True), (19.99, True), (1e300, True), (-3, True), (0.075, False), (1e-9, False)],
)
def test_cents_are_multiples_of_cents(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    price: float,
    is_right: bool,  # noqa: FBT001 - a table
) -> None:
    """To floats 0.07 is no multiple of 0.01."""
    cents = {"type": "number", "multipleOf": 0.01}
    schema = {**SCHEMA, "title": "price", "properties": {"price": cents}, "required": ["price"]}
    play(emulator, {"price": price})
    chain = model.with_structured_output(schema, strict=True)
    if is_right:
        assert chain.invoke(PROMPT) == {"price": price}
        return
    with pytest.raises(OpenRouterOutputError, match="not a multiple"):
        chain.invoke(PROMPT)


COUNT: dict[str, Any] = {"type": "integer"}
DEPENDENT: dict[str, Any] = {
    "title": "dependent",
    "type": "object",
    "properties": {"card": COUNT, "name": {"type": "string"}},
}


@pytest.mark.parametrize("needed", [["name"], {"required": ["name"]}])
def test_what_draft_07_makes_depend_on_a_key_is_asked_for(
    emulator: Emulator, model: ChatOpenRouterO3, needed: Any
) -> None:
    schema = {**DEPENDENT, "dependencies": {"card": needed}}
    for answer in ({}, {"card": 1, "name": "Ann"}):
        play(emulator, answer)
        chain = model.with_structured_output(schema, strict=False)
        assert chain.invoke(PROMPT) == answer
    play(emulator, {"card": 1})
    with pytest.raises(OpenRouterOutputError, match="'name' is a"):
        chain.invoke(PROMPT)


PART: dict[str, Any] = {
    "$id": "part",
    "type": "object",
    "properties": {"size": {"$ref": "#/$defs/Size"}},
    "required": ["size"],
    "$defs": {"Size": {**COUNT, "$anchor": "size"}},
}


@pytest.mark.parametrize(
    "reference", ["part", "https://example.org/part", "#/$defs/Part", "whole#/$defs/Part"]
)
def test_a_schema_with_a_uri_of_its_own_has_references_of_its_own(
    emulator: Emulator, model: ChatOpenRouterO3, reference: str
) -> None:
    """As bundlers write them: below the part `#` is the part."""
    schema = {
        "$id": "https://example.org/whole",
        "title": "whole",
        "type": "object",
        "properties": {"part": {"$ref": reference}, "size": {"$ref": "part#size"}},
        "required": ["part", "size"],
        "$defs": {"Part": PART, "Size": {"type": "string"}},
    }
    chain = model.with_structured_output(schema, strict=True)
    play(emulator, {"part": {"size": 1}, "size": 2})
    assert chain.invoke(PROMPT) == {"part": {"size": 1}, "size": 2}
    play(emulator, {"part": {"size": "large"}, "size": 2})
    with pytest.raises(OpenRouterOutputError, match="does not fit"):
        chain.invoke(PROMPT)


def test_a_part_with_a_uri_may_refer_to_what_the_whole_alone_has(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    schema = {
        "title": "whole",
        "type": "object",
        "properties": {"part": {**PART, "$defs": {}}},
        "required": ["part"],
        "$defs": {"Size": COUNT},
    }
    chain = model.with_structured_output(schema, strict=True)
    play(emulator, {"part": {"size": 1}})
    assert chain.invoke(PROMPT) == {"part": {"size": 1}}


LEAF: dict[str, Any] = {"type": "object", "properties": {"v": COUNT}, "required": ["v"]}
ELSEWHERE: dict[str, Any] = {
    "title": "whole",
    "type": "object",
    "properties": {"of_v": {"$ref": "#/components/schemas/Of~1V"}},
    "required": ["of_v"],
    "$defs": {"Of/V": {"type": "string"}},
    "components": {
        "schemas": {
            "Of/V": {
                "type": "object",
                "properties": {
                    "v": {
                        "type": "number",
                        "nullable": True,
                        "minimum": 0,
                        "exclusiveMinimum": True,
                    },
                    "more": {"type": "array", "items": {"$ref": "#/components/schemas/Of~1V"}},
                },
                "required": ["v"],
            }
        }
    },
}


def test_what_lies_outside_all_keywords_is_read_where_it_is_referred_to(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """As in OpenAPI, whose schemas lie below `components`."""
    chain = model.with_structured_output(ELSEWHERE, strict=True)
    play(emulator, {"of_v": {"v": None, "more": [{"v": 1, "more": None}]}})
    assert chain.invoke(PROMPT) == {"of_v": {"v": None, "more": [{"v": 1}]}}
    play(emulator, {"of_v": {"v": 0, "more": None}})
    with pytest.raises(OpenRouterOutputError, match="minimum of 0"):
        chain.invoke(PROMPT)


@pytest.mark.parametrize(
    "recursive",
    [
        {"$dynamicAnchor": "node", "again": {"$dynamicRef": "#node"}},
        {
            "$id": "https://example.org/tree",
            "$dynamicAnchor": "node",
            "again": {"$dynamicRef": "https://example.org/tree#node"},
        },
        {"$recursiveAnchor": True, "again": {"$recursiveRef": "#"}},
        {
            "$dynamicAnchor": "node",
            "again": {"$ref": "#/$defs/Again"},
            "$defs": {"Again": {"$id": "again", "$dynamicAnchor": "node", "$dynamicRef": "#node"}},
        },
    ],
)
def test_references_of_later_drafts_are_followed(
    emulator: Emulator, model: ChatOpenRouterO3, recursive: dict[str, Any]
) -> None:
    again = recursive.pop("again")
    schema = {"title": "tree", **LEAF, **recursive}
    schema["properties"] = {"v": COUNT, "parts": {"type": "array", "items": again}}
    chain = model.with_structured_output(schema, strict=True)
    play(emulator, {"v": 1, "parts": [{"v": 2, "parts": None}]})
    assert chain.invoke(PROMPT) == {"v": 1, "parts": [{"v": 2}]}
    play(emulator, {"v": 1, "parts": [{"v": "x", "parts": None}]})
    with pytest.raises(OpenRouterOutputError, match="does not fit"):
        chain.invoke(PROMPT)


@pytest.mark.parametrize(
    "make",
    [
        lambda url: {"properties": {"a": {"$ref": url}}},
        lambda url: {"properties": {"a": {"$dynamicRef": url}}},
        lambda url: {"properties": {"a": {"$recursiveRef": url}}},
        lambda url: {"properties": {"a": {"default": [None], "items": {"$ref": url}}}},
        lambda url: {"properties": {"a": {"$ref": "#/x/A"}}, "x": {"A": {"not": {"$ref": url}}}},
    ],
)
def test_no_schema_makes_the_client_ask_the_network(
    emulator: Emulator, model: ChatOpenRouterO3, make: Callable[[str], dict[str, Any]]
) -> None:
    """The schemas of tools come from servers that others run."""
    schema = {"title": "f", "type": "object", **make(f"{emulator.base_url}/models")}
    with pytest.raises(OpenRouterInputError, match=r"schema 'f': .* points nowhere"):
        model.with_structured_output(schema, strict=False)
    with pytest.raises(OpenRouterInputError, match=r"tool 'f': .* points nowhere"):
        model.bind_tools([{"name": "f", "parameters": schema}])
    assert not emulator.requests


def test_a_schema_that_names_its_draft_is_read_by_one_rule(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    schema: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "chain",
        "type": "object",
        "properties": {"pair": {**PAIR, "items": [COUNT, {"type": "string"}]}},
        "required": ["pair"],
    }
    schema["properties"]["next"] = {"$ref": "#"}
    chain = model.with_structured_output(schema)
    play(emulator, {"pair": [1, "a"], "next": {"pair": [2, "b"], "next": None}})
    assert chain.invoke(PROMPT) == {"pair": [1, "a"], "next": {"pair": [2, "b"]}}
    play(emulator, {"pair": [1, "a"], "next": {"pair": ["b", 2], "next": None}})
    with pytest.raises(OpenRouterOutputError, match="does not fit"):
        chain.invoke(PROMPT)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@every_method
def test_a_schema_means_what_is_written_of_it(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, run: Run
) -> None:
    """People put enumerations and tuples into dictionaries."""
    colour = {"type": ("string", "null"), "enum": (*Colour, None), "default": Colour.RED}
    properties = {"colour": colour, "kind": {"const": Colour.BLUE}}
    schema = {"title": "painted", "properties": properties, "required": ("colour", "kind")}
    play(emulator, {"colour": "red", "kind": "blue"}, method, "painted")
    found = run(model.with_structured_output(schema, method=method), PROMPT)
    assert found == {"colour": "red", "kind": "blue"}
    if method == "json_schema":
        assert sent_schema(emulator)["properties"]["colour"]["enum"] == ["red", "blue", None]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    at: datetime
    colour: Colour
    pair: tuple[int, str]
    note: str = "none"


STRICT = {"at": "2026-11-28T09:00:00", "colour": "red", "pair": [1, "a"]}


@every_method
@pytest.mark.parametrize("note", [None, "null", "x"])
def test_json_is_validated_as_json(
    emulator: Emulator, model: ChatOpenRouterO3, note: str | None, method: Any, run: Run
) -> None:
    play(emulator, {**STRICT, "note": note}, method, "Strict")
    found = run(model.with_structured_output(Strict, method=method), PROMPT)
    assert found == Strict(
        at=datetime(2026, 11, 28, 9),  # noqa: DTZ001 - as written
        colour=Colour.RED,
        pair=(1, "a"),
        note=note or "none",
    )


# --- S8, S9, S24, S31: what strict mode cannot have ---


class Priced(BaseModel):
    price: Decimal
    code: Annotated[str, Field(min_length=2, json_schema_extra={"pattern": "^(?=a)ab$"})]
    home: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    sizes: Annotated[Json[list[int]], Field(description="In cm", examples=["[1, 2]"])]


def test_what_strict_mode_refuses_is_told_instead(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    answer = {"price": "12.50", "code": "ab", "home": "https://example.org", "sizes": "[3]"}
    play(emulator, answer)
    found = model.with_structured_output(Priced).invoke(PROMPT)
    assert found.price == Decimal("12.50")
    schema = sent_schema(emulator)
    assert "(?" not in json.dumps(schema["properties"]["price"].get("anyOf"))
    code, home = schema["properties"]["code"], schema["properties"]["home"]
    assert not {"pattern", "minLength", "format"} & {*code, *home}
    assert code["description"] == "At least 2 characters. Matches the pattern ^(?=a)ab$."
    assert home["description"] == "Format: uri."
    sizes = schema["properties"]["sizes"]
    assert sizes["description"] == 'In cm. Content: application/json. Examples: ["[1, 2]"].'


NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("given", "sent", "answer"),
    [
        (
            {"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "b"}]},
            {
                "anyOf": [
                    {"type": "string", "const": "r", "title": "Red"},
                    {"type": "string", "const": "b"},
                ]
            },
            "r",
        ),
        (
            {"type": ["string", "null"], "oneOf": [{"enum": ["r", "b"]}, {"const": None}]},
            {
                "anyOf": [
                    {"type": "string", "enum": ["r", "b"]},
                    {"type": "null", "const": None},
                ]
            },
            None,
        ),
        (
            {"allOf": [{"$ref": "#/$defs/Named"}, {"description": "Who"}]},
            {"anyOf": [{"$ref": "#/$defs/Named"}], "description": "Who"},
            {"name": "Ann"},
        ),
        (
            {"type": "string", "contentEncoding": "base64"},
            {"type": "string", "description": "Encoding: base64."},
            "YQ==",
        ),
    ],
)
def test_what_strict_mode_can_have_is_written_as_it_takes_it(
    emulator: Emulator, model: ChatOpenRouterO3, given: Any, sent: Any, answer: Any
) -> None:
    schema = {**SCHEMA, "properties": {"a": given}, "required": ["a"], "$defs": {"Named": NAMED}}
    play(emulator, {"a": answer})
    chain = model.with_structured_output({**schema, "title": "whole"}, strict=True)
    assert chain.invoke(PROMPT) == {"a": answer}
    assert sent_schema(emulator)["properties"]["a"] == sent


class Labelled(BaseModel):
    labels: dict[str, str]


class Untyped(BaseModel):
    items: list  # type: ignore[type-arg]


def levels(count: int) -> dict[str, Any]:
    if not count:
        return {"type": "string"}
    return {"type": "object", "properties": {"a": levels(count - 1)}, "required": ["a"]}


MANY = {f"p{n}": {"type": "string"} for n in range(5_001)}
LONG = [f"{n}-{'x' * 70}" for n in range(251)]
LINKED = {
    "title": "linked",
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#"}},
    "required": ["v"],
}
ENDLESS = r"\$\.properties\.next: each value needs another one"
IMPOSSIBLE: list[tuple[Any, str]] = [
    ({**LINKED, "required": ["v", "next"]}, ENDLESS),
    ({"type": "object", "properties": {"a": {"enum": []}}}, r"\$\.properties\.a: an enum"),
    ({"type": "object", "properties": {"a": {"const": {"x": 1}}}}, r"\$\.properties\.a: an enum"),
    (Labelled, r"\$\.properties\.labels: an open dictionary"),
    (Untyped, r"\$\.properties\.items\.items"),
    (MoreWords, r"\$: an open dictionary"),
    (levels(11), "11 levels of nesting; OpenAI's limit is 10"),
    ({"type": "object", "properties": MANY}, "5001 properties; OpenAI's limit is 5000"),
    (
        {"type": "object", "properties": {"a": {"enum": [*range(1_001)]}}, "required": ["a"]},
        "1001 enum values; OpenAI's limit is 1000",
    ),
    (
        {"type": "object", "properties": {"a": {"enum": LONG}}, "required": ["a"]},
        r"\$\.properties\.a.*: .* characters in an enum of 251 values",
    ),
    (
        {"type": "object", "properties": {"x" * 120_001: {"type": "string"}}},
        "120001 characters of names",
    ),
    ({"type": "object", "properties": {"a": {"not": {}, "type": "string"}}}, "'not'"),
    (
        {"type": "object", "properties": {"a": {"anyOf": [COUNT], "oneOf": [COUNT]}}},
        r"\$\.properties\.a: 'oneOf' beside 'anyOf'",
    ),
    ({"type": "object", "properties": {"a": False}}, r"\$\.properties\.a: .* accepts nothing"),
]


@pytest.mark.parametrize(("schema", "why"), IMPOSSIBLE)
def test_what_cannot_be_strict_goes_out_loosely_with_one_warning(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any, why: str
) -> None:
    with pytest.warns(UserWarning, match=why) as caught:
        chain = model.with_structured_output(schema)
    assert len(caught) == 1
    play(emulator, "{}")
    with contextlib.suppress(OpenRouterOutputError):
        chain.invoke(PROMPT)
    assert sent_format(emulator)["strict"] is False


class Stocked(BaseModel):
    stock: Shade | dict[str, Size]
    rooms: dict[str, Lamp] = {}
    note: str = "none"


@every_method
@pytest.mark.filterwarnings("ignore:schema .* without strict mode:UserWarning")
def test_an_open_dictionary_holds_what_its_schema_says(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, run: Run
) -> None:
    """A null is taken out of its values as it is elsewhere."""
    answer = {"stock": {"null": "small"}, "rooms": {"hall": {"value": None}}, "note": None}
    play(emulator, answer, method, "Stocked")
    found = run(model.with_structured_output(Stocked, method=method), PROMPT)
    assert found == Stocked(stock={"null": Size.SMALL}, rooms={"hall": Lamp(value=Shade.DARK)})


@pytest.mark.parametrize(("schema", "why"), IMPOSSIBLE)
def test_what_cannot_be_strict_is_refused_if_it_must_be(
    model: ChatOpenRouterO3, schema: Any, why: str
) -> None:
    with pytest.raises(OpenRouterInputError, match=why):
        model.with_structured_output(schema, strict=True)


def test_an_object_that_never_ends_is_not_strict_where_null_is_not_undone(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.warns(UserWarning, match=ENDLESS) as caught:
        model.bind(response_format=LINKED).invoke(PROMPT)
    assert (len(caught), sent_format(emulator)["strict"]) == (1, False)
    with pytest.raises(OpenRouterInputError, match=ENDLESS):
        model.bind_tools([{"name": "linked", "parameters": LINKED}], strict=True)
    play(emulator, {"v": 1, "next": {"v": 2, "next": None}})
    found = model.with_structured_output(LINKED, strict=True).invoke(PROMPT)
    assert found == {"v": 1, "next": {"v": 2}}


@pytest.mark.parametrize("count", [9, 10])
def test_ten_levels_are_strict(model: ChatOpenRouterO3, emulator: Emulator, count: int) -> None:
    play(emulator, json.dumps(json.loads('{"a":' * count + '"x"' + "}" * count)))
    model.with_structured_output(levels(count)).invoke(PROMPT)
    assert sent_format(emulator)["strict"] is True


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "loose",
    [
        {"name": "f", "strict": False, "schema": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "f", "strict": False, "schema": SCHEMA}},
        {"name": "f", "strict": False, "parameters": SCHEMA},
        {"type": "function", "function": {"name": "f", "strict": False, "parameters": SCHEMA}},
    ],
)
def test_false_is_honoured_wherever_it_stands(
    emulator: Emulator, model: ChatOpenRouterO3, loose: Any
) -> None:
    play(emulator, "{}")
    model.with_structured_output(loose).invoke(PROMPT)
    sent = sent_format(emulator)
    assert (sent["strict"], sent["schema"]) == (False, SCHEMA)


def open_keywords(a: int, **more: Any) -> None:
    """Take anything."""


def open_argument(attributes: dict[str, Any]) -> None:
    """Take a dictionary."""


def open_list(each: Optional[list[dict[str, int]]] = None) -> None:  # noqa: UP045 - as written
    """Take dictionaries."""


BARE = {"name": "bare", "parameters": {"type": "object"}}


@pytest.mark.parametrize("made", [open_keywords, open_argument, open_list, BARE])
def test_an_open_dictionary_is_never_closed_in_silence(model: ChatOpenRouterO3, made: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="open dictionary"):
        model.bind_tools([made], strict=True)
    with pytest.warns(UserWarning, match="open dictionary"):
        model.with_structured_output(PlainModel, tools=[made])


def test_a_tool_without_parameters_may_be_strict(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    def now() -> str:
        """Tell the time."""
        return "noon"

    model.bind_tools([now], strict=True).invoke("Hello")
    assert sent_tool(emulator)["parameters"]["additionalProperties"] is False


# --- S2: null is invited only where it is undone ---


class Order(BaseModel):
    customer: str
    unit: str = "piece"
    items: list[str] = Field(default_factory=list)


def lookup(city: str, unit: str = "C", limit: int = 5) -> str:
    """Look the weather up."""
    return f"{city} {unit} {limit}"


def invite(model: ChatOpenRouterO3, how: str) -> Any:
    match how:
        case "bind":
            return model.bind(response_format=Order)
        case "constructor":
            return model.model_copy(update={"response_format": Order})
        case "strict tool":
            return model.bind_tools([lookup], strict=True)
        case _:
            return model.with_structured_output(Labelled, strict=False, tools=[lookup])


@pytest.mark.parametrize("how", ["bind", "constructor", "strict tool", "tool beside an object"])
def test_nobody_else_meets_a_null_of_ours(
    emulator: Emulator, model: ChatOpenRouterO3, how: str
) -> None:
    play(emulator, {"labels": {}})
    invite(model, how).invoke(PROMPT)
    body = sent_body(emulator)
    is_tool = "tools" in body
    schema = sent_tool(emulator)["parameters"] if is_tool else sent_schema(emulator)
    assert "null" not in json.dumps(schema)
    unit = schema["properties"]["unit"]
    if how != "tool beside an object":  # which is as loose as the object
        assert unit["description"] == ('Default: "C".' if is_tool else 'Default: "piece".')
        assert schema["required"] == list(schema["properties"])


@pytest.mark.parametrize("default", [0, 0.0, False, ""])
def test_a_default_is_told_whatever_it_is(
    emulator: Emulator, model: ChatOpenRouterO3, default: Any
) -> None:
    retried = create_model("Retried", retries=(type(default), Field(default, examples=[default])))
    model.bind(response_format=retried).invoke(PROMPT)
    written = json.dumps(default)
    expected = f"Default: {written}. Examples: [{written}]."
    assert sent_schema(emulator)["properties"]["retries"]["description"] == expected


# --- S10, S11, S12, S23, S29: schemas of others ---


def mcp(**properties: Any) -> dict[str, Any]:
    return {"name": "mcp", "description": "d", "parameters": {**SCHEMA, "properties": properties}}


PAIR = {"type": "array", "items": [{"type": "number"}, {"type": "number"}]}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "number", "nullable": True}, {"type": ["number", "null"]}),
        (
            {"type": "string", "enum": ["a", "b"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", "b", None]},
        ),
        (
            {"type": "string", "enum": ["a", None], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"type": ["object", "null"], "anyOf": [{"minProperties": 1}], "nullable": True},
            {
                "type": ["object", "null"],
                "anyOf": [{"minProperties": 1}, {"type": "null"}],
            },
        ),
        ({"type": "number", "nullable": False}, {"type": "number"}),
        (
            {"allOf": [{"type": "number"}], "nullable": True},
            {"anyOf": [{"allOf": [{"type": "number"}]}, {"type": "null"}]},
        ),
        (PAIR, {"type": "array", "prefixItems": PAIR["items"], "items": {}}),
        (
            {**PAIR, "additionalItems": False},
            {"type": "array", "prefixItems": PAIR["items"], "items": {}, "maxItems": 2},
        ),
        ({"type": ["string"]}, {"type": "string"}),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 0},
        ),
        (
            {"type": "number", "maximum": 9, "exclusiveMaximum": False},
            {"type": "number", "maximum": 9},
        ),
        ({"type": "number", "default": float("inf")}, {"type": "number"}),
        ({"type": "number", "default": float("nan")}, {"type": "number"}),
        ({"type": "string", "default": object()}, {"type": "string"}),
        ({"type": "number", "examples": [float("inf"), 1]}, {"type": "number"}),
        ({"type": "number", "x-of-theirs": {"a": object()}}, {"type": "number"}),
        ({"type": "array", "items": []}, {"type": "array", "items": {}}),
        (
            {"type": "array", "items": [], "additionalItems": {"type": "string"}},
            {"type": "array", "items": {"type": "string"}},
        ),
        (
            {"type": ["string", "null"], "default": None},
            {"type": ["string", "null"], "default": None},
        ),
        (
            {"type": "string", "pattern": r"^\p{L}+$"},
            {"type": "string", "description": r"Matches the pattern ^\p{L}+$."},
        ),
    ],
)
def test_older_dialects_are_read(
    emulator: Emulator, model: ChatOpenRouterO3, given: Any, sent: Any
) -> None:
    model.bind_tools([mcp(a=given)]).invoke("Hello")
    assert sent_tool(emulator)["parameters"]["properties"] == {"a": sent}


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": ["object"], "properties": {}},
        {"type": ["object", "null"], "properties": {}},
        {"type": "object", "nullable": True, "properties": {}},
        {"properties": {}},
        {},
        None,
    ],
)
def test_a_root_without_a_plain_type_is_an_object(
    emulator: Emulator, model: ChatOpenRouterO3, parameters: Any
) -> None:
    model.bind_tools([{"name": "mcp", "parameters": parameters}]).invoke("Hello")
    assert sent_tool(emulator)["parameters"] == {"type": "object", "properties": {}}


def test_a_reference_may_be_percent_encoded(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    encoded = mcp(a={"$ref": "#/%24defs/A%20b"})
    encoded["parameters"]["$defs"] = {"A b": {"type": "string"}}
    model.bind_tools([encoded], strict=True).invoke("Hello")
    assert sent_tool(emulator)["parameters"]["properties"]["a"] == {"$ref": "#/$defs/A_b"}


def search(
    q: str,
    prices: tuple[float, float] = (0.0, math.inf),
    near: list[float | None] = [1.0, None],  # noqa: B006 - its schema is what counts
    key: SecretStr = SecretStr("abc"),  # noqa: B008 - same
    max_price: float = math.inf,
) -> str:
    """Search."""
    return f"{q} {prices} {near} {key} {max_price}"


@pytest.mark.parametrize("strict", [True, False])
def test_a_default_that_json_cannot_show_is_left_out(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    strict: bool,  # noqa: FBT001 - a table
) -> None:
    """Pydantic writes NaN and infinities as null, and secrets as asterisks."""
    model.bind_tools([search], strict=strict).invoke("Hello")
    parameters = json.dumps(sent_tool(emulator)["parameters"])
    assert "[1.0, null]" in parameters.replace("1.0,null", "1.0, null")
    assert parameters.lower().count("default") == 1


def test_an_enum_that_is_not_json_is_named(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match=r"tool 'mcp': \$\.properties\.a\.enum"):
        model.bind_tools([mcp(a={"enum": [float("inf")]})])


class Node(BaseModel):
    """A node."""

    value: int
    children: list[Node] = []


@tool
def count(root: Node) -> int:
    """Count the nodes."""
    return len(root.children)


def depth(root: Node) -> int:
    """Tell the depth."""
    return len(root.children)


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("made", [Node, count, depth])
def test_a_recursive_tool_keeps_its_recursion(
    emulator: Emulator, model: ChatOpenRouterO3, made: Any, *, strict: bool | None
) -> None:
    model.bind_tools([made], strict=strict).invoke("Hello")
    function = sent_tool(emulator)
    assert function["parameters"]["$defs"]["Node"]["properties"]["children"]["items"] == {
        "$ref": "#/$defs/Node"
    }
    assert function["description"]


@custom_tool
def execute(text: str) -> str:
    """Run some text."""
    return text


def test_a_custom_tool_is_refused_by_name(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match=r"execute is a 'custom' tool"):
        model.bind_tools([execute])


def test_a_bare_envelope_is_taken(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    play(emulator, {"a": "x"})
    model.bind(response_format={"name": "n", "schema": SCHEMA, "strict": True}).invoke(PROMPT)
    sent = sent_format(emulator)
    assert (sent["name"], sent["strict"]) == ("n", True)


class OldPerson(BaseModelV1):
    home: OldTwig
    friends: Optional[list[OldPerson]] = None  # noqa: UP045 - as above


OldPerson.update_forward_refs()


class Team(BaseModel):
    lead: PlainModel
    others: list[PlainModel]


@dataclass
class Money:
    amount: int = 0


class Bill(TypedDict):
    total: Money


TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
TELLING: list[tuple[Any, Any, Any]] = [  # a schema, what fits it, and what does not
    *((kind, {"name": "Ann", "born": 1}, {"name": "Ann", "born": "x"}) for kind in KINDS.values()),
    (PersonDict, {**PERSON, "unit": "m"}, {**PERSON, "unit": "m", "address": {"zip_code": 1}}),
    (Tree, {"value": 1, "children": [{"value": 2}]}, {"value": 1, "children": [{"value": "x"}]}),
    (OldPerson, {"home": {}, "friends": [{"home": {}}]}, {"home": {}, "friends": [{"home": 1}]}),
    (
        Team.model_json_schema(),
        {"lead": {"name": "Ann", "born": 1}, "others": []},
        {"lead": {"name": "Ann", "born": "x"}, "others": []},
    ),
    (
        {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": TEXT}},
        {"a": "x"},
        {"a": 1},
    ),
    ({"title": "t", "properties": {"a": {"$ref": "#"}, "b": TEXT}}, {"a": {"b": ""}}, {"a": 1}),
    (
        {
            "properties": {
                "a": {"$ref": "#/$defs/A"},
                "b": {"$ref": "#/properties/c/$defs/A"},
                "c": {"type": "object", "$defs": {"A": NUMBER}},
            },
            "$defs": {"A": TEXT},
        },
        {"a": "x", "b": 1},
        {"a": "x", "b": "x"},
    ),
]


@pytest.mark.filterwarnings("ignore:schema .* cannot be strict:UserWarning")
@pytest.mark.parametrize(("schema", "fits", "does_not"), TELLING)
def test_a_structured_chain_tells_its_output(
    model: ChatOpenRouterO3, schema: Any, fits: Any, does_not: Any
) -> None:
    chain = model.with_structured_output(schema, strict=False)
    alone, beside = chain.get_output_jsonschema(), RunnableParallel(it=chain, also=chain)
    for told, wrap in (
        (alone, lambda value: value),
        (beside.get_output_jsonschema(), lambda value: {"it": value, "also": fits}),
    ):
        validator = Draft202012Validator(told)
        assert validator.is_valid(wrap(fits))
        assert not validator.is_valid(wrap(does_not))
    assert (chain.get_output_schema() is schema) is (schema is PlainModel)


def test_what_is_traced_changes_no_class_of_the_caller(model: ChatOpenRouterO3) -> None:
    model.with_structured_output(Bill)
    within: dict[str, Any] = TypeAdapter(list[Money]).json_schema()["$defs"]["Money"]
    assert within["properties"]["amount"]["type"] == "integer"


# --- S13, S14: text on its way ---


class Account(BaseModel):
    balance: int
    owner: str = "nobody"


def stream_of(emulator: Emulator, *pieces: str) -> None:
    chunks = [wire.chunk(piece) for piece in pieces]
    emulator.play(
        Canned(
            pieces=wire.sse(*chunks, *wire.ending()), headers={"content-type": "text/event-stream"}
        )
    )


@pytest.mark.parametrize("schema", [Account, Account.model_json_schema()])
def test_a_number_is_shown_when_it_has_ended(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any
) -> None:
    stream_of(emulator, '{"balance": 123', "45", '678, "owner": "An', '\\" 1', '2"}')
    shown = list(model.with_structured_output(schema, method="json_mode").stream(PROMPT))
    dumped = [each.model_dump() if isinstance(each, BaseModel) else each for each in shown]
    assert {each["balance"] for each in dumped if "balance" in each} == {12345678}
    owners = [each["owner"] for each in dumped if each.get("owner", "nobody") != "nobody"]
    assert owners == ["An", 'An" 1', 'An" 12']


FENCES = [
    *("```json\n%s\n```", "```\n%s\n```\n", "~~~json\n%s\n~~~", " \n```JSON\n\n%s```"),
    *("``` json\n%s\n```", "```json%s```", "````application/json %s````", "~~~%s~~~"),
]
NO_FENCES = ["Here:\n```json\n%s\n```", "```json\n%s\n```\nDone.", "```Here: %s```", "```%s~~~"]


@pytest.mark.parametrize("text", FENCES)
def test_an_object_in_a_fence_is_read(
    emulator: Emulator, model: ChatOpenRouterO3, text: str, run: Run
) -> None:
    play(emulator, text % '{"name":"Ann","born":1}')
    found = run(model.with_structured_output(PlainModel, method="json_mode"), PROMPT)
    assert found == PlainModel(name="Ann", born=1)


@pytest.mark.parametrize("text", NO_FENCES)
def test_words_beside_an_object_are_an_error(
    emulator: Emulator, model: ChatOpenRouterO3, text: str
) -> None:
    play(emulator, text % '{"name":"Ann","born":1}')
    with pytest.raises(OpenRouterOutputError, match="not JSON"):
        model.with_structured_output(PlainModel, method="json_mode").invoke(PROMPT)


@pytest.mark.parametrize("fence", ["```js|on\n", "``|` json", "~~~|application/|json\n|"])
def test_an_object_in_a_fence_grows(
    emulator: Emulator, model: ChatOpenRouterO3, fence: str
) -> None:
    pieces = [*fence.split("|"), '{"name"', ':"An', 'n","born":1', "}\n" + fence[:2] + fence[0]]
    stream_of(emulator, *pieces)
    chain = model.with_structured_output(PlainModel.model_json_schema(), method="json_mode")
    assert list(chain.stream(PROMPT)) == [
        {},
        {"name": "An"},
        {"name": "Ann"},
        {"name": "Ann", "born": 1},
    ]


# --- S26: a filter is an outcome ---


@every_method
@pytest.mark.parametrize("text", ['{"name":"Ann","born":1}', '{"name":"A', ""])
def test_a_filtered_answer_is_a_refusal(
    emulator: Emulator, model: ChatOpenRouterO3, text: str, method: Any, run: Run
) -> None:
    body = wire.body(text, finish="content_filter")
    emulator.play(Canned(pieces=wire.to_json(body)))
    with pytest.raises(OpenRouterRefusalError, match="content_filter"):
        run(model.with_structured_output(PlainModel, method=method), PROMPT)


# --- Types ---


@dataclass
class Trip:
    """A trip."""

    to: str
    on: date
    with_whom: list[str] = field(default_factory=list)
    fare: Decimal | None = None


def test_a_dataclass_is_read_with_its_types(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    play(emulator, {"to": "Oslo", "on": "2026-12-01", "with_whom": None, "fare": None})
    found = model.with_structured_output(Trip).invoke(PROMPT)
    assert found == Trip("Oslo", date(2026, 12, 1))


def test_several_calls_at_once_share_a_schema(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    chain = model.with_structured_output(Account)
    for _ in range(4):
        play(emulator, {"balance": 1, "owner": None})

    async def ask() -> list[Any]:
        return await asyncio.gather(*(chain.ainvoke(PROMPT) for _ in range(4)))

    assert asyncio.run(ask()) == [Account(balance=1)] * 4


@pytest.mark.parametrize("method", ["function_calling", "json_mode"])
def test_tools_beside_an_object_need_the_method_that_allows_them(
    model: ChatOpenRouterO3, method: Any
) -> None:
    with pytest.raises(OpenRouterInputError, match="json_schema"):
        model.with_structured_output(PlainModel, method=method, tools=[lookup])


# --- What is rare ---


@dataclass
class Foreign:
    what: ConsoleCallbackHandler


class Lost(TypedDict):
    a: NoSuchType  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize("schema", [Foreign, Lost])
def test_a_class_that_pydantic_cannot_read_is_refused(model: ChatOpenRouterO3, schema: Any) -> None:
    with pytest.raises(OpenRouterInputError, match=f"schema '{schema.__name__}'"):
        model.with_structured_output(schema)


@dataclass
class LostData:
    a: NoSuchType  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


def lose(a: NoSuchType) -> str:  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]
    """Lose it."""
    return str(a)


@pytest.mark.parametrize("made", [LostData, Lost, lose])
def test_a_name_that_is_not_there_at_run_time_is_told(model: ChatOpenRouterO3, made: Any) -> None:
    missing = "name 'NoSuchType' is not defined in the module that names it"
    with pytest.raises(OpenRouterInputError, match=missing) as caught:
        model.bind_tools([made])
    assert "TypeAdapter" not in str(caught.value)
    if made is not lose:
        with pytest.raises(OpenRouterInputError, match=missing):
            model.with_structured_output(made)


class Rows(BaseModel):
    rows: list[PlainModel]


@pytest.mark.parametrize("schema", [Rows, Rows.model_json_schema()])
def test_a_long_object_shows_fewer_states_and_ends_whole(
    emulator: Emulator, model: ChatOpenRouterO3, schema: Any
) -> None:
    rows = [{"name": f"Row {n}", "born": n} for n in range(100)]
    stream_of(emulator, *json.dumps({"rows": rows}))
    shown = list(model.with_structured_output(schema, method="json_mode").stream(PROMPT))
    last = shown[-1]
    assert (last if isinstance(last, dict) else last.model_dump()) == {"rows": rows}
    assert 2 < len(shown) < 1_000


def test_a_schema_that_holds_itself_is_refused(model: ChatOpenRouterO3) -> None:
    endless: dict[str, Any] = {"type": "object", "properties": {}}
    endless["properties"]["again"] = endless
    with pytest.raises(OpenRouterInputError, match="nested too deep"):
        model.with_structured_output(endless)


@pytest.mark.parametrize("parameters", [True, "text", [1], {"type": 5}])
def test_parameters_that_are_not_a_schema_are_refused(
    model: ChatOpenRouterO3, parameters: Any
) -> None:
    with pytest.raises(OpenRouterInputError, match=r"tool.*JSON schema"):
        model.bind_tools([{"name": "f", "parameters": parameters}])


FOREIGN = {
    "type": "object",
    "properties": {"a": {"type": "string", "pattern": r"^\p{L}+$"}},
    "patternProperties": {r"^\p{Lu}": {"type": "integer"}, "^x": {"type": "integer"}},
}


def test_a_pattern_of_javascript_is_not_checked_here(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    chain = model.with_structured_output(FOREIGN, strict=False)
    play(emulator, {"a": "1", "x": 1})
    assert chain.invoke(PROMPT) == {"a": "1", "x": 1}
    play(emulator, {"a": "1", "x": "y"})
    with pytest.raises(OpenRouterOutputError, match="does not fit"):
        chain.invoke(PROMPT)


def test_an_answer_that_no_json_can_hold_is_an_error(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    play(emulator, r'{"name":"\ud83d","born":1}', "function_calling", "PlainModel")
    chain = model.with_structured_output(PlainModel, method="function_calling")
    with pytest.raises(OpenRouterOutputError):
        chain.invoke(PROMPT)


class Parts(TypedDict):
    parts: list[Wide2 | Tall2]


class Wide2(TypedDict):
    value: str
    width: NotRequired[int]


class Tall2(TypedDict):
    value: str
    height: NotRequired[int]


def test_a_growing_union_shows_no_null_that_stands_for_absence(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    stream_of(emulator, '{"parts":[{"height":null', ',"val', 'ue":"x"}', "]}")
    shown = list(model.with_structured_output(Parts).stream(PROMPT))
    assert "null" not in json.dumps(shown)
    assert shown[-1] == {"parts": [{"value": "x"}]}
