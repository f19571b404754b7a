"""What OpenAI finds wrong with a JSON schema.

A strict schema must keep to a subset in which the model cannot stray: every object closed, every
key required (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas). Any
other schema only has to be complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import list_at, object_at, objects_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

    Fault = Callable[[JsonObject], str | None]

_DEFINITIONS = ("$defs", "definitions")
_BRANCHES = ("anyOf", "oneOf", "allOf")


def strict_fault(schema: JsonObject) -> str | None:
    """Return the first thing that a strict schema must not have, in OpenAI's words."""
    return _root_fault(schema) or _first_fault(schema, _STRICT)


def lax_fault(schema: JsonObject) -> str | None:
    """Return the first thing that no schema of a function's parameters must have."""
    fault = _root_fault(schema) or _missing_properties(schema)
    if fault is not None:
        return fault if fault.startswith("schema") else f"In context=(), {fault}"
    return _first_fault(schema, (_missing_items,))


def _root_fault(schema: JsonObject) -> str | None:
    if schema.get("type") == "object":
        return None
    got = f"'type: \"{schema.get('type')}\"'"
    return f"schema must be a JSON Schema of 'type: \"object\"', got {got}."


def _first_fault(schema: JsonObject, faults: tuple[Fault, ...]) -> str | None:
    for context, node in _nodes(schema, ()):
        for find_fault in faults:
            fault = find_fault(node)
            if fault is not None:
                return f"In context={context!r}, {fault}"
    return None


def _nodes(
    schema: JsonObject, context: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], JsonObject]]:
    """Return a schema and all schemas in it, with their places as OpenAI writes them."""
    yield context, schema
    for keyword in ("properties", *_DEFINITIONS):
        for name, node in object_at(schema, keyword).items():
            if isinstance(node, dict):
                yield from _nodes(node, (*context, keyword, name))
    for keyword in _BRANCHES:
        for index, node in enumerate(objects_at(schema, keyword)):
            yield from _nodes(node, (*context, keyword, str(index)))
    if isinstance(schema.get("items"), dict):
        yield from _nodes(object_at(schema, "items"), (*context, "items"))


def _has_type(node: JsonObject, name: str) -> bool:
    kind: Json = node.get("type")
    return kind == name or (isinstance(kind, list) and name in kind)


def _missing_type(node: JsonObject) -> str | None:
    known = ("type", "$ref", "enum", "const", *_BRANCHES)
    return None if any(key in node for key in known) else "schema must have a 'type' key."


def _lonely_reference(node: JsonObject) -> str | None:
    siblings = [repr(key) for key in node if key != "$ref" and key not in _DEFINITIONS]
    if "$ref" not in node or not siblings:
        return None
    return f"$ref cannot have keywords {{{', '.join(siblings)}}}."


def _forbidden_keyword(node: JsonObject) -> str | None:
    for keyword in ("allOf", "oneOf", "default"):
        if keyword in node:
            return f"'{keyword}' is not permitted."
    return None


def _open_object(node: JsonObject) -> str | None:
    if not _has_type(node, "object") or node.get("additionalProperties") is False:
        return None
    return "'additionalProperties' is required to be supplied and to be false."


def _missing_properties(node: JsonObject) -> str | None:
    if not _has_type(node, "object") or isinstance(node.get("properties"), dict):
        return None
    return "object schema missing properties."


def _optional_key(node: JsonObject) -> str | None:
    required = list_at(node, "required")
    for name in object_at(node, "properties"):
        if name not in required:
            return (
                "'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{name}'."
            )
    extra = next((name for name in required if name not in object_at(node, "properties")), None)
    return None if extra is None else f"Extra required key '{extra}' supplied."


def _missing_items(node: JsonObject) -> str | None:
    if not _has_type(node, "array") or isinstance(node.get("items"), dict):
        return None
    return "array schema missing items."


_STRICT: tuple[Fault, ...] = (
    _missing_type,
    _lonely_reference,
    _forbidden_keyword,
    _open_object,
    _missing_properties,
    _optional_key,
    _missing_items,
)
