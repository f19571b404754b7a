"""What OpenAI finds wrong with a JSON schema, in OpenAI's words.

Its limits come first, then the order in which all else is looked for (`strict_problem`,
`lax_problem`), keyword by keyword, and references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_schema import (
    TYPES,
    SmallestValues,
    compiled,
    example_text,
    fewest_items,
    find_definition,
    is_circular,
    is_number,
    is_valid,
    nearest_number,
    types_of,
    without_choices,
)
from langchain_openrouter_o3.emulator.json_value import (
    compact,
    list_at,
    object_at,
    objects_at,
    text_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

    Check = Callable[[JsonObject], str | None]

DEFINITIONS = ("$defs", "definitions")
_BRANCHES = ("anyOf", "oneOf", "allOf")
_PLAIN_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True)
class Place:
    """A schema within a schema; `level` counts the properties and items around it."""

    node: JsonObject
    path: tuple[str | int, ...] = ()
    level: int = 0

    @property
    def context(self) -> tuple[str, ...]:
        """The path as most of OpenAI's sentences have it."""
        return tuple(map(str, self.path))

    @property
    def json_path(self) -> str:
        """The path as a JSONPath."""
        return "$" + "".join(map(_path_step, self.path))

    def children(self) -> Iterator[Place]:
        """Return the schemas directly within this one."""
        for keyword in ("properties", *DEFINITIONS):
            # A definition is a schema of its own, so that recursion is no endless nesting.
            level = self.level + 1 if keyword == "properties" else 0
            for name, node in object_at(self.node, keyword).items():
                yield self._child(node, (keyword, name), level)
        for keyword in _BRANCHES:
            for index, node in enumerate(list_at(self.node, keyword)):
                yield self._child(node, (keyword, index), self.level)
        if "items" in self.node:
            yield self._child(self.node["items"], ("items",), self.level + 1)

    def _child(self, node: Json, steps: tuple[str | int, ...], level: int) -> Place:
        """Return a place; what is no object there, such as `true`, says nothing of a value."""
        return Place(node if isinstance(node, dict) else {}, (*self.path, *steps), level)


def places_in(schema: JsonObject) -> Iterator[Place]:
    """Return the places of a schema and of all schemas in it, in their order."""
    left = [Place(schema)]
    while left:
        place = left.pop()
        yield place
        left.extend([*place.children()][::-1])


def _path_step(step: str | int) -> str:
    if isinstance(step, str) and _PLAIN_NAME.fullmatch(step):
        return f".{step}"
    return f"[{step!r}]"


def shares_a_first_key(node: JsonObject, root: JsonObject) -> bool:
    """Whether two objects of a union begin with one name, and no values tell them apart."""
    seen: dict[str, set[str]] = {}
    for member in _objects(node, root):
        name, values = _first_key(member, root)
        if name in seen and (not values or not seen[name] or values & seen[name]):
            return True
        seen[name] = values | seen.get(name, set())
    return False


def _objects(node: JsonObject, root: JsonObject) -> Iterator[JsonObject]:
    """Return the objects among the members of a union, and of the unions that are members."""
    for member in objects_at(node, "anyOf"):
        whole = _resolved(member, root)
        yield from [whole] if object_at(whole, "properties") else []
        yield from _objects(whole, root)


def _first_key(member: JsonObject, root: JsonObject) -> tuple[str, set[str]]:
    """Return the name of the first property, and its only values if the schema names them."""
    name, node = next(iter(object_at(member, "properties").items()))
    first = _resolved(node, root) if isinstance(node, dict) else {}
    values = [first["const"]] if "const" in first else list_at(first, "enum")
    return name, {compact(value) for value in values}


def _resolved(node: JsonObject, root: JsonObject) -> JsonObject:
    """Follow references; circular ones were refused before."""
    while "$ref" in node:
        node = find_definition(text_at(node, "$ref"), root) or {}
    return node


_MOST_LEVELS = 10
_MOST_PROPERTIES = 5_000
_MOST_ENUM_VALUES = 1_000
_LARGE_ENUM = 250
_MOST_CHARACTERS_OF_LARGE_ENUM = 15_000
_MOST_CHARACTERS = 120_000
_ADVICE = (
    "Consider reducing the number of enums, or use 'strict: false' to opt out of structured "
    "outputs."
)


def limit_problem(places: Sequence[Place]) -> str | None:
    """Return the first limit that a schema exceeds."""
    levels = max(place.level for place in places)
    properties = sum(len(object_at(place.node, "properties")) for place in places)
    if levels > _MOST_LEVELS:
        return f"{levels} levels of nesting exceeds limit of {_MOST_LEVELS}."
    if properties > _MOST_PROPERTIES:
        return f"{properties} parameters exceeds limit of {_MOST_PROPERTIES}."
    return _enum_problem(places) or _character_problem(places)


def _enum_problem(places: Sequence[Place]) -> str | None:
    enums = [list_at(place.node, "enum") for place in places]
    count = sum(map(len, enums))
    if count > _MOST_ENUM_VALUES:
        return (
            f"Expected at most {_MOST_ENUM_VALUES} enum values in total within a single schema "
            f"when using structured outputs, but received {count}. {_ADVICE}"
        )
    large = [_characters(enum) for enum in enums if len(enum) > _LARGE_ENUM]
    longest = max(large, default=0)
    if longest > _MOST_CHARACTERS_OF_LARGE_ENUM:
        return (
            f"Expected at most {_MOST_CHARACTERS_OF_LARGE_ENUM} total characters across enum "
            f"values when there are more than {_LARGE_ENUM} enum values, but received {longest}. "
            f"{_ADVICE}"
        )
    return None


def _character_problem(places: Sequence[Place]) -> str | None:
    count = sum(_characters(_texts(place)) for place in places)
    if count <= _MOST_CHARACTERS:
        return None
    return (
        f"Expected at most {_MOST_CHARACTERS} total characters across names of properties and "
        f"definitions, enum values and const values, but received {count}."
    )


def _texts(place: Place) -> list[Json]:
    names = [name for key in ("properties", *DEFINITIONS) for name in object_at(place.node, key)]
    const = [place.node["const"]] if "const" in place.node else []
    return [*names, *list_at(place.node, "enum"), *const]


def _characters(values: Sequence[Json]) -> int:
    """Count characters; a value that is no string counts as it is written."""
    return sum(len(value if isinstance(value, str) else compact(value)) for value in values)


# --- Keywords and references ---


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


def strict_problem(schema: JsonObject, name: str) -> str | None:
    """Return what is wrong with a strict schema, a whole sentence.

    Args:
        schema: The schema.
        name: What it is the schema for.
    """
    places = [*places_in(schema)]
    return (
        _named(name, _structural_problem(places))
        or _look_around(places)
        or _shared_first_key(places, schema)
        or _named(name, _first_problem(places, (_impossible_choice, _impossible_limits)))
        or _named(name, limit_problem(places))
    )


def lax_problem(schema: JsonObject, name: str) -> str | None:
    """Return what is wrong with parameters of a function that is not strict."""
    places = [*places_in(schema)]
    problem = (
        _malformed(places)
        or _root_problem(schema, _NOT_AT_THE_TOP)
        or _first_problem(places[:1], (_missing_properties,))
        or _first_problem(places, (_missing_items,))
    )
    return _named(name, problem)


def _named(name: str, problem: str | None) -> str | None:
    return None if problem is None else f"Invalid schema for {name}: {problem}"


def _structural_problem(places: Sequence[Place]) -> str | None:
    root = places[0].node
    return (
        _malformed(places)
        or _root_problem(root, ("anyOf",))
        or _first_problem(places, _STRICT)
        or _reference_problem(places, root)
    )


def _root_problem(schema: JsonObject, refused: Iterable[str]) -> str | None:
    if schema.get("type") != "object":
        got = f"'type: \"{schema.get('type')}\"'"
        return f"schema must be a JSON Schema of 'type: \"object\"', got {got}."
    if schema.keys() & {*refused}:
        names = "/".join(map(repr, _NOT_AT_THE_TOP))
        return f"schema must have type 'object' and not have {names} at the top level."
    return None


def _first_problem(places: Iterable[Place], problems: tuple[Check, ...]) -> str | None:
    for place in places:
        for find_problem in problems:
            problem = find_problem(place.node)
            if problem is not None:
                return f"In context={place.context!r}, {problem}"
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
        return _wrong_names(value)
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


def _wrong_names(values: list[Json]) -> str | None:
    names = [value for value in values if isinstance(value, str)]
    if len({*names}) < len(names):
        return f"{values!r} has non-unique elements."
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


_STRICT: tuple[Check, ...] = (
    _missing_type,
    _lonely_reference,
    _forbidden_keyword,
    _unknown_format,
    _open_object,
    _missing_properties,
    _optional_key,
    _missing_items,
)


def _reference_problem(places: Iterable[Place], root: JsonObject) -> str | None:
    finders = (
        partial(_unknown_reference, root),
        partial(_circular_reference, root),
        partial(_endless_reference, SmallestValues(root)),
    )
    return _first_problem((place for place in places if "$ref" in place.node), finders)


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
