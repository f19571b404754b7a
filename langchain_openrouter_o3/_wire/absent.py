"""Taking out the nulls that strict mode put in for absent optionals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.schema import accepts_null, resolve_ref, types_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3._wire.schema_shape import Schema


def drop_absent(value: Any, schema: Schema) -> Any:
    """Take the nulls out again that strict mode put in for absent optionals.

    Args:
        value: The parsed answer.
        schema: The schema before it was made strict.

    Returns:
        The answer without the null of any property that is optional and not nullable.
    """
    return _drop_absent(value, schema, schema)


def has_optionals(schema: Any) -> bool:
    """Whether any object of a schema has an optional property, so that nulls may come for it."""
    if is_array(schema):
        return any(map(has_optionals, schema))
    if not is_object(schema):
        return False
    properties = schema.get("properties")
    optional = is_object(properties) and not properties.keys() <= set(schema.get("required", ()))
    return optional or any(map(has_optionals, schema.values()))


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
    options = [option for option in _options(schema, root) if "array" in types_of(option)]
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
