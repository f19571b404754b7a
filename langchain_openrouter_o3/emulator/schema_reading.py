"""Reading a JSON schema across its references."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import unquote

from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.schema_values import (
    example_text,
    is_number,
    nearest_number,
    types_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_definition(reference: str, root: JsonObject) -> JsonObject | None:
    """Return what a reference within a schema points to, or None if there is no schema."""
    pointer = unquote(reference.removeprefix("#"))
    if not reference.startswith("#") or pointer[:1] not in {"", "/"}:
        return None
    found: Json = root
    for step in pointer.split("/")[1:]:
        found = _child(found, step.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, dict) else None


def is_circular(reference: str, root: JsonObject) -> bool:
    """Whether a reference leads back to itself through nothing but references and unions."""
    followed: set[str] = set()
    left = [find_definition(reference, root) or {}]
    while left:
        node = left.pop()
        left.extend(objects_at(node, "anyOf"))
        found = text_at(node, "$ref")
        if found and found not in followed:
            followed.add(found)
            left.append(find_definition(found, root) or {})
    return reference in followed


def fewest_items(node: JsonObject) -> int:
    """Return how many items an array must have."""
    least = node.get("minItems")
    return max(math.ceil(least), 0) if is_number(least) else 0


class SmallestValues:
    """The smallest valid values of a schema, with which recursion comes to an end.

    Each reference has a rank: how many references deep its smallest value is. The value of a
    union is that of its member of the lowest rank, so that each reference on the way is of a
    lower rank than the one before it. A reference of infinite rank has no value that ends.
    """

    def __init__(self, root: JsonObject) -> None:
        """Rank all references of a schema."""
        self._root = root
        references = set(_references(root))
        self._ranks: dict[str, float] = {}
        while sum(map(self._improve, references)):
            pass

    def ends(self, node: JsonObject) -> bool:
        """Whether a schema has a value that ends."""
        return self._rank(node) < math.inf

    def value(self, node: JsonObject) -> Json:
        """Return the smallest value of a schema that has one; null is smaller than all others."""
        if "$ref" in node:
            return self.value(self._target(text_at(node, "$ref")))
        branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
        if branches:
            return self.value(min(branches, key=self._rank))
        choices = [node["const"]] if "const" in node else list_at(node, "enum")
        return choices[0] if choices else self._of_type(node)

    def _of_type(self, node: JsonObject) -> Json:
        types = types_of(node)
        kind = "null" if "null" in types else types[0] if types else "string"
        if kind == "object":
            return {name: self.value(inner) for name, inner in _required(node).items()}
        if kind == "array":
            return [self.value(object_at(node, "items")) for _ in range(fewest_items(node))]
        if kind in {"integer", "number"}:
            return nearest_number(1, node, kind)
        return {"boolean": True, "string": example_text(node)}.get(kind)

    def _improve(self, reference: str) -> bool:
        rank = 1 + self._rank(self._target(reference))
        is_better = rank < self._ranks.get(reference, math.inf)
        if is_better:
            self._ranks[reference] = rank
        return is_better

    def _rank(self, node: JsonObject) -> float:
        if "$ref" in node:
            return self._ranks.get(text_at(node, "$ref"), math.inf)
        branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
        if branches:
            return min(map(self._rank, branches))
        if "null" in types_of(node):
            return 0
        parts = [*_required(node).values(), *objects_at(node, "allOf")]
        if fewest_items(node):
            parts.append(object_at(node, "items"))
        return max(map(self._rank, parts), default=0)

    def _target(self, reference: str) -> JsonObject:
        return find_definition(reference, self._root) or {}


def _child(parent: Json, step: str) -> Json:
    if isinstance(parent, list):
        return parent[int(step)] if step.isdecimal() and int(step) < len(parent) else None
    return parent.get(step) if isinstance(parent, dict) else None


def _required(node: JsonObject) -> dict[str, JsonObject]:
    properties = object_at(node, "properties")
    required = [name for name in properties if name in list_at(node, "required")]
    return {name: object_at(properties, name) for name in required}


def _references(value: Json) -> Iterator[str]:
    left: list[Json] = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            reference = found.get("$ref")
            if isinstance(reference, str):
                yield reference
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)
