"""Which schemas the emulator takes in strict mode, and what it says to those that it refuses.

The sentences are OpenAI's, as the people who met them quote them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.helpers.emulator_client import INTEGER, STRING, Chat, closed, strict, tool

Schema: TypeAlias = "dict[str, Any]"

NULL = {"type": "null"}
NUMBER = {"type": "number"}
OPEN = "'additionalProperties' is required to be supplied and to be false."
INCOMPLETE = (
    "'required' is required to be supplied and to be an array including every key in properties."
)
NO_TYPE = "schema must have a 'type' key."
FIRST_KEYS = (
    "Invalid schema: Objects provided via 'anyOf' must not share identical first keys. Consider "
    "adding a discriminator key or rearranging the properties to ensure the first key is unique."
)
NOT_AT_THE_TOP = (
    "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'const'/'not' at "
    "the top level."
)
TOO_MANY_ENUMS = (
    "Expected at most 1000 enum values in total within a single schema when using structured "
    "outputs"
)
TOO_LONG_ENUM = (
    "Expected at most 15000 total characters across enum values when there are more than 250 enum "
    "values"
)
TOO_LONG = (
    "Expected at most 120000 total characters across names of properties and definitions, enum "
    "values and const values"
)
FEWER_ENUMS = (
    "Consider reducing the number of enums, or use 'strict: false' to opt out of structured "
    "outputs."
)


def array(items: Any, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def union(*members: Any) -> Schema:
    return {"anyOf": list(members)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def defined(root: Schema, **definitions: Any) -> Schema:
    return {**root, "$defs": definitions}


def nested(levels: int, leaf: Schema = INTEGER) -> Schema:
    """Return objects in objects; the innermost property stands at a level."""
    schema = closed(v=leaf)
    for _ in range(levels - 1):
        schema = closed(c=schema)
    return schema


def wide(count: int) -> Schema:
    return closed(**{f"p{number}": INTEGER for number in range(count)})


def one_of(values: list[str]) -> Schema:
    return STRING | {"enum": values}


def words(count: int, length: int) -> list[str]:
    return [f"{number:0{length}}" for number in range(count)]


def as_format(schema: Schema) -> dict[str, Any]:
    return {"response_format": strict(schema)}


def as_tool(schema: Schema) -> dict[str, Any]:
    made = tool("Answer")
    made["function"] |= {"parameters": schema, "strict": True}
    return {"tools": [made]}


# How a schema is sent, what it is called, and the parameter and the code of a refusal.
WAYS = [
    pytest.param(
        (as_format, "response_format", "response_format", "invalid_json_schema"), id="format"
    ),
    pytest.param(
        (as_tool, "function", "tools[0].function.parameters", "invalid_json_schema"), id="tool"
    ),
]
Way: TypeAlias = "tuple[Callable[[Schema], dict[str, Any]], str, str, str]"

NOT_PERMITTED: dict[str, Schema] = {
    "allOf": {"allOf": [STRING]},
    "oneOf": {"oneOf": [STRING, INTEGER]},
    "not": {"not": STRING},
    "if": {"if": STRING, "then": STRING, "else": INTEGER},
    "then": STRING | {"then": STRING},
    "else": STRING | {"else": STRING},
    "dependentRequired": closed(a=STRING) | {"dependentRequired": {"a": []}},
    "dependentSchemas": closed(a=STRING) | {"dependentSchemas": {}},
    "patternProperties": closed(a=STRING) | {"patternProperties": {}},
    "propertyNames": closed(a=STRING) | {"propertyNames": STRING},
    "minProperties": closed(a=STRING) | {"minProperties": 1},
    "uniqueItems": array(STRING, uniqueItems=True),
    "prefixItems": array(STRING, prefixItems=[STRING]),
    "contains": array(STRING, contains=STRING),
    "minLength": STRING | {"minLength": 1},
    "maxLength": STRING | {"maxLength": 9},
    "contentEncoding": STRING | {"contentEncoding": "base64"},
    "default": STRING | {"default": None},
    "examples": STRING | {"examples": ["a"]},
    "nullable": STRING | {"nullable": True},
    "deprecated": STRING | {"deprecated": False},
    "readOnly": STRING | {"readOnly": True},
    "$comment": STRING | {"$comment": "For the reader."},
    "$id": STRING | {"$id": "https://example.com/"},
    "discriminator": union(STRING, NULL) | {"discriminator": {"propertyName": "kind"}},
    "x-order": STRING | {"x-order": 1},
    "format": STRING | {"format": "uri"},
    # A keyword of another type, beside a union, or beside parts.
    "minimum": STRING | {"minimum": 1},
    "pattern": INTEGER | {"pattern": "1"},
    "minItems": closed(a=STRING) | {"minItems": 1},
    "maxItems": {"type": ["string", "null"], "maxItems": 1},
    "multipleOf": union(INTEGER, NULL) | {"multipleOf": 2},
    "type": union(STRING, NULL) | {"type": "string"},
    "enum": closed(a=STRING) | {"enum": [{"a": "b"}]},
    "const": array(STRING, const=[]),
}
# References that lead to nothing, or to something else than a schema.
UNKNOWN = (
    *("#/$defs/Y", "#/properties/y", "#/properties/x/anyOf/0", "Y.json", "", "#x", "#/"),
    *("#/required", "#/required/0", "#/required/1", "#/required/x", "#/required/0/x"),
)


def unknown(reference: str) -> str:
    return f"reference to component '{reference}' which was not found in the schema."


def circular(reference: str) -> str:
    return f"reference to component '{reference}' which leads back to itself."


# The schema of the property `x`, and what is said about it.
IN_PROPERTY: list[tuple[Any, str]] = [
    *((schema, f"'{keyword}' is not permitted.") for keyword, schema in NOT_PERMITTED.items()),
    ({}, NO_TYPE),
    (True, NO_TYPE),
    ({"description": "Anything."}, NO_TYPE),
    ({"properties": {}}, NO_TYPE),
    ({"type": "object"}, OPEN),
    ({"type": "object", "additionalProperties": True}, OPEN),
    ({"type": "object", "additionalProperties": STRING, "properties": {}}, OPEN),
    ({"type": ["object", "null"], "properties": {}}, OPEN),
    ({"type": "object", "additionalProperties": False}, "object schema missing properties."),
    (closed(a=STRING) | {"required": []}, f"{INCOMPLETE} Missing 'a'."),
    (closed(a=STRING) | {"required": ["a", "b"]}, "Extra required key 'b' supplied."),
    ({"type": "array"}, "array schema missing items."),
    (array(items=True), "array schema missing items."),
    (array(items=[STRING]), "array schema missing items."),
    (STRING | {"$ref": "#"}, "$ref cannot have keywords {'type'}."),
    (ref("Y") | {"title": "Y", "default": 1}, "$ref cannot have keywords {'title', 'default'}."),
    *(({"$ref": reference}, unknown(reference)) for reference in UNKNOWN),
    ({"$ref": "#/properties/x"}, circular("#/properties/x")),
    (STRING | {"enum": [1]}, "enum value 1 does not validate against {'type': 'string'}."),
    (NULL | {"enum": ["a"]}, "enum value a does not validate against {'type': 'null'}."),
    (
        STRING | {"enum": ["a", None]},
        "enum value None does not validate against {'type': 'string'}.",
    ),
    ({"enum": [{}]}, "enum value {} does not validate against {}."),
    (INTEGER | {"const": True}, "const value True does not validate against {'type': 'integer'}."),
    ({"const": 1, "enum": [True]}, "const value is not one of the enum values."),
    (INTEGER | {"minimum": 2, "maximum": 1}, "no value is within these limits."),
    (INTEGER | {"exclusiveMinimum": 1, "maximum": 1.5}, "no value is within these limits."),
    (NUMBER | {"multipleOf": 5, "minimum": 1, "maximum": 4}, "no value is within these limits."),
    (array(STRING, minItems=2, maxItems=1), "no value is within these limits."),
    (STRING | {"pattern": "a^"}, "no value is within these limits."),
    (STRING | {"pattern": "^a$", "format": "date"}, "no value is within these limits."),
]

# The schema of the property `x`, and a sentence without a place.
MALFORMED: list[tuple[Schema, str]] = [
    ({"type": "text"}, "'text' is not valid under any of the given schemas."),
    ({"type": ["string", 1]}, "['string', 1] is not valid under any of the given schemas."),
    ({"type": {}}, "{} is not valid under any of the given schemas."),
    ({"type": []}, "[] is not valid under any of the given schemas."),
    ({"type": ["null", "null"]}, "['null', 'null'] is not valid under any of the given schemas."),
    (union(), "[] should be non-empty."),
    ({"enum": []}, "[] should be non-empty."),
    ({"enum": "ab"}, "'ab' is not of type 'array'."),
    ({"anyOf": STRING}, "{'type': 'string'} is not of type 'array'."),
    ({"$ref": 1}, "1 is not of type 'string'."),
    (closed() | {"properties": []}, "[] is not of type 'object'."),
    (closed() | {"required": True}, "True is not of type 'array'."),
    (closed() | {"required": [{}]}, "{} is not of type 'string'."),
    (closed() | {"required": ["a", "a"]}, "['a', 'a'] has non-unique elements."),
    (INTEGER | {"minimum": "1"}, "'1' is not of type 'number'."),
    (INTEGER | {"exclusiveMinimum": True}, "True is not of type 'number'."),
    (INTEGER | {"multipleOf": 0}, "0 is less than or equal to the minimum of 0."),
    (array(STRING, minItems=-1), "-1 is less than the minimum of 0."),
    (array(STRING, maxItems=1.5), "1.5 is not of type 'integer'."),
    (STRING | {"pattern": "("}, "'(' is not a 'regex'."),
    (STRING | {"pattern": r"\p{L}"}, r"'\\p{L}' is not a 'regex'."),
    (STRING | {"format": None}, "None is not of type 'string'."),
    (STRING | {"title": 1}, "1 is not of type 'string'."),
]

# Whole schemas, and what is said about them.
WHOLE: list[tuple[Schema, str]] = [
    (
        {"type": "array", "items": STRING},
        "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
    ),
    (
        union(closed(a=STRING), closed(b=STRING)),
        "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
    ),
    (
        defined(ref("X"), X=closed()),
        "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
    ),
    (closed(a=STRING) | union(closed(a=STRING)), NOT_AT_THE_TOP),
    (closed(a=STRING) | {"oneOf": []}, "In context=(), 'oneOf' is not permitted."),
    (closed() | {"$schema": "x"}, "In context=(), '$schema' is not permitted."),
    ({"type": "object", "properties": {"a": STRING}, "required": ["a"]}, f"In context=(), {OPEN}"),
    (
        closed(a=closed(b=array(union(STRING, {"type": "object"})))),
        f"In context=('properties', 'a', 'properties', 'b', 'items', 'anyOf', '1'), {OPEN}",
    ),
    (defined(closed(), X={"type": "object"}), f"In context=('$defs', 'X'), {OPEN}"),
    (
        closed(a=STRING) | {"definitions": {"X": STRING | {"default": 1}}},
        "In context=('definitions', 'X'), 'default' is not permitted.",
    ),
    (
        closed(again={"$ref": "#"}),
        "In context=('properties', 'again'), each value needs another one within it.",
    ),
    (
        defined(closed(), A=union(ref("B"), NULL), B=union(STRING, ref("A"))),
        f"In context=('$defs', 'A', 'anyOf', '0'), {circular('#/$defs/B')}",
    ),
    (
        defined(closed(), A=closed(b=ref("B")), B=array(ref("A"), minItems=1)),
        "In context=('$defs', 'A', 'properties', 'b'), each value needs another one within it.",
    ),
    (nested(11), "11 levels of nesting exceeds limit of 10."),
    (nested(10, array(INTEGER)), "11 levels of nesting exceeds limit of 10."),
    (nested(10, union(array(STRING), NULL)), "11 levels of nesting exceeds limit of 10."),
    (defined(closed(), X=nested(12)), "12 levels of nesting exceeds limit of 10."),
    (wide(5001), "5001 parameters exceeds limit of 5000."),
    (defined(wide(2600), X=wide(2600)), "5200 parameters exceeds limit of 5000."),
    (
        closed(a=one_of(words(600, 3)), b=one_of(words(600, 3))),
        f"{TOO_MANY_ENUMS}, but received 1200. {FEWER_ENUMS}",
    ),
    (closed(a=one_of(words(251, 60))), f"{TOO_LONG_ENUM}, but received 15060. {FEWER_ENUMS}"),
    (
        defined(closed(**{"a" * 59_999: STRING | {"const": "b" * 60_000}}), cc=INTEGER),
        f"{TOO_LONG}, but received 120001.",
    ),
]

LOOK_AROUND: list[tuple[Schema, str]] = [
    (closed(x=STRING | {"pattern": "^(?=.*[0-9]).+$"}), "$.properties.x.pattern"),
    (closed(x=STRING | {"pattern": "^(?!0).$"}), "$.properties.x.pattern"),
    (closed(x=array(STRING | {"pattern": "(?<=a)b"})), "$.properties.x.items.pattern"),
    (
        defined(closed(), X=closed(y=union(NUMBER, STRING | {"pattern": r"[)](?<!a)b"}))),
        "$['$defs'].X.properties.y.anyOf[1].pattern",
    ),
]


def value(kind: Schema, **more: Schema) -> Schema:
    return closed(value=kind, **more)


def tag(*names: str) -> Schema:
    return STRING | ({"enum": list(names)} if len(names) > 1 else {"const": names[0]})


BEGIN_ALIKE = [
    union(value(STRING, type=tag("a")), value(INTEGER, type=tag("b"))),
    union(value(STRING), value(STRING)),
    union(value(tag("a")), value(STRING)),
    union(value(STRING), value(tag("a"))),
    union(value(tag("a", "b")), value(tag("b", "c"))),
    union(value(STRING), closed(other=STRING), value(STRING)),
    union(value(tag("a")), value(tag("b")), value(tag("a"))),
    union(ref("A"), ref("A")),
    union(ref("A"), value(STRING)),
    union(ref("Alias"), value(STRING)),
    union(ref("Either"), value(STRING)),
    union(union(value(STRING), NULL), value(INTEGER)),
    union({**value(STRING), "type": ["object", "null"]}, value(INTEGER)),
    array(union(ref("A"), value(INTEGER))),
]
BEGIN_DIFFERENTLY = [
    union(closed(type=tag("a"), value=STRING), closed(type=tag("b"), value=INTEGER)),
    union(value(tag("a", "b")), value(tag("c", "d"))),
    union(value(ref("Kind")), value(tag("c"))),
    union(value(INTEGER | {"const": 1}), value({"type": "boolean", "const": True})),
    union(value(STRING), closed(other=STRING), NULL),
    union(array(value(STRING)), array(value(INTEGER))),
    union(closed(), closed(), value(STRING)),
    union(ref("A"), ref("Tree"), STRING),
]
MEMBERS = {
    "A": value(STRING),
    "Alias": ref("A"),
    "Either": union(ref("A"), closed(b=STRING)),
    "Kind": STRING | {"enum": ["a", "b"]},
    "Tree": closed(kids=array(union(ref("Tree"), ref("A"), INTEGER))),
}


def said(chat: Chat, way: Way, schema: Schema) -> str:
    """Return the sentence with which a schema is refused."""
    ask, _, param, code = way
    error = chat.upstream("Hello", **ask(schema))
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    return str(error["message"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("schema", "fault"), IN_PROPERTY)
def test_a_property_is_refused_with_its_place(
    chat: Chat, way: Way, schema: Any, fault: str
) -> None:
    place = "In context=('properties', 'x')"
    whole = closed(x=schema)
    assert said(chat, way, whole) == f"Invalid schema for {way[1]} 'Answer': {place}, {fault}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("schema", "fault"), MALFORMED)
def test_what_is_not_json_schema_is_refused(
    chat: Chat, way: Way, schema: Schema, fault: str
) -> None:
    assert said(chat, way, closed(x=schema)) == f"Invalid schema for {way[1]} 'Answer': {fault}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("schema", "fault"), WHOLE)
def test_a_schema_is_refused_as_a_whole(chat: Chat, way: Way, schema: Schema, fault: str) -> None:
    assert said(chat, way, schema) == f"Invalid schema for {way[1]} 'Answer': {fault}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("schema", "path"), LOOK_AROUND)
def test_look_around_is_refused(chat: Chat, way: Way, schema: Schema, path: str) -> None:
    words = f"regex lookaround is not supported. Found at {path}."
    assert said(chat, way, schema) == f"Invalid JSON schema: {words}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("members", BEGIN_ALIKE)
def test_objects_of_a_union_that_begin_alike_are_refused(
    chat: Chat, way: Way, members: Schema
) -> None:
    assert said(chat, way, defined(closed(x=members), **MEMBERS)) == FIRST_KEYS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("members", BEGIN_DIFFERENTLY)
def test_objects_of_a_union_that_begin_differently_are_taken(
    chat: Chat, way: Way, members: Schema
) -> None:
    definitions = {name: node for name, node in MEMBERS.items() if name != "Either"}
    chat.answer("Hello", **way[0](defined(closed(x=members), **definitions)))


TAKEN: list[Schema] = [
    closed(),
    closed(x=STRING | {"title": "X", "description": "An x."}) | {"title": "T", "description": "D"},
    closed(x={"type": ["string", "null"]}, y=union(STRING, NULL)),
    closed(x={"type": ["string", "integer", "null"], "minimum": 1, "format": "date"}),
    closed(x=STRING | {"enum": ["a", "b"]}, y={"type": ["string", "null"], "enum": ["a", None]}),
    closed(x={"enum": ["a", 1, None]}, y={"const": "a"}, z=STRING | {"const": "a", "enum": ["a"]}),
    closed(x={"type": "boolean"}, y=NULL, z=NUMBER | {"const": 1.5}),
    closed(x=NUMBER | {"multipleOf": 0.1, "minimum": 0.25, "maximum": 1}),
    closed(x=INTEGER | {"exclusiveMinimum": 0, "exclusiveMaximum": 2}),
    closed(x=array(STRING, minItems=2, maxItems=2), y=array(closed(z=STRING), maxItems=0)),
    *(
        closed(x=STRING | {"format": name})
        for name in (
            *("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time"),
            "uuid",
        )
    ),
    closed(x=STRING | {"pattern": r"^\(?=[(?=]{2}(?P<n>a)(?P=n)$"}),
    # Names that are keywords elsewhere.
    closed(default=STRING, allOf=INTEGER, properties=closed(items=STRING), anyOf=array(STRING)),
    closed(again=union({"$ref": "#"}, NULL)),
    defined(closed(x=ref("Node")), Node=closed(kids=array(ref("Node")))),
    closed(x={"$ref": "#/definitions/Y"}) | {"definitions": {"Y": STRING}},
    defined(closed(x={"$ref": "#/%24defs/a%20b~1c~0%25"}), **{"a b/c~%": STRING}),
    closed(x=STRING, y={"$ref": "#/properties/x"}),
    closed(x=union(STRING, NULL), y={"$ref": "#/properties/x/anyOf/0"}),
    nested(10),
    nested(9, array(INTEGER)),
    nested(10, union(union(STRING), NULL)),
    defined(closed(a=nested(9, ref("X"))), X=nested(10)),
    wide(5000),
    closed(a=one_of(words(1000, 15))),
    closed(a=one_of(words(250, 100))),
    closed(a={"enum": ["", *words(250, 60)]}),
    defined(closed(**{"a" * 59_999: STRING | {"const": "b" * 60_000}}), c=INTEGER),
]


@pytest.mark.parametrize("schema", TAKEN)
def test_what_is_within_the_rules_is_taken(chat: Chat, schema: Schema) -> None:
    content = chat.text("Hello", **as_format(schema))
    assert list(json.loads(content)) == list(schema["properties"])
    calls = chat.calls("Hello", tool_choice="required", **as_tool(schema))
    assert [list(arguments) for _, arguments in calls] == [list(schema["properties"])]


ANYWAY: list[tuple[Schema, str]] = [
    (STRING, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'."),
    ({"type": "object", "properties": {}, "oneOf": [{"required": ["a"]}]}, NOT_AT_THE_TOP),
    ({"type": "object"}, "In context=(), object schema missing properties."),
    (
        {"type": "object", "properties": {"x": {"oneOf": [STRING, {"type": "array"}]}}},
        "In context=('properties', 'x', 'oneOf', '1'), array schema missing items.",
    ),
    (
        {"type": "object", "properties": {"x": STRING | {"required": True}}},
        "True is not of type 'array'.",
    ),
    (
        {"type": "object", "properties": {"x": {"type": "dict"}}},
        "'dict' is not valid under any of the given schemas.",
    ),
]


@pytest.mark.parametrize("strictness", [{}, {"strict": False}, {"strict": None}])
@pytest.mark.parametrize(("schema", "fault"), ANYWAY)
def test_some_parameters_are_refused_although_they_are_not_strict(
    chat: Chat, schema: Schema, fault: str, strictness: dict[str, Any]
) -> None:
    function = {"name": "f", "parameters": schema, **strictness}
    error = chat.upstream("Hello", tools=[{"type": "function", "function": function}])
    assert error["message"] == f"Invalid schema for function 'f': {fault}"
    assert (error["param"], error["code"]) == (
        "tools[0].function.parameters",
        "invalid_json_schema",
    )


LOOSE = {
    "type": "object",
    "properties": {
        **{f"p{number}": schema for number, schema in enumerate(NOT_PERMITTED.values())},
        "pattern": STRING | {"pattern": "^(?=a)"},
        "union": union(value(STRING), value(INTEGER)),
        "anything": {},
        "true": True,
        "deep": nested(12),
        "enum": one_of(words(1200, 4)),
        "unknown": ref("Nothing"),
        "endless": {"$ref": "#/properties/endless"},
    },
}


def test_what_is_not_strict_may_be_anything_else(chat: Chat) -> None:
    chat.answer("Hello", tools=[tool("f") | {"function": {"name": "f", "parameters": LOOSE}}])
    json_schema = {"name": "Loose", "schema": LOOSE}
    for strictness in ({}, {"strict": False}):
        response_format = {"type": "json_schema", "json_schema": {**json_schema, **strictness}}
        chat.answer("Hello", response_format=response_format)
