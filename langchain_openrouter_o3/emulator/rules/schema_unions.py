"""The first keys of objects in a union: by them the model tells which member it is writing."""

from __future__ import annotations

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
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator.json_value import JsonObject


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
