"""What OpenAI finds wrong with a JSON schema, in OpenAI's words.

A strict schema must keep to a subset in which the model cannot stray: every object closed, every
key required (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas). What
that page does not name is refused. Any other schema only has to be a schema and complete.

The emulator's own words are those for schemas without a valid value, and for the total of
characters: nobody has quoted what OpenAI says to them.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import list_at, object_at, text_at
from langchain_openrouter_o3.emulator.rules.schema_limits import (
    DEFINITIONS,
    Place,
    limit_fault,
    places_in,
    shares_a_first_key,
)
from langchain_openrouter_o3.emulator.schema_reading import (
    SmallestValues,
    fewest_items,
    find_definition,
    is_circular,
)
from langchain_openrouter_o3.emulator.schema_values import (
    TYPES,
    compiled,
    example_text,
    is_number,
    is_valid,
    nearest_number,
    types_of,
    without_choices,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

    Fault = Callable[[JsonObject], str | None]

# The keywords that a strict schema may have, and the type of their values. `minLength` and
# `maxLength` are not among those that the page names.
_EVERYWHERE = {"description": "string", "title": "string"} | dict.fromkeys(DEFINITIONS, "object")
_CHOICES = {"const": "", "enum": "array"}
_NUMBERS = _CHOICES | dict.fromkeys(
    ("multipleOf", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"), "number"
)
_KEYWORDS = {
    "array": {"items": "", "minItems": "integer", "maxItems": "integer"},
    "boolean": _CHOICES,
    "integer": _NUMBERS,
    "null": _CHOICES,
    "number": _NUMBERS,
    "object": {"properties": "object", "required": "array", "additionalProperties": ""},
    "string": _CHOICES | {"format": "string", "pattern": "string"},
}
_UNION = {"anyOf": "array"}
_REFERENCE = {"$ref": "string"}
_ALL_KEYWORDS = {
    keyword: kind
    for keywords in (_EVERYWHERE, _UNION, _REFERENCE, *_KEYWORDS.values())
    for keyword, kind in keywords.items()
}
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)
_NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf", "enum", "const", "not")
_INSTEAD_OF_TYPE = frozenset({"$ref", "if", *_NOT_AT_THE_TOP})
_NOT_EMPTY = ("anyOf", "enum")
# Escapes and sets come first: a parenthesis in them opens nothing.
_LOOK_AROUND = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\(\?<?[=!])", re.DOTALL)


def strict_fault(schema: JsonObject, name: str) -> str | None:
    """Return what is wrong with a strict schema, a whole sentence.

    Args:
        schema: The schema.
        name: What it is the schema for.
    """
    places = [*places_in(schema)]
    return (
        _named(name, _structural_fault(places))
        or _look_around(places)
        or _shared_first_key(places, schema)
        or _named(name, _first_fault(places, (_impossible_choice, _impossible_limits)))
        or _named(name, limit_fault(places))
    )


def lax_fault(schema: JsonObject, name: str) -> str | None:
    """Return what is wrong with parameters of a function that is not strict."""
    places = [*places_in(schema)]
    fault = (
        _malformed(places)
        or _root_fault(schema, _NOT_AT_THE_TOP)
        or _first_fault(places[:1], (_missing_properties,))
        or _first_fault(places, (_missing_items,))
    )
    return _named(name, fault)


def _named(name: str, fault: str | None) -> str | None:
    return None if fault is None else f"Invalid schema for {name}: {fault}"


def _structural_fault(places: Sequence[Place]) -> str | None:
    root = places[0].node
    return (
        _malformed(places)
        or _root_fault(root, ("anyOf",))
        or _first_fault(places, _STRICT)
        or _reference_fault(places, root)
    )


def _root_fault(schema: JsonObject, refused: Iterable[str]) -> str | None:
    if schema.get("type") != "object":
        got = f"'type: \"{schema.get('type')}\"'"
        return f"schema must be a JSON Schema of 'type: \"object\"', got {got}."
    if schema.keys() & {*refused}:
        names = "/".join(map(repr, _NOT_AT_THE_TOP))
        return f"schema must have type 'object' and not have {names} at the top level."
    return None


def _first_fault(places: Iterable[Place], faults: tuple[Fault, ...]) -> str | None:
    for place in places:
        for find_fault in faults:
            fault = find_fault(place.node)
            if fault is not None:
                return f"In context={place.context!r}, {fault}"
    return None


# What no JSON schema may be; these sentences are those of Python's package `jsonschema`.


def _malformed(places: Iterable[Place]) -> str | None:
    keywords = ((name, value) for place in places for name, value in place.node.items())
    return next(filter(None, (_malformed_keyword(*keyword) for keyword in keywords)), None)


def _malformed_keyword(name: str, value: Json) -> str | None:
    kind = _ALL_KEYWORDS.get(name, "")
    if kind and not TYPES[kind](value):
        return f"{value!r} is not of type {kind!r}."
    if name == "required" and isinstance(value, list):
        return _first_not_a_text(value)
    if name == "type" and not _is_type(value):
        return f"{value!r} is not valid under any of the given schemas."
    if name in _NOT_EMPTY and value == []:
        return "[] should be non-empty."
    if name == "pattern" and compiled(str(value)) is None:
        return f"{value!r} is not a 'regex'."
    return _wrong_number(name, value)


def _is_type(value: Json) -> bool:
    kinds = value if isinstance(value, list) else [value]
    known = {kind for kind in kinds if isinstance(kind, str) and kind in TYPES}
    return len(known) == len(kinds) > 0


def _first_not_a_text(values: list[Json]) -> str | None:
    others = (value for value in values if not isinstance(value, str))
    return next((f"{value!r} is not of type 'string'." for value in others), None)


def _wrong_number(name: str, value: Json) -> str | None:
    if name == "multipleOf" and is_number(value) and value <= 0:
        return f"{value!r} is less than or equal to the minimum of 0."
    if name in {"minItems", "maxItems"} and is_number(value) and value < 0:
        return f"{value!r} is less than the minimum of 0."
    return None


# What a strict schema may not be.


def _missing_type(node: JsonObject) -> str | None:
    is_known = "type" in node or node.keys() & _INSTEAD_OF_TYPE
    return None if is_known else "schema must have a 'type' key."


def _lonely_reference(node: JsonObject) -> str | None:
    siblings = [repr(key) for key in node if key != "$ref" and key not in DEFINITIONS]
    if "$ref" not in node or not siblings:
        return None
    return f"$ref cannot have keywords {{{', '.join(siblings)}}}."


def _forbidden_keyword(node: JsonObject) -> str | None:
    permitted = _permitted(node)
    return next((f"{key!r} is not permitted." for key in node if key not in permitted), None)


def _permitted(node: JsonObject) -> set[str]:
    if "$ref" in node or "anyOf" in node:
        return {*_EVERYWHERE, *_UNION, *_REFERENCE}
    tables = [_KEYWORDS[kind] for kind in types_of(node)] or [_CHOICES]
    return {*_EVERYWHERE, "type"}.union(*tables)


def _unknown_format(node: JsonObject) -> str | None:
    is_known = "format" not in node or node["format"] in _FORMATS
    return None if is_known else "'format' is not permitted."


def _open_object(node: JsonObject) -> str | None:
    if "object" not in types_of(node) or node.get("additionalProperties") is False:
        return None
    return "'additionalProperties' is required to be supplied and to be false."


def _missing_properties(node: JsonObject) -> str | None:
    if "object" not in types_of(node) or isinstance(node.get("properties"), dict):
        return None
    return "object schema missing properties."


def _optional_key(node: JsonObject) -> str | None:
    required = dict.fromkeys(map(str, list_at(node, "required")))
    properties = object_at(node, "properties")
    missing = next((name for name in properties if name not in required), None)
    extra = next((name for name in required if name not in properties), None)
    if missing is not None:
        return (
            "'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{missing}'."
        )
    return None if extra is None else f"Extra required key '{extra}' supplied."


def _missing_items(node: JsonObject) -> str | None:
    if "array" not in types_of(node) or isinstance(node.get("items"), dict):
        return None
    return "array schema missing items."


_STRICT: tuple[Fault, ...] = (
    _missing_type,
    _lonely_reference,
    _forbidden_keyword,
    _unknown_format,
    _open_object,
    _missing_properties,
    _optional_key,
    _missing_items,
)


def _reference_fault(places: Iterable[Place], root: JsonObject) -> str | None:
    finders = (
        partial(_unknown_reference, root),
        partial(_circular_reference, root),
        partial(_endless_reference, SmallestValues(root)),
    )
    return _first_fault((place for place in places if "$ref" in place.node), finders)


def _unknown_reference(root: JsonObject, node: JsonObject) -> str | None:
    reference = text_at(node, "$ref")
    if find_definition(reference, root) is not None:
        return None
    return f"reference to component '{reference}' which was not found in the schema."


def _circular_reference(root: JsonObject, node: JsonObject) -> str | None:
    reference = text_at(node, "$ref")
    if not is_circular(reference, root):
        return None
    return f"reference to component '{reference}' which leads back to itself."


def _endless_reference(smallest: SmallestValues, node: JsonObject) -> str | None:
    return None if smallest.ends(node) else "each value needs another one within it."


def _impossible_choice(node: JsonObject) -> str | None:
    limits = without_choices(node)
    for word, values in (("enum", list_at(node, "enum")), ("const", _const(node))):
        for value in values:
            if isinstance(value, (dict, list)) or not is_valid(value, limits):
                return f"{word} value {value} does not validate against {limits}."
    is_choice = "enum" not in node or all(is_valid(value, node) for value in _const(node))
    return None if is_choice else "const value is not one of the enum values."


def _const(node: JsonObject) -> list[Json]:
    return [node["const"]] if "const" in node else []


def _impossible_limits(node: JsonObject) -> str | None:
    if node.keys() & _CHOICES.keys():
        return None
    is_possible = all(_is_possible(node, kind) for kind in types_of(node))
    return None if is_possible else "no value is within these limits."


def _is_possible(node: JsonObject, kind: str) -> bool:
    if kind in {"integer", "number"}:
        return nearest_number(1, node, kind) is not None
    if kind == "string":
        return example_text(node) is not None
    most = node.get("maxItems")
    return kind != "array" or not is_number(most) or fewest_items(node) <= most


def _look_around(places: Iterable[Place]) -> str | None:
    for place in places:
        hits = _LOOK_AROUND.finditer(text_at(place.node, "pattern"))
        if any(hit[1] for hit in hits):
            found = f"Found at {place.json_path}.pattern."
            return f"Invalid JSON schema: regex lookaround is not supported. {found}"
    return None


def _shared_first_key(places: Iterable[Place], root: JsonObject) -> str | None:
    if not any(shares_a_first_key(place.node, root) for place in places):
        return None
    return (
        "Invalid schema: Objects provided via 'anyOf' must not share identical first keys. "
        "Consider adding a discriminator key or rearranging the properties to ensure the first "
        "key is unique."
    )
