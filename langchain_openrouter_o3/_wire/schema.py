"""JSON schemas as OpenAI accepts them: complete when strict, repaired when not.

A caller's schema is never changed; every function returns a new one.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.schema_shape import (
    CHILD_LISTS,
    CHILD_MAPS,
    CHILDREN,
    Schema,
    check_shape,
    without_nulls,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_INVENTED = (inspect.getdoc(dict), "An enumeration.")
_NULL: Schema = {"type": "null"}
# Annotations without meaning for the answer; OpenAI refuses some of them in strict mode.
_DROPPED = frozenset(
    {
        "$comment",
        "$id",
        "$schema",
        "default",
        "deprecated",
        "discriminator",
        "examples",
        "readOnly",
        "uniqueItems",
        "writeOnly",
    }
)
_IMPOSSIBLE = frozenset(
    {
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxProperties",
        "minProperties",
        "not",
        "patternProperties",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_DESCRIBING = frozenset({"title", "description", "default"})
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)
_CONSTRAINING = frozenset(
    {"type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref", "properties"}
)


def strict_schema(schema: Schema, what: str) -> Schema:
    """Complete a schema for strict mode.

    All objects are closed, all keys required, what was optional is nullable, nothing has a
    default.

    Args:
        schema: A JSON schema whose root is an object.
        what: Whose schema it is, for errors.

    Raises:
        OpenRouterInputError: It cannot be strict; the text names the path.
    """
    check_shape(schema, what, "$")
    return _Strict(schema, what).root()


def repair_schema(schema: Schema, what: str) -> Schema:
    """Mend what OpenAI refuses even without strict mode.

    Objects get `properties` and arrays `items` where an MCP server left them out; one such
    tool would make every request fail (langchain-mcp-adapters issue 137).

    Args:
        schema: The parameters of a function.
        what: Whose they are, for errors.

    Raises:
        OpenRouterInputError: The root is not an object.
    """
    check_shape(schema, what, "$")
    kind = schema.get("type", "object")
    if kind != "object" or any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        raise OpenRouterInputError(
            f"{what}: the parameters must be one object at the top, without anyOf, oneOf or "
            "allOf; wrap them in a property."
        )
    return _repair({"type": "object", **schema})


class _Strict:
    def __init__(self, schema: Schema, what: str) -> None:
        self._schema = schema
        self._what = what

    def root(self) -> Schema:
        root = without_nulls(self._schema)
        if "$ref" in root:  # a recursive model: its definition moves to the root, where it must be
            target = self._follow(root["$ref"], "$")
            if "$ref" in target:
                raise self._impossible("$", "a reference to a reference")
            root = {**target, **{key: root[key] for key in ("$defs", "definitions") if key in root}}
        if root.get("type") != "object" or "anyOf" in root or "oneOf" in root:
            raise self._impossible("$", "the top of a schema must be an object; wrap it in one")
        return self._convert(root, "$")

    def _convert(self, schema: Any, path: str) -> Schema:
        if not is_object(schema):
            raise self._impossible(path, "a schema that accepts anything")
        schema = self._flatten(without_nulls(schema), path)
        for key in sorted(schema.keys() & _IMPOSSIBLE):
            raise self._impossible(path, f"{key!r} is not supported")
        if "$ref" in schema:
            return self._reference(schema, path)
        if not schema.keys() & {"type", "anyOf", "enum", "const"}:
            raise self._impossible(path, "a value of any type")
        converted = {key: value for key, value in schema.items() if key not in _DROPPED}
        if converted.get("format") not in (None, *_FORMATS):
            del converted["format"]
        types = types_of(schema)
        if "object" in types or "properties" in schema:
            self._close(converted, path)
        if "array" in types:
            self._fill_items(converted, path)
        return self._convert_children(converted, path)

    def _convert_children(self, schema: Schema, path: str) -> Schema:
        if "anyOf" in schema:
            schema["anyOf"] = [
                self._convert(option, f"{path}.anyOf[{position}]")
                for position, option in enumerate(schema["anyOf"])
            ]
        for key in schema.keys() & {"$defs", "definitions"}:
            schema[key] = {
                name: self._convert(item, f"{path}.{key}.{name}")
                for name, item in schema[key].items()
            }
        return schema

    def _flatten(self, schema: Schema, path: str) -> Schema:
        """Write oneOf as anyOf (a union's members exclude each other anyway) and unpack allOf."""
        if "oneOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "oneOf"}
            schema = {**rest, "anyOf": [*schema.get("anyOf", []), *schema["oneOf"]]}
        if "allOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            part = schema["allOf"][0] if len(schema["allOf"]) == 1 else None
            if not is_object(part) or part.keys() & (rest.keys() - _DESCRIBING):
                raise self._impossible(path, "'allOf' is not supported")
            schema = self._flatten({**part, **rest}, path)
        return schema

    def _reference(self, schema: Schema, path: str) -> Schema:
        self._follow(schema["$ref"], path)
        # A reference may have no siblings; a description survives one level further out.
        reference = {"$ref": schema["$ref"]}
        if "description" in schema:
            return {"anyOf": [reference], "description": schema["description"]}
        return reference

    def _follow(self, reference: str, path: str) -> Schema:
        try:
            return resolve_ref(reference, self._schema)
        except OpenRouterInputError as error:
            raise self._impossible(path, str(error)) from None

    def _close(self, schema: Schema, path: str) -> None:
        extra = schema.get("additionalProperties")
        if is_object(extra) or "properties" not in schema:
            raise self._impossible(
                path, "an open dictionary, whose keys nobody knows beforehand; use a list of pairs"
            )
        required = schema.get("required", [])
        properties: Schema = {}
        for name, item in schema["properties"].items():
            child = self._convert(item, f"{path}.properties.{name}")
            properties[name] = child if name in required else _nullable(child)
        schema["properties"] = properties
        schema["required"] = list(properties)
        schema["additionalProperties"] = False

    def _fill_items(self, schema: Schema, path: str) -> None:
        if "prefixItems" in schema:
            # OpenAI knows no tuples: a list of the same length whose items are any of the types.
            options = [
                self._convert(item, f"{path}.prefixItems[{position}]")
                for position, item in enumerate(schema.pop("prefixItems"))
            ]
            unique = [item for place, item in enumerate(options) if item not in options[:place]]
            schema["items"] = unique[0] if len(unique) == 1 else {"anyOf": unique}
            schema.setdefault("minItems", len(options))
            schema.setdefault("maxItems", len(options))
        elif "items" in schema:
            schema["items"] = self._convert(schema["items"], f"{path}.items")
        else:
            raise self._impossible(path, "a list whose items are of any type")

    def _impossible(self, path: str, why: str) -> OpenRouterInputError:
        return OpenRouterInputError(
            f"{self._what}: the schema cannot be strict at {path}: {why}. "
            "Change it, or pass strict=False."
        )


def without_invented_words(schema: Schema) -> Schema:
    """Leave out descriptions that nobody wrote: the docstrings of `dict` and `Enum`.

    langchain-core takes them for a TypedDict's or an Enum's own.
    """
    cleaned = _map_children(schema, without_invented_words)
    if cleaned.get("description") in _INVENTED:
        del cleaned["description"]
    return cleaned


def types_of(schema: Schema) -> list[Any]:
    """Return the types of a schema as a list, `[None]` where it names none."""
    kind = schema.get("type")
    return kind if is_array(kind) else [kind]


def _nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if accepts_null(schema):
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], _NULL]}
    if kind is None or "const" in schema:
        return {"anyOf": [schema, _NULL]}
    nullable = {**schema, "type": [*types_of(schema), "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def accepts_null(schema: Any) -> bool:
    """Say whether null is valid, as far as the schema's own level tells."""
    if not is_object(schema):
        return bool(schema)  # true accepts anything
    options = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    return (
        "null" in types_of(schema)
        or any(accepts_null(option) for option in options)
        or None in schema.get("enum", [])
        or ("const" in schema and schema["const"] is None)
        or not schema.keys() & _CONSTRAINING
    )


def resolve_ref(reference: str, root: Schema) -> Schema:
    """Follow a local reference (`#/$defs/Name`).

    Raises:
        OpenRouterInputError: It points nowhere.
    """
    found: Any = root
    for step in reference.removeprefix("#/").split("/") if reference != "#" else []:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if is_object(found) else None
    if not is_object(found):
        raise OpenRouterInputError(f"The schema's reference {reference!r} points nowhere.")
    return found


def _repair(schema: Schema) -> Schema:
    repaired = _map_children(schema, _repair)
    if repaired.get("type") == "object" and repaired.get("properties") is None:
        repaired["properties"] = {}
    if repaired.get("type") == "array" and repaired.get("items") is None:
        repaired["items"] = {}
    return repaired


def _map_children(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    mapped = dict(schema)
    for key, value in schema.items():
        if key in CHILD_MAPS and is_object(value):
            mapped[key] = {
                name: change(item) if is_object(item) else item for name, item in value.items()
            }
        elif key in CHILD_LISTS and is_array(value):
            mapped[key] = [change(item) if is_object(item) else item for item in value]
        elif key in CHILDREN and is_object(value):
            mapped[key] = change(value)
    return mapped
