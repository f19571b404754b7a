"""Reading a JSON schema down to the part that says what a value has to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    list_at,
    object_at,
    objects_at,
    text_at,
)

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.answers.clues import Clues

_NULL: JsonObject = {"type": "null"}


@dataclass(frozen=True)
class Shape:
    """A schema without references, unions and null.

    `path` has the references on the way here; a recursive one ends it.
    """

    node: JsonObject
    nullable: bool = False
    recursive: bool = False
    path: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def kind(self) -> str:
        """The JSON type, told by the keywords if no type is given."""
        named = text_at(self.node, "type")
        if named:
            return named
        if "properties" in self.node:
            return "object"
        return "array" if "items" in self.node else "string"

    def choices(self) -> list[Json]:
        """Return the only values there are, if the schema names them."""
        if "const" in self.node:
            return [self.node["const"]]
        return [value for value in list_at(self.node, "enum") if value is not None]


def shape_of(node: JsonObject, root: JsonObject, clues: Clues, path: frozenset[str]) -> Shape:
    """Resolve references, choose branches of unions and take out null."""
    nullable = False
    while True:
        if "$ref" in node:
            reference = text_at(node, "$ref")
            if reference in path:
                return Shape({}, nullable=nullable, recursive=True, path=path)
            path |= {reference}
            node = _definition(reference, root) | {k: v for k, v in node.items() if k != "$ref"}
        elif "allOf" in node:
            node = _merged(node, root)
        elif "anyOf" in node or "oneOf" in node:
            branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
            nullable = nullable or _NULL in branches
            node = _branch([branch for branch in branches if branch != _NULL], root, clues)
        elif isinstance(node.get("type"), list):
            types = list_at(node, "type")
            nullable = nullable or "null" in types
            node = node | {"type": next((kind for kind in types if kind != "null"), "null")}
        else:
            return Shape(node, nullable=nullable or None in list_at(node, "enum"), path=path)


def property_names(schema: Json) -> set[str]:
    """Return the names of all properties anywhere in a schema."""
    names: set[str] = set()
    if isinstance(schema, dict):
        names.update(object_at(schema, "properties"))
        for value in schema.values():
            names |= property_names(value)
    elif isinstance(schema, list):
        for value in schema:
            names |= property_names(value)
    return names


def _definition(reference: str, root: JsonObject) -> JsonObject:
    node = root
    for key in reference.split("/")[1:]:
        node = object_at(node, key.replace("~1", "/").replace("~0", "~"))
    return node


def _merged(node: JsonObject, root: JsonObject) -> JsonObject:
    properties: JsonObject = {}
    required: list[Json] = []
    merged: JsonObject = {}
    own = {key: value for key, value in node.items() if key != "allOf"}
    for part in [*objects_at(node, "allOf"), own]:
        whole = _definition(text_at(part, "$ref"), root) if "$ref" in part else part
        merged |= whole
        properties |= object_at(whole, "properties")
        required += list_at(whole, "required")
    if not properties:
        return merged
    merged["properties"], merged["required"] = properties, required
    return merged


def _branch(branches: list[JsonObject], root: JsonObject, clues: Clues) -> JsonObject:
    """Choose the branch of a union whose title the prompt mentions, else the first."""
    for branch in branches:
        whole = _definition(text_at(branch, "$ref"), root) if "$ref" in branch else branch
        title = text_at(whole, "title")
        if title and title.lower() in clues.text.lower():
            return branch
    return branches[0] if branches else _NULL
