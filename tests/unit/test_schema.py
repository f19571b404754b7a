"""JSON schemas: complete when strict, repaired when not, never changed in place."""

from __future__ import annotations

import copy
from typing import Any, Optional

import pytest
from pydantic import BaseModel

from langchain_openrouter_o3._wire.schemas.json_schema import resolve_ref, without_invented_words
from langchain_openrouter_o3.errors import OpenRouterInputError
from tests.helpers.schemas import drop_absent, mend, strict_schema


class Address(BaseModel):
    street: str
    zip_code: Optional[str] = None  # noqa: UP045 - the spelling of many callers


class Person(BaseModel):
    name: str
    age: int = 3
    address: Address | None = None
    tags: list[str] = []
    friends: list[Person] = []
    point: tuple[int, str] = (1, "a")


def obj(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}


def closed(**properties: Any) -> dict[str, Any]:
    return {**obj(**properties), "additionalProperties": False}


STRING = {"type": "string"}


def test_a_pydantic_schema_becomes_complete() -> None:
    schema = Person.model_json_schema()
    before = copy.deepcopy(schema)
    strict = strict_schema(schema, "Person")
    assert schema == before
    assert strict["required"] == ["name", "age", "address", "tags", "friends", "point"]
    assert strict["properties"]["age"] == {
        "type": ["integer", "null"],
        "title": "Age",
        "description": "Default: 3.",
    }
    point = strict["properties"]["point"]
    assert point["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert (point["minItems"], point["maxItems"]) == (2, 2)
    assert strict["$defs"]["Address"]["required"] == ["street", "zip_code"]


@pytest.mark.parametrize(
    ("child", "converted"),
    [
        ({"oneOf": [STRING, {"type": "null"}]}, {"anyOf": [STRING, {"type": "null"}]}),
        ({"allOf": [STRING], "description": "d"}, {"type": "string", "description": "d"}),
        ({"type": "string", "format": "uri", "$comment": "c"},
         {"type": "string", "description": "Format: uri."}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}),
        ({"$ref": "#/$defs/A", "default": 1},
         {"anyOf": [{"$ref": "#/$defs/A"}], "description": "Default: 1."}),
        (
            {"$ref": "#/$defs/A", "description": "d"},
            {"anyOf": [{"$ref": "#/$defs/A"}], "description": "d"},
        ),
        ({"type": "array", "prefixItems": [STRING, STRING]},
         {"type": "array", "items": STRING, "minItems": 2, "maxItems": 2}),
        ({"type": "array", "items": obj(x=STRING)}, {"type": "array", "items": closed(x=STRING)}),
        ({"properties": {"x": STRING}, "required": ["x"]}, closed(x=STRING)),
        ({"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}}),
        ({"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
        ({"type": ["string", "null"], "enum": ["a", "b", "a", 1]},
         {"type": "string", "enum": ["a", "b"]}),
        ({"type": "integer", "enum": [1, True, 2, 3], "minimum": 2},
         {"type": "integer", "enum": [2, 3]}),
        ({"type": ["object", "boolean"], "enum": [True, 1]}, {"type": "boolean", "enum": [True]}),
        ({"enum": ["a", "b"], "const": "b"}, {"type": "string", "const": "b"}),
        ({"type": ["string", "null"], "anyOf": [STRING]}, {"anyOf": [STRING]}),
        ({"type": "string", "enum": ["a", [1]], "pattern": "^a", "format": "date"},
         {"type": "string", "enum": ["a"]}),
    ],
)  # fmt: skip
def test_a_required_property_is_converted(child: dict[str, Any], converted: dict[str, Any]) -> None:
    schema = {**obj(a=child), "$defs": {"A": obj(x=STRING)}}
    is_defined = child.get("$ref") == "#/$defs/A"
    definitions = {"$defs": {"A": closed(x=STRING)}} if is_defined else {}
    assert strict_schema(schema, "s") == {**closed(a=converted), **definitions}


@pytest.mark.parametrize(
    ("child", "nullable"),
    [
        (STRING, {"type": ["string", "null"]}),
        ({"type": ["string", "integer"]}, {"type": ["string", "integer", "null"]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"enum": ["a", "b"], "type": "string"},
         {"enum": ["a", "b", None], "type": ["string", "null"]}),
        ({"enum": ["a", None]}, {"enum": ["a", None], "type": ["string", "null"]}),
        ({"type": ["string", "null"], "enum": ["a", "b"]},
         {"enum": ["a", "b", None], "type": ["string", "null"]}),
        ({"enum": [1, 2.5, True]},
         {"enum": [1, 2.5, True, None], "type": ["integer", "number", "boolean", "null"]}),
        ({"const": "a", "type": "string"},
         {"anyOf": [{"const": "a", "type": "string"}, {"type": "null"}]}),
        ({"enum": ["a"]}, {"enum": ["a", None], "type": ["string", "null"]}),
        ({"const": 1, "default": 1}, {"const": 1, "type": "integer"}),
        ({"enum": ["a"], "default": "a"},
         {"enum": ["a"], "type": "string", "description": 'Default: "a".'}),
        ({"enum": ["a", "b"], "default": "a"},
         {"enum": ["a", "b", None], "type": ["string", "null"], "description": 'Default: "a".'}),
        ({"anyOf": [STRING]}, {"anyOf": [STRING, {"type": "null"}]}),
        ({"$ref": "#/$defs/A"}, {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_an_optional_property_is_required_and_nullable(child: Any, nullable: Any) -> None:
    schema = {**obj([], a=child), "$defs": {"A": obj(x=STRING)}}
    assert strict_schema(schema, "s")["properties"] == {"a": nullable}


@pytest.mark.parametrize(
    ("child", "path"),
    [
        (True, "$.properties.a"),
        ({}, "$.properties.a"),
        ({"type": "object"}, "$.properties.a"),
        ({"type": "object", "additionalProperties": STRING}, "$.properties.a"),
        ({"type": "array"}, "$.properties.a"),
        ({"type": "array", "items": {}}, "$.properties.a.items"),
        ({"type": "array", "prefixItems": [{}]}, r"$.properties.a.prefixItems[0]"),
        ({"anyOf": [STRING, {}]}, r"$.properties.a.anyOf[1]"),
        ({"allOf": [STRING, STRING]}, "$.properties.a"),
        ({"allOf": [True]}, "$.properties.a"),
        ({"type": "string", "not": {}}, "$.properties.a"),
        ({**obj(), "patternProperties": {}}, "$.properties.a"),
        ({"$ref": "#/$defs/Missing"}, "$.properties.a"),
        ({"$ref": "https://example.org/schema"}, "$.properties.a"),
        ({"$ref": "#/$defs/A", "type": "string"}, "$.properties.a"),
        ({"$ref": "#/$defs/Open"}, "$.$defs.Open"),
        ({**obj(), "required": ["b"]}, "$.properties.a"),
        ({**obj(), "additionalProperties": True}, "$.properties.a"),
        ({"enum": []}, "$.properties.a: an enum or const"),
        (
            {"type": "number", "minimum": 5, "maximum": 4.5},
            "$.properties.a: no value has minimum 5",
        ),
        (
            {"type": "integer", "exclusiveMinimum": 3, "maximum": 3},
            "$.properties.a: no value has exclusiveMinimum 3 and maximum 3",
        ),
        ({**STRING, "minLength": 2, "maxLength": 1}, "$.properties.a: no value has minLength 2"),
        (
            {"type": "array", "items": {"type": "array", "prefixItems": [STRING], "minItems": 2}},
            "$.properties.a.items: no value has minItems 2 and maxItems 1",
        ),
        ({"enum": ["a", {"x": 1}]}, "$.properties.a: an enum or const"),
        ({"const": [1]}, "$.properties.a: an enum or const"),
        ({"const": 1, **STRING}, "$.properties.a: an enum or const"),
        ({"const": 1, "enum": [2]}, "$.properties.a: an enum or const"),
        ({"enum": ["a"], "anyOf": [STRING]}, "$.properties.a: enum beside a union"),
        ({"type": "string", "oneOf": [STRING, {}]}, "$.properties.a: type beside a union"),
        ({"$ref": "#"}, "$.properties.a: each value needs another one"),
        (
            {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
            "$.properties.a.items: each value needs another one",
        ),
        ({"anyOf": [{"$ref": "#"}, {"$ref": "#/$defs/Self"}]}, "$.properties.a.anyOf[0]: each"),
        ({"$ref": "#/$defs/Me"}, "$.properties.a: the reference '#/$defs/Me' leads back to itself"),
    ],
)
def test_what_cannot_be_strict_is_named_by_its_path(child: Any, path: str) -> None:
    definitions = {
        "A": STRING,
        "Open": {"type": "object"},
        "Self": obj(y={"$ref": "#/$defs/Self"}),
        "Me": {"anyOf": [{"$ref": "#/$defs/Me"}, {"type": "null"}]},
    }
    schema = {**obj(a=child), "$defs": definitions}
    with pytest.raises(OpenRouterInputError) as caught:
        strict_schema(schema, "tool 't'")
    assert path in str(caught.value)


@pytest.mark.parametrize(
    "root",
    [
        {"type": "array", "items": STRING},
        {"anyOf": [obj()]},
        {"type": "object", "oneOf": [obj()]},
        {"type": "object", "additionalProperties": True},
        {"$ref": "#"},
        {"$ref": "#/$defs/No"},
        {"type": "object", "properties": None},
        {"type": "object", "properties": {"a": STRING}, "additionalProperties": STRING},
    ],
)
def test_a_top_that_is_no_closed_object_is_refused(root: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterInputError):
        strict_schema(root, "s")


@pytest.mark.parametrize("absent", [{"required": None}, {"additionalProperties": None}])
def test_a_null_keyword_is_the_same_as_none(absent: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": STRING}, **absent}
    assert strict_schema(schema, "s")["required"] == ["a"]


def test_an_all_of_beside_properties_loses_neither() -> None:
    child = {**obj(x=STRING), "allOf": [obj(y=STRING)]}
    try:
        strict = strict_schema(obj(a=child), "s")
    except OpenRouterInputError as refused:
        assert "allOf" in str(refused)  # noqa: PT017 - refusing it is as good
    else:
        assert set(strict["properties"]["a"]["properties"]) == {"x", "y"}


@pytest.mark.parametrize(
    "child", [{"allOf": [{"allOf": [STRING]}]}, {"allOf": [{"oneOf": [STRING]}]}]
)
def test_nested_combinators_are_unpacked_or_refused(child: dict[str, Any]) -> None:
    try:
        strict = repr(strict_schema(obj(a=child), "s"))
    except OpenRouterInputError as refused:
        strict = str(refused)
    assert "'oneOf':" not in strict
    assert "'allOf':" not in strict


def test_properties_beside_a_union_are_closed_or_refused() -> None:
    child = {"anyOf": [STRING], "properties": {"z": {"type": "string", "default": 1}}}
    try:
        strict = strict_schema(obj(a=child), "s")
    except OpenRouterInputError as refused:
        assert "$.properties.a" in str(refused)  # noqa: PT017 - refusing it is as good
    else:
        assert "default" not in repr(strict)


def test_a_recursive_model_moves_to_the_root() -> None:
    class Node(BaseModel):
        value: int
        next: Node | None = None

    strict = strict_schema(Node.model_json_schema(), "Node")
    assert strict["type"] == "object"
    assert strict["required"] == ["value", "next"]
    assert strict["$defs"]["Node"]["required"] == ["value", "next"]


@pytest.mark.parametrize(
    ("schema", "repaired"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        (obj(a={"type": "array"}), obj(a={"type": "array", "items": {}})),
        (obj(a={"type": "array", "items": None}), obj(a={"type": "array", "items": {}})),
        (obj(a={"anyOf": [{"type": "object"}]}),
         obj(a={"anyOf": [{"type": "object", "properties": {}}]})),
        (obj(a={"type": "object", "additionalProperties": {"type": "array"}}),
         obj(a={"type": "object", "additionalProperties": {"type": "array", "items": {}},
                "properties": {}})),
        (obj(a={"type": "string", "enum": []}), obj(a={"type": "string", "not": {}})),
    ],
)  # fmt: skip
def test_what_a_server_left_out_is_filled_in(
    schema: dict[str, Any], repaired: dict[str, Any]
) -> None:
    before = copy.deepcopy(schema)
    assert mend(schema, "t") == repaired
    assert schema == before


@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf"])
def test_parameters_with_a_union_on_top_are_refused(key: str) -> None:
    with pytest.raises(OpenRouterInputError, match="tool 't'"):
        mend({"type": "object", key: [obj()]}, "tool 't'")


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ({"a": None}, obj([], a=STRING), {}),
        ({"a": None}, obj(a=STRING), {"a": None}),
        ({"a": None}, obj([], a={"type": ["string", "null"]}), {"a": None}),
        ({"a": None}, obj([], a={"enum": ["x", None]}), {"a": None}),
        ({"a": None}, obj([], a={"const": None}), {"a": None}),
        ({"a": None}, obj([], a={}), {"a": None}),
        ({"a": None}, obj([], a=True), {"a": None}),
        ({"a": None}, obj([], a={"anyOf": [STRING, True]}), {"a": None}),
        ({"a": None}, obj([], a={"anyOf": [STRING, False]}), {}),
        ({"b": None}, obj([], a=STRING), {"b": None}),
        ({"a": [{"x": None}]}, obj(a={"type": "array", "items": obj([], x=STRING)}), {"a": [{}]}),
        ({"a": [{"x": None}]},
         obj(a={"type": ["array", "null"], "items": obj([], x=STRING)}), {"a": [{}]}),
        ({"a": [1, {"x": None}]},
         obj(a={"type": "array", "prefixItems": [{"type": "integer"}, obj([], x=STRING)]}),
         {"a": [1, {}]}),
        ({"a": {"x": None}}, obj(a={"allOf": [obj([], x=STRING)]}), {"a": {}}),
        ({"a": {"k": "2", "y": None}},
         obj(a={"anyOf": [obj(k={"const": "1"}, y={"type": "null"}),
                          obj(["k"], k={"const": "2"}, y=STRING)]}),
         {"a": {"k": "2"}}),
        ({"a": {"x": None}}, obj(a={"anyOf": [True, obj([], x=STRING)]}),
         {"a": {"x": None}}),
        ([1, None], obj(), [1, None]),
        ("text", obj(), "text"),
    ],
)  # fmt: skip
def test_only_the_nulls_that_strict_mode_forced_are_dropped(
    value: Any, schema: dict[str, Any], expected: Any
) -> None:
    before = copy.deepcopy(value)
    assert drop_absent(value, schema) == expected
    assert value == before


def test_a_null_meant_by_a_definition_of_a_definition_is_kept() -> None:
    schema = {
        **obj([], a={"$ref": "#/$defs/A"}),
        "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": ["string", "null"]}},
    }
    assert drop_absent({"a": None}, schema) == {"a": None}


def test_definitions_of_one_name_are_kept_apart() -> None:
    schema = {
        **obj(a={"$ref": "#/$defs/A"}, b={"$ref": "#/definitions/A"}),
        "$defs": {"A": STRING},
        "definitions": {"A": {"type": "integer"}},
    }
    strict = strict_schema(schema, "s")
    kinds = [resolve_ref(strict["properties"][name]["$ref"], strict)["type"] for name in ("a", "b")]
    assert kinds == ["string", "integer"]


def test_a_union_that_no_order_separates_is_given_up() -> None:
    properties: dict[str, Any] = {f"k{n}": STRING for n in range(8)}
    alike = obj(None, **properties)
    members = [{**alike, "description": str(n)} for n in range(9)]
    with pytest.raises(OpenRouterInputError, match=r"\$\.properties\.a: members of a union begin"):
        strict_schema(obj(a={"anyOf": members}), "s")


def test_a_definition_of_itself_does_not_loop() -> None:
    schema = {
        **obj(a={"$ref": "#/$defs/A"}),
        "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
    }
    assert drop_absent({"a": {"b": 1}}, schema) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("reference", "found"), [("#", {"a/b": {"~": {"x": 1}}}), ("#/a~1b/~0", {"x": 1})]
)
def test_references_are_followed_with_their_escapes(reference: str, found: Any) -> None:
    assert resolve_ref(reference, {"a/b": {"~": {"x": 1}}}) == found


@pytest.mark.parametrize(
    "reference",
    ["#/no", "#/properties/a/type/x", "#/anyOf/0", "https://example.org", "#/$defs/Me", "#no"],
)
def test_a_reference_to_nowhere_is_refused(reference: str) -> None:
    schema = {**obj(a=STRING, b={"$ref": reference}), "$defs": {"Me": {"$ref": "#/$defs/Me"}}}
    with pytest.raises(OpenRouterInputError, match="points nowhere"):
        strict_schema(schema, "s")


TARGET = {"type": "string", "title": "target"}
MEMBERS = {"allOf": [TARGET], "nullable": True}


@pytest.mark.parametrize(
    ("child", "reference", "moved"),
    [
        ({"type": "array", "items": [STRING, TARGET]}, "#/properties/a/items/1",
         "#/properties/a/prefixItems/1"),
        ({"type": "array", "items": [STRING], "additionalItems": TARGET},
         "#/properties/a/additionalItems", "#/properties/a/items"),
        (MEMBERS, "#/properties/a/allOf/0", "#/properties/a/anyOf/0/allOf/0"),
        ({**MEMBERS, "type": "string"}, "#/properties/a/allOf/0", "#/properties/a/anyOf/0/allOf/0"),
        ({"type": "string", "items": [MEMBERS], "nullable": True},
         "#/properties/a/items/0/allOf/0", "#/properties/a/prefixItems/0/anyOf/0/allOf/0"),
        (obj(nullable=True, items=TARGET, allOf=STRING), "#/properties/a/properties/items",
         "#/properties/a/properties/items"),
        (obj(None, **{"x/~": TARGET}), "#/properties/a/properties/x~1~0",
         "#/properties/a/properties/x~1~0"),
        ({"$anchor": "node", **TARGET}, "#node", "#/properties/a"),
        (obj(None, **{"x/~": {"$dynamicAnchor": "node", **TARGET}}), "#node",
         "#/properties/a/properties/x~1~0"),
        ({"type": "array", "items": [{"$id": "#node", **TARGET}]}, "#node",
         "#/properties/a/prefixItems/0"),
    ],
)  # fmt: skip
def test_a_reference_follows_what_it_points_to(child: Any, reference: str, moved: str) -> None:
    read = mend(obj(any=True, a=child, b={"$ref": reference}), "s")
    assert read["properties"]["b"]["$ref"] == moved
    assert resolve_ref(moved, read)["title"] == "target"


@pytest.mark.parametrize("own", ["http://[x", "other", 5, None])
def test_what_is_no_uri_of_a_schema_leads_nowhere(own: Any) -> None:
    part = obj(a={"$id": own, **STRING}, b={"$ref": "http://[x/part"})
    with pytest.raises(OpenRouterInputError, match="points nowhere"):
        strict_schema({"$id": "http://example.org/whole", **part}, "s")


@pytest.mark.parametrize("union", ["anyOf", "oneOf", "allOf"])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_definition_of_nothing_but_itself_is_refused(union: str, depth: int) -> None:
    itself: Any = {"$ref": "#/$defs/Me"}
    for _ in range(depth):
        itself = {union: [itself]}
    schema = {**obj(b={"$ref": "#/$defs/Me"}), "$defs": {"Me": itself}}
    with pytest.raises(OpenRouterInputError, match="points nowhere"):
        strict_schema(schema, "s")


def test_a_reference_to_anything_is_no_reference_to_nowhere() -> None:
    schema = {**obj(b={"$ref": "#/$defs/Any"}), "$defs": {"Any": {"anyOf": [True]}}}
    with pytest.raises(OpenRouterInputError, match="accepts anything"):
        strict_schema(schema, "s")


def test_words_that_nobody_wrote_are_left_out() -> None:
    invented = {"type": "string", "description": "An enumeration."}
    schema = obj(a=invented, b={"type": "string", "description": "Mine."})
    cleaned = without_invented_words(schema)["properties"]
    assert cleaned == {"a": STRING, "b": {"type": "string", "description": "Mine."}}
