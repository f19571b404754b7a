"""Answers to strict schemas: valid, whatever the schema and the prompt are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter

from .chat import INTEGER, STRING, closed, strict, tool

if TYPE_CHECKING:
    from .chat import Chat

Schema: TypeAlias = "dict[str, Any]"
NULL = {"type": "null"}

# Judges that share nothing with the emulator. `jsonschema` knows some formats only with packages
# that are not needed otherwise; Pydantic reads the same ones.
FORMATS = FormatChecker(formats=())
READERS = {
    "date": date,
    "date-time": datetime,
    "duration": timedelta,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "time": time,
    "uuid": UUID,
}
SHAPES = {"email": r"[^@\s]+@[^@\s]+\.[^@\s]+", "hostname": r"[A-Za-z0-9.-]{1,253}"}


def reader(kind: Any) -> Callable[[object], bool]:
    adapter = TypeAdapter(kind)
    return lambda value: value is None or bool(adapter.validate_python(value) or True)


def shape(pattern: str) -> Callable[[object], bool]:
    return lambda value: value is None or re.fullmatch(pattern, str(value)) is not None


for name, kind in READERS.items():
    FORMATS.checks(name, raises=ValueError)(reader(kind))
for name, pattern in SHAPES.items():
    FORMATS.checks(name)(shape(pattern))

PROMPTS = st.sampled_from(
    [
        "",
        "Hello",
        "Ada Lovelace, born 1815 in London, not a mathematician: 3, -2.5, 1e9 and 12,000",
        "On 2026-02-30 at 25:61:00, or 2026-13-01T04:05, 2026-02-03T04:05:06 and 10:20:30+02:00",
        "name: x; kind: 'B', a is 'red' and \"12\", tags: a, b, c; ABC-123 abc@ ::g P1 PT",
        "Mail ada@love.lace at www.example.com, 192.0.2.300 or 10.0.0.1, fe80::1 after P3DT4H",
        "7, 8 and 9; Paris, Rome and Berlin; no c, no d, true, null, None",
    ]
)
NAMES = st.sampled_from(
    ["a", "b", "c", "d", "kind", "name", "date", "tags", "value", "_", "e mail"]
)
FORMAT_NAMES = (
    *("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time"),
    "uuid",
)
PATTERNS = (
    *("^[A-Z]{3}-\\d{3}$", "\\d", "^(?:red|green)?$", "^[^a-z]+$", "^.{2,4}$", "(a)\\1", "^\\w+@$"),
    *("^-?\\d+(?:\\.\\d{2})?$", "^$", "[\u0430-\u044f]", "\\bx\\b", "^\\S+ \\S+$", "(?i)^yes$"),
)


@st.composite
def numbers(draw: st.DrawFn, kind: str) -> Schema:
    """A type with limits that leave room, the lower one exclusive or not."""
    limits = st.integers(-50, 50) if kind == "integer" else st.floats(-50, 50, width=16)
    lower = draw(st.sampled_from(["minimum", "exclusiveMinimum"]))
    upper = draw(st.sampled_from(["maximum", "exclusiveMaximum"]))
    lowest = draw(limits)
    made: Schema = {"type": kind}
    for keyword, value in ((lower, lowest), (upper, lowest + draw(st.integers(5, 60)))):
        made |= {keyword: value} if draw(st.booleans()) else {}
    steps = [1, 2, 5] if kind == "integer" else [0.1, 0.01, 0.25, 3, 1.1]
    return made | ({"multipleOf": draw(st.sampled_from(steps))} if draw(st.booleans()) else {})


LEAVES: st.SearchStrategy[Schema] = st.one_of(
    st.just(STRING),
    st.sampled_from(FORMAT_NAMES).map(lambda name: STRING | {"format": name}),
    st.sampled_from(PATTERNS).map(lambda pattern: STRING | {"pattern": pattern}),
    numbers("integer"),
    numbers("number"),
    st.just({"type": "boolean"}),
    st.just(NULL),
    st.sampled_from(
        [
            STRING | {"enum": ["red", "dark_green", ""]},
            {"type": ["string", "null"], "enum": ["red", None]},
            {"type": ["string", "null"], "enum": [None]},
            {"enum": ["a", 1, None, True, 2.5]},
            {"enum": [None]},
            {"const": None},
            {"const": False},
            INTEGER | {"const": 7},
            {"type": ["null"]},
        ]
    ),
)


def nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str) and not schema.keys() & {"enum", "const"} and kind != "null":
        return schema | {"type": [kind, "null"]}
    return {"anyOf": [NULL | {"description": "Nothing."}, schema]}


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    fewest = draw(st.integers(0, 3))
    limits = {"minItems": fewest, "maxItems": fewest + draw(st.integers(0, 2))}
    kept = {keyword: limit for keyword, limit in limits.items() if draw(st.booleans())}
    return {"type": "array", "items": draw(inner), **kept}


@st.composite
def unions(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    """Members that begin differently: at most one has a first key without a tag of its own."""
    members = draw(st.lists(LEAVES, max_size=2))
    for number, member in enumerate(draw(st.lists(inner, min_size=1, max_size=3))):
        tag = STRING | {"const": f"k{number}"}
        members.append(closed(kind=tag, member=member))
    return {"anyOf": draw(st.permutations(members))}


def grow(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        st.dictionaries(NAMES, inner, max_size=3).map(lambda properties: closed(**properties)),
        inner.map(nullable),
        arrays(inner),
        unions(inner),
    )


# A reference that may lead anywhere stands where a value can do without it.
REFERENCES: st.SearchStrategy[Schema] = st.sampled_from(
    ["#", "#/$defs/A", "#/$defs/B", "#/%24defs/A"]
).flatmap(
    lambda reference: st.sampled_from(
        [
            {"anyOf": [{"$ref": reference}, NULL]},
            {"anyOf": [{"$ref": reference}, STRING]},
            {"type": "array", "items": {"$ref": reference}},
            {"type": ["array", "null"], "items": {"$ref": reference}, "minItems": 1},
        ]
    )
)
SCHEMAS = st.recursive(st.one_of(LEAVES, LEAVES, REFERENCES), grow, max_leaves=8)
OBJECTS = st.dictionaries(NAMES, SCHEMAS, max_size=4).map(lambda made: closed(**made))
TO_B: Schema = {"$ref": "#/$defs/B"}
# A refers to B without a choice, B to A only where it need not. B is an object or an array: a
# union that is its own member is refused.
ROOTS = st.builds(
    lambda root, a, b: {**root, "$defs": {"A": closed(**(a["properties"] | {"b": TO_B})), "B": b}},
    OBJECTS,
    OBJECTS,
    st.one_of(OBJECTS, arrays(SCHEMAS)),
)


def as_format(chat: Chat, schema: Schema, prompt: str) -> str:
    return chat.text(prompt, response_format=strict(schema))


def as_tool(chat: Chat, schema: Schema, prompt: str) -> str:
    made = tool("Answer")
    made["function"] |= {"parameters": schema, "strict": True}
    message = chat.message(prompt, tools=[made], tool_choice="required")
    return str(message["tool_calls"][0]["function"]["arguments"])


Ask: TypeAlias = "Callable[[Chat, Schema, str], str]"


def check(answer: Any, schema: Schema) -> None:
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FORMATS).validate(answer)


@pytest.mark.parametrize("ask", [as_format, as_tool])
@settings(max_examples=150, deadline=None)
@given(schema=ROOTS, prompt=PROMPTS)
def test_an_answer_is_valid_for_every_schema_that_is_taken(
    chat: Chat, ask: Ask, schema: Schema, prompt: str
) -> None:
    check(json.loads(ask(chat, schema, prompt)), schema)
