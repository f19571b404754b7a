"""Strict schemas: complete or refused by path; and the nulls they force are taken out again."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3.errors import OpenRouterInputError
from tests.helpers.schemas import drop_absent, mend, strict_schema

Schema = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c", "default", "oneOf", "type", "$ref"])
KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=5),
        "default": st.none() | st.integers(),
        "title": st.just("T"),
        "examples": st.just([1]),
    },
)
LEAVES = st.one_of(
    st.sampled_from(["string", "integer", "number", "boolean"]).map(lambda kind: {"type": kind}),
    st.just({"type": ["string", "null"]}),
    st.just({"enum": ["x", "y"], "type": "string"}),
    st.just({"enum": ["x", 1]}),
    st.just({"const": "k"}),
    st.just({"type": "string", "format": "uri"}),
    st.just({"type": "null"}),
    st.just({"$ref": "#/$defs/D"}),
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(NAMES, inner, max_size=3))
    wanted = draw(st.sets(NAMES))
    required: list[str] = [name for name in properties if name in wanted]
    made: Schema = {"type": "object", "properties": properties}
    empty = draw(st.booleans())
    if required or empty:
        made["required"] = required
    closed: bool | None = draw(st.none() | st.booleans())
    if closed is not None:
        made["additionalProperties"] = closed
    return made


def grow(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        objects(inner),
        inner.map(lambda items: {"type": "array", "items": items}),
        several.map(lambda items: {"type": "array", "prefixItems": items}),
        several.map(lambda options: {"anyOf": options}),
        several.map(lambda options: {"oneOf": options}),
        inner.map(lambda part: {"allOf": [part]}),
        st.builds(lambda schema, more: {**more, **schema}, inner, KEYWORDS),
    )


SCHEMAS = st.recursive(LEAVES, grow, max_leaves=6)
ROOTS = st.builds(
    lambda root, definition: {**root, "$defs": {"D": definition}}, objects(SCHEMAS), objects(LEAVES)
)


def nodes(schema: Any) -> list[Schema]:
    """Every schema in a schema, itself first."""
    if not isinstance(schema, dict):
        return []
    below = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    below += [*schema.get("anyOf", []), schema.get("items")]
    return [schema, *(node for child in below for node in nodes(child))]


def attempt(schema: Schema) -> Schema | None:
    try:
        return strict_schema(schema, "test")
    except OpenRouterInputError as error:
        assert "$" in str(error)  # noqa: PT017 - both outcomes are right
        return None


@given(schema=ROOTS)
def test_a_strict_schema_is_complete_at_every_depth(schema: Schema) -> None:
    before = copy.deepcopy(schema)
    strict = attempt(schema)
    assert schema == before
    for node in nodes(strict):
        assert not node.keys() & {"default", "oneOf", "allOf", "examples", "prefixItems"}
        assert "$ref" not in node or node.keys() == {"$ref"}
        if node.get("type") == "object" or "properties" in node:
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


@given(schema=ROOTS)
def test_making_a_schema_strict_twice_changes_nothing_more(schema: Schema) -> None:
    strict = attempt(schema)
    assert strict is None or strict_schema(strict, "again") == strict


KEYS = [
    *("type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "enum", "$ref"),
    *("prefixItems", "additionalProperties", "$defs", "format", "const", "a", "not"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["object", "array", "x", "#"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(properties=st.dictionaries(NAMES, JSON, max_size=2), more=JSON)
def test_nonsense_is_refused_as_an_input_error(properties: Any, more: Any) -> None:
    root = {**(more if isinstance(more, dict) else {}), "type": "object", "properties": properties}
    strict = attempt(root)
    assert strict is None or strict["additionalProperties"] is False


@given(schema=ROOTS)
def test_a_repaired_schema_is_the_same_schema_with_its_gaps_filled(schema: Schema) -> None:
    before = copy.deepcopy(schema)
    repaired = mend(schema, "test")
    assert schema == before
    assert mend(repaired, "again") == repaired
    for node in nodes(repaired):
        assert node.get("type") != "object" or isinstance(node["properties"], dict)
        assert node.get("type") != "array" or "prefixItems" in node or "items" in node


# --- Instances: an object with some optionals left out, and as strict mode returns it ---


@st.composite
def shaped(draw: st.DrawFn, depth: int = 3) -> tuple[Schema, Any, Any]:
    """A schema, a value that fits it, and the value with nulls for its absent optionals."""
    kinds = ["object", "array", "nullable", "union", "leaf"]
    kind = draw(st.sampled_from(kinds if depth else ["leaf"]))
    if kind == "leaf":
        value = draw(st.integers(0, 9))
        return {"type": "integer"}, value, value
    if kind == "nullable":
        schema, value, full = draw(shaped(depth - 1))
        absent = draw(st.booleans())
        wrapped = {"anyOf": [schema, {"type": "null"}]}
        return wrapped, None if absent else value, None if absent else full
    if kind == "array":
        schema, value, full = draw(shaped(depth - 1))
        typed = draw(st.sampled_from(["array", ["array", "null"]]))
        count = draw(st.integers(0, 2))
        return {"type": typed, "items": schema}, [value] * count, [full] * count
    if kind == "union":
        schema, value, full = draw(shaped(depth - 1))
        return {draw(st.sampled_from(["anyOf", "oneOf"])): [schema]}, value, full
    return draw(shaped_objects(depth))


@st.composite
def shaped_objects(draw: st.DrawFn, depth: int = 3) -> tuple[Schema, Any, Any]:
    schema: Schema = {"type": "object", "properties": {}, "required": []}
    value: dict[str, Any] = {}
    full: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
        child, item, filled = draw(shaped(depth - 1))
        schema["properties"][name] = child
        if draw(st.booleans()):
            schema["required"].append(name)
        elif draw(st.booleans()) and '"null"' not in json.dumps(child):
            full[name] = None
            continue
        value[name] = item
        full[name] = filled
    return schema, value, full


@given(made=shaped_objects())
def test_dropping_the_forced_nulls_gives_the_object_that_was_meant(
    made: tuple[Schema, Any, Any],
) -> None:
    schema, value, full = made
    before = copy.deepcopy(full)
    assert drop_absent(full, schema) == value
    assert full == before
