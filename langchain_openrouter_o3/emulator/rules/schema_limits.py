"""OpenAI's limits on strict schemas: of size, of places, of unions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    compact,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.schema_reading import find_definition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

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


def limit_fault(places: Sequence[Place]) -> str | None:
    """Return the first limit that a schema exceeds."""
    levels = max(place.level for place in places)
    properties = sum(len(object_at(place.node, "properties")) for place in places)
    if levels > _MOST_LEVELS:
        return f"{levels} levels of nesting exceeds limit of {_MOST_LEVELS}."
    if properties > _MOST_PROPERTIES:
        return f"{properties} parameters exceeds limit of {_MOST_PROPERTIES}."
    return _enum_fault(places) or _character_fault(places)


def _enum_fault(places: Sequence[Place]) -> str | None:
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


def _character_fault(places: Sequence[Place]) -> str | None:
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
