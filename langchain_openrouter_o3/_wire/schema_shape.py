"""The shape of JSON schemas: refusing what is none, so that other modules may rely on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

CHILD_MAPS = ("properties", "$defs", "definitions")
CHILD_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
CHILDREN = ("items", "additionalProperties", "not", "if", "then", "else")


def without_nulls(schema: Schema) -> Schema:
    """Leave out keywords that are null, which means absent; only a `const` may be null."""
    return {key: value for key, value in schema.items() if value is not None or key == "const"}


def check_shape(schema: Any, what: str, path: str) -> None:
    """Refuse what is no JSON schema.

    Args:
        schema: Whatever came.
        what: Whose it is, for errors.
        path: Where it is, for errors.

    Raises:
        OpenRouterInputError: A keyword has a value that no JSON schema has.
    """
    if isinstance(schema, bool):
        return
    if not is_object(schema):
        raise OpenRouterInputError(f"{what}: {path} is no JSON schema: {schema!r}")
    for key, value in without_nulls(schema).items():
        if not _SHAPES.get(key, _anything)(value):
            raise OpenRouterInputError(f"{what}: {path}.{key} is no JSON schema: {value!r}")
        if key in CHILD_MAPS:
            for name, child in value.items():
                check_shape(child, what, f"{path}.{key}.{name}")
        elif key in CHILD_LISTS:
            for position, child in enumerate(value):
                check_shape(child, what, f"{path}.{key}[{position}]")
        elif key in CHILDREN:
            check_shape(value, what, f"{path}.{key}")


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
    **dict.fromkeys(CHILD_MAPS, is_object),
    **dict.fromkeys(CHILD_LISTS, is_array),
}
