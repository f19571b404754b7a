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
from langchain_openrouter_o3.emulator.schema_reading import find_definition
from langchain_openrouter_o3.emulator.schema_values import (
    is_valid,
    types_of,
    without_choices,
)

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.answers.hints import Clues


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
        if not self.choices() and self.node.keys() & {"const", "enum"}:
            return "null"
        named = [kind for kind in types_of(self.node) if kind != "null"]
        if named or types_of(self.node):
            return named[0] if named else "null"
        if "properties" in self.node:
            return "object"
        return "array" if "items" in self.node else "string"

    def choices(self) -> list[Json]:
        """Return the only values there are besides null, if the schema names them."""
        named = [self.node["const"]] if "const" in self.node else list_at(self.node, "enum")
        given: list[Json] = [value for value in named if value is not None]
        limits = without_choices(self.node)
        valid: list[Json] = [value for value in given if is_valid(value, limits)]
        return valid or given


def shape_of(node: JsonObject, root: JsonObject, clues: Clues, path: frozenset[str]) -> Shape:
    """Resolve references, choose members of unions and take out null."""
    nullable = False
    while True:
        if "$ref" in node:
            reference = text_at(node, "$ref")
            if reference in path:
                return Shape(node, nullable=nullable, recursive=True, path=path)
            path |= {reference}
            node = _definition(reference, root) | {k: v for k, v in node.items() if k != "$ref"}
        elif "allOf" in node:
            node = _merged(node, root)
        elif "anyOf" in node or "oneOf" in node:
            branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
            nullable = nullable or any(map(_takes_null, branches))
            others = [each for each in branches if not _is_null(each)]
            new = [each for each in others if text_at(each, "$ref") not in path]
            node = _branch(new or others, root, clues)
        else:
            return Shape(node, nullable=nullable or _takes_null(node), path=path)


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
    return find_definition(reference, root) or {}


def _takes_null(node: JsonObject) -> bool:
    return bool(node.keys() & {"const", "enum", "type"}) and is_valid(None, node)


def _is_null(node: JsonObject) -> bool:
    return _takes_null(node) and Shape(node).kind == "null"


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
    return branches[0] if branches else {"type": "null"}
