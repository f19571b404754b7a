"""Answers to strict schemas: valid, whatever the schema and the prompt are."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter

from tests.helpers.emulator_client import INTEGER, STRING, Chat, closed, strict, tool

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
        "On 2026-02-30 at 25:61:00, or 2026-02-30T04:05:06Z, then 2026-02-03T04:05:06",
        "At 2026-13-01T04:05:06Z and 10:20:30+02:00",
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
# As many references as all leaves together, so that recursion has to be ended often.
BASES = st.booleans().flatmap(lambda refers: REFERENCES if refers else LEAVES)
SCHEMAS = st.recursive(BASES, grow, max_leaves=8)
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
@given(schema=ROOTS, prompt=PROMPTS)
@example(  # the arithmetic of floats knows no multiple just below
    schema=closed(a={"type": "number", "maximum": -31.0, "multipleOf": 1.1}), prompt=""
)
def test_an_answer_is_valid_for_every_schema_that_is_taken(
    chat: Chat, ask: Ask, schema: Schema, prompt: str
) -> None:
    check(json.loads(ask(chat, schema, prompt)), schema)


KEYWORDS = (
    *("type", "enum", "const", "anyOf", "$ref", "$defs", "properties", "required", "items"),
    *("minItems", "maxItems", "minimum", "exclusiveMaximum", "multipleOf", "format", "pattern"),
    *("additionalProperties", "title", "description", "default", "oneOf", "allOf"),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2.5, 1e308, 10**400, "", "a", "string", "null"]),
    st.sampled_from(
        ["#", "#/$defs/A", "#/$defs/B", "#/$defs/C", "#/properties/a", "date", "(?=a)"]
    ),
    st.sampled_from([[], {}, ["string", "null"], ["a"], [1, None], [True], NULL, [NULL], {"a": 1}]),
    st.lists(LEAVES, max_size=2),
    LEAVES,
)


def parts(schema: Any) -> list[dict[str, Any]]:
    """Return all objects in a schema, itself included."""
    if isinstance(schema, list):
        return [part for item in schema for part in parts(item)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for item in schema.values() for part in parts(item))]


@st.composite
def altered(draw: st.DrawFn) -> Schema:
    """A schema with some keywords changed, added or left out."""
    schema: Schema = copy.deepcopy(draw(ROOTS))
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from(parts(schema)))
        keyword = draw(st.sampled_from([*part, *KEYWORDS]))
        if keyword in part and draw(st.booleans()):
            del part[keyword]
        else:
            part[keyword] = copy.deepcopy(draw(VALUES))
    return schema


@given(schema=altered(), prompt=PROMPTS)
def test_an_altered_schema_is_refused_or_answered_validly(
    chat: Chat, schema: Schema, prompt: str
) -> None:
    response = chat.post(prompt, response_format=strict(schema))
    if response.status_code == 400:
        assert "Invalid " in response.json()["error"]["metadata"]["raw"]
    else:
        assert response.status_code == 200
        check(json.loads(response.json()["choices"][0]["message"]["content"]), schema)


@pytest.mark.parametrize(
    ("format_name", "prompt", "value"),
    [
        ("date", "On 2026-02-30 or 2026-02-28", "2026-02-28"),
        ("date-time", "At 2026-02-03T04:05:06", "2026-02-03T04:05:06Z"),
        ("date-time", "At 2026-02-30T04:05:06Z", "2025-01-31T12:00:00Z"),
        ("duration", "In P3DT4H", "P3DT4H"),
        ("duration", "In three hours", "P1D"),
        ("hostname", "See www.example.org.", "www.example.org"),
        ("hostname", "Nowhere", "example.com"),
        ("ipv4", "From 192.0.2.300 to 10.0.0.1", "10.0.0.1"),
        ("ipv4", "From ::1", "192.0.2.1"),
        ("ipv6", "At fe80::1, not at 10.0.0.1", "fe80::1"),
        ("ipv6", "At 1::2::3", "2001:db8::1"),
        ("time", "At 10:20:30+02:00", "10:20:30+02:00"),
        ("time", "At 25:00:00", "12:00:00Z"),
        (
            "uuid",
            "Take 6f1e2d3c-4b5a-4c7d-8e9f-0a1b2c3d4e5f.",
            "6f1e2d3c-4b5a-4c7d-8e9f-0a1b2c3d4e5f",
        ),
    ],
)
def test_a_format_is_found_in_the_prompt_or_made_up(
    chat: Chat, format_name: str, prompt: str, value: str
) -> None:
    schema = closed(value=STRING | {"format": format_name})
    assert chat.extract(schema, prompt) == {"value": value}


@pytest.mark.parametrize(
    ("pattern", "prompt", "value"),
    [
        ("^[A-Z]{3}-\\d{4}$", "Order 'lamps' ABC-1234.", "ABC-1234"),
        ("^[A-Z]{3}-\\d{4}$", "Order lamps.", "AAA-0000"),
        ("^\\$", "It costs $5", "$"),
        ("^(red|green)\\1{2}$", "Hello", "redredred"),
        ("^(?:\\.\\d)?$", "Hello", ".0"),
        ("^x*?(?:$|y)$", "?", "xy"),
        ("a(?:b|)$", "?", "ab"),
        ("^(?:b$)?a$", "?", "a"),
        ("^[^a-zA-Z0-9!-~]$", "?", " "),
        ("^[\u0430-\u044f]{2}$", "?", "\u0430\u0430"),
        ("^\u044f$", "?", "\u044f"),
        ("^[\u044f]$", "?", "\u044f"),
        ("^[^\\W\\d]\\s\\S\\D.$", "?", "a aaa"),
        ("^[^0-9]$", "?", "?"),
    ],
)
def test_a_text_matches_its_pattern(chat: Chat, pattern: str, prompt: str, value: str) -> None:
    schema = closed(value=STRING | {"pattern": pattern})
    assert chat.extract(schema, prompt) == {"value": value}


@pytest.mark.parametrize(
    "pattern", ["^[^\\s\\S]$", "^(?:[^\\d\\D])+$", "a^", "$a", "(a)?(?(1)b|c)$"]
)
def test_a_pattern_without_a_known_text_is_refused(chat: Chat, pattern: str) -> None:
    schema = closed(value=STRING | {"pattern": pattern})
    assert "no value" in chat.upstream("Hello", response_format=strict(schema))["message"]


def refers(name: str, **more: Any) -> Schema:
    return {"$ref": f"#/$defs/{name}"} | more


TREE = closed(name=STRING, first={"anyOf": [refers("Tree"), refers("Leaf")]})
# The schema of a value that refers to `Tree`, and an answer to "B".
RECURSIVE: list[tuple[dict[str, Schema], Any]] = [
    ({"Tree": TREE, "Leaf": STRING}, {"name": "B", "first": "an emulated first"}),
    ({"Tree": TREE, "Leaf": NULL}, {"name": "B", "first": None}),
    ({"Tree": TREE, "Leaf": INTEGER | {"minimum": 7}}, {"name": "B", "first": 7}),
    (
        {"Tree": TREE, "Leaf": {"anyOf": [NULL, closed(up=refers("Tree"))]}},
        {"name": "B", "first": None},
    ),
    # Here the value that ends has to be looked for, across several kinds of schemas.
    (
        {"Tree": {"anyOf": [closed(a=refers("Tree")), refers("Leaf")]}}
        | {"Leaf": closed(one=NULL, two={"const": 2}, on={"type": "boolean"}, at=refers("Time"))}
        | {"Time": STRING | {"format": "time"}},
        {"a": {"one": None, "two": 2, "on": True, "at": "12:00:00Z"}},
    ),
    (
        {"Tree": closed(kids={"type": "array", "items": refers("Fruit"), "minItems": 2})}
        | {"Fruit": {"anyOf": [closed(stem=refers("Fruit")), closed(of=refers("Tree")), INTEGER]}},
        {"kids": [{"stem": 1}, {"stem": 1}]},
    ),
    (
        {"Tree": closed(kids={"type": "array", "items": refers("Node"), "minItems": 1})}
        | {"Node": closed(a=refers("Node")) | {"type": ["object", "null"]}},
        {"kids": [{"a": None}]},
    ),
    (
        {"Tree": closed(a={"anyOf": [closed(b=refers("Tree")), refers("Leaf")]})}
        | {"Leaf": {"type": "array", "minItems": 2, "items": {"enum": ["x", "y"]}}},
        {"a": {"b": {"a": ["x", "x"]}}},
    ),
]


@pytest.mark.parametrize(("definitions", "value"), RECURSIVE)
def test_a_recursion_ends(chat: Chat, definitions: dict[str, Schema], value: Any) -> None:
    root = closed(value=refers("Tree")) | {"$defs": definitions}
    answer = chat.extract(root, "B")
    check(answer, root)
    assert answer == {"value": value}


def test_keys_come_in_the_order_of_the_schema(chat: Chat) -> None:
    schema = closed(z=STRING, a=closed(y=INTEGER, b=INTEGER), m=STRING)
    text = as_format(chat, schema, "m: last, b: 2, y: 1, z: first")
    assert text == '{"z":"first","a":{"y":1,"b":2},"m":"last"}'


def test_a_union_is_one_of_its_members(chat: Chat) -> None:
    cat = closed(kind={"const": "cat"}, lives=INTEGER) | {"title": "Cat"}
    dog = closed(kind={"const": "dog"}, bark=STRING) | {"title": "Dog"}
    schema = closed(pet={"anyOf": [refers("Cat"), refers("Dog")]})
    whole = schema | {"$defs": {"Cat": cat, "Dog": dog}}
    assert chat.extract(whole, "My dog, bark: loud") == {"pet": {"kind": "dog", "bark": "loud"}}
    assert chat.extract(whole, "My pet has 9") == {"pet": {"kind": "cat", "lives": 9}}


def test_a_list_of_calls_has_valid_arguments_only(chat: Chat) -> None:
    made = tool("buy", "Buy.", article=STRING | {"pattern": "^[a-z]+$"})
    made["function"]["strict"] = True
    made["function"]["parameters"]["additionalProperties"] = False
    calls = chat.calls("buy 'apples', 'Pears' and 'nuts'", tools=[made])
    assert calls == [("buy", {"article": "apples"}), ("buy", {"article": "nuts"})]
