"""JSON schemas as OpenAI accepts them: complete when strict, repaired when not.

A caller's schema is never changed; every function returns a new one.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Schema = dict[str, Any]

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
_CHILD_MAPS = ("properties", "$defs", "definitions")
_CHILD_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_CHILDREN = ("items", "additionalProperties", "not", "if", "then", "else")


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
    _check_shape(schema, what, "$")
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
    _check_shape(schema, what, "$")
    kind = schema.get("type", "object")
    if kind != "object" or any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        raise OpenRouterInputError(
            f"{what}: the parameters must be one object at the top, without anyOf, oneOf or "
            "allOf; wrap them in a property."
        )
    return _repair({"type": "object", **schema})


def drop_absent(value: Any, schema: Schema) -> Any:
    """Take the nulls out again that strict mode put in for absent optionals.

    Args:
        value: The parsed answer.
        schema: The schema before it was made strict.

    Returns:
        The answer without the null of any property that is optional and not nullable.
    """
    return _drop_absent(value, schema, schema)


class _Strict:
    def __init__(self, schema: Schema, what: str) -> None:
        self._schema = schema
        self._what = what

    def root(self) -> Schema:
        root = _without_nulls(self._schema)
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
        schema = self._flatten(_without_nulls(schema), path)
        for key in sorted(schema.keys() & _IMPOSSIBLE):
            raise self._impossible(path, f"{key!r} is not supported")
        if "$ref" in schema:
            return self._reference(schema, path)
        if not schema.keys() & {"type", "anyOf", "enum", "const"}:
            raise self._impossible(path, "a value of any type")
        converted = {key: value for key, value in schema.items() if key not in _DROPPED}
        if converted.get("format") not in (None, *_FORMATS):
            del converted["format"]
        types = _types(schema)
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


def _types(schema: Schema) -> list[Any]:
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
    nullable = {**schema, "type": [*_types(schema), "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def accepts_null(schema: Any) -> bool:
    """Say whether null is valid, as far as the schema's own level tells."""
    if not is_object(schema):
        return bool(schema)  # true accepts anything
    options = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    return (
        "null" in _types(schema)
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
        if key in _CHILD_MAPS and is_object(value):
            mapped[key] = {
                name: change(item) if is_object(item) else item for name, item in value.items()
            }
        elif key in _CHILD_LISTS and is_array(value):
            mapped[key] = [change(item) if is_object(item) else item for item in value]
        elif key in _CHILDREN and is_object(value):
            mapped[key] = change(value)
    return mapped


def _drop_absent(value: Any, schema: Schema, root: Schema) -> Any:
    if is_array(value):
        return [
            _drop_absent(item, child, root)
            for item, child in zip(value, _item_schemas(schema, root), strict=False)
        ]
    if not is_object(value):
        return value
    shape = _object_schema(value, schema, root)
    properties = shape.get("properties", {})
    required = shape.get("required", [])
    return {
        name: _drop_absent(item, properties.get(name, {}), root)
        for name, item in value.items()
        if item is not None
        or name in required
        or name not in properties
        or _null_is_meant(properties[name], root)
    }


def _null_is_meant(schema: Any, root: Schema) -> bool:
    if is_object(schema) and "$ref" in schema:
        return any(accepts_null(option) for option in _options(schema, root))
    return accepts_null(schema)


def _item_schemas(schema: Schema, root: Schema) -> Iterator[Schema]:
    options = [option for option in _options(schema, root) if "array" in _types(option)]
    shape = options[0] if options else {}
    yield from shape.get("prefixItems", [])
    items = shape.get("items", {})
    while True:
        yield items if is_object(items) else {}


def _object_schema(value: dict[str, Any], schema: Schema, root: Schema) -> Schema:
    """Choose the member of a union that an object belongs to: the one with exactly its keys."""
    shapes = [option for option in _options(schema, root) if "properties" in option]
    exact = [
        shape
        for shape in shapes
        if shape["properties"].keys() == value.keys()
        and all(_const_fits(value.get(name), item) for name, item in shape["properties"].items())
    ]
    return (exact or shapes or [{}])[0]


def _const_fits(value: Any, schema: Any) -> bool:
    return not is_object(schema) or "const" not in schema or schema["const"] == value


def _options(schema: Any, root: Schema, seen: tuple[str, ...] = ()) -> Iterator[Schema]:
    """Give a schema and the members of its unions, references followed."""
    if not is_object(schema):
        return
    reference = schema.get("$ref")
    if reference is not None:
        if reference not in seen:
            yield from _options(resolve_ref(reference, root), root, (*seen, reference))
        return
    yield schema
    for key in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(key, []):
            yield from _options(option, root, seen)


def _without_nulls(schema: Schema) -> Schema:
    """Leave out keywords that are null, which means absent; only a `const` may be null."""
    return {key: value for key, value in schema.items() if value is not None or key == "const"}


def _check_shape(schema: Any, what: str, path: str) -> None:
    """Refuse what is no JSON schema, so that the rest of this module may rely on its shape."""
    if isinstance(schema, bool):
        return
    if not is_object(schema):
        raise OpenRouterInputError(f"{what}: {path} is no JSON schema: {schema!r}")
    for key, value in _without_nulls(schema).items():
        if not _SHAPES.get(key, _anything)(value):
            raise OpenRouterInputError(f"{what}: {path}.{key} is no JSON schema: {value!r}")
        if key in _CHILD_MAPS:
            for name, child in value.items():
                _check_shape(child, what, f"{path}.{key}.{name}")
        elif key in _CHILD_LISTS:
            for position, child in enumerate(value):
                _check_shape(child, what, f"{path}.{key}[{position}]")
        elif key in _CHILDREN:
            _check_shape(value, what, f"{path}.{key}")


def _anything(value: Any) -> bool:
    del value
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return is_array(value) and all(map(_is_text, value))


def _is_type(value: Any) -> bool:
    return _is_text(value) or _is_names(value)


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "$ref": _is_text,
    "enum": is_array,
    "required": _is_names,
    "type": _is_type,
    **dict.fromkeys(_CHILD_MAPS, is_object),
    **dict.fromkeys(_CHILD_LISTS, is_array),
}
