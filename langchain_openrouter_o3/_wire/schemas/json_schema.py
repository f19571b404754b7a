"""JSON schemas of draft 2020-12: what one says, what is in it, and small changes to it.

A caller's schema is never changed; every function returns a new one.

Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Schema = dict[str, Any]

ABSENT = "x-null-is-absent"
"""Marks a property whose null stands for its absence.

It holds the property without null, and its default, if that is known. It is never sent.
"""

POSITIONS = "x-positions"
"""Marks a list that was a tuple: the schemas of its items by their places. It is never sent."""

JSON_TYPES = ("array", "boolean", "integer", "null", "number", "string")
"""What the top of a schema cannot be, because an answer is an object."""

MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = (
    *("items", "additionalProperties", "additionalItems", "not", "if", "then", "else"),
    *("contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"),
)
UNIONS = ("anyOf", "oneOf", "allOf")
KEYWORDS_OF_PARTS = frozenset({*MAPS, *_LISTS, *_SINGLE})
"""The keywords that hold schemas."""

_INVENTED = (inspect.getdoc(dict), "An enumeration.")
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_MAX_NAME = 64
_NULL: Schema = {"type": "null"}
_REFUSING_NULL = frozenset({"$ref", "allOf", "const", "if", "not", "oneOf"})


def repair_schema(schema: Schema, what: str) -> Schema:
    """Mend what OpenAI refuses even without strict mode.

    Objects get `properties` and arrays `items` where an MCP server left them out; one such
    tool would make every request fail (langchain-mcp-adapters issue 137). So would an enum
    without values, which is written as what it means: nothing.

    Args:
        schema: A schema that was read.
        what: Whose it is, for errors.

    Raises:
        OpenRouterInputError: The root is not an object.
    """
    if types_of(schema) != ["object"] or schema.keys() & set(UNIONS):
        raise OpenRouterInputError(
            f"{what}: the top must be an object, without anyOf, oneOf or allOf; wrap it in a "
            "property."
        )
    return _repair(schema)


def clean_name(name: str) -> str:
    """Make a name that OpenAI accepts."""
    return _NAME.sub("_", name).strip("_")[:_MAX_NAME] or "output"


def without_invented_words(schema: Schema) -> Schema:
    """Leave out descriptions that the caller did not write: the docstrings of `dict` and `Enum`."""
    cleaned = map_children(schema, without_invented_words)
    if cleaned.get("description") in _INVENTED:
        del cleaned["description"]
    return cleaned


def without_titles(schema: Schema) -> Schema:
    """Leave out titles, which repeat the names of properties."""
    return {k: v for k, v in map_children(schema, without_titles).items() if k != "title"}


def without_keywords(schema: Schema, *keywords: str) -> Schema:
    """Leave keywords out at every depth."""
    cleaned = map_children(schema, lambda child: without_keywords(child, *keywords))
    return {key: value for key, value in cleaned.items() if key not in keywords}


def add_to_description(schema: Schema, sentences: Sequence[str]) -> Schema:
    """Tell the model more in a schema's description."""
    written = str(schema.get("description", "")).rstrip()
    if written and not written.endswith((".", "!", "?", ":")):
        written += "."
    return {**schema, "description": " ".join([*([written] if written else []), *sentences])}


def walk(schema: Any, path: str = "$") -> Iterator[tuple[str, Schema]]:
    """Give every schema in a schema with its path, itself first; references are not followed."""
    if not is_object(schema):
        return
    yield path, schema
    for steps, child in children(schema):
        names = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        yield from walk(child, path + "".join(names))


def children(schema: Schema) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Give every schema that a schema holds, with the steps that lead to it."""
    for key, value in schema.items():
        if key in MAPS and is_object(value):
            yield from (((key, name), child) for name, child in value.items())
        elif key in (*_LISTS, "items") and is_array(value):  # the items of a draft-07 tuple
            yield from (((key, place), child) for place, child in enumerate(value))
        elif key in _SINGLE:
            yield (key,), value


def types_of(schema: Schema) -> list[Any]:
    """Return the types of a schema as a list, `[None]` where it names none."""
    kind = schema.get("type")
    return kind if is_array(kind) else [kind]


def nullable(schema: Schema) -> Schema:
    """Let a schema accept null besides."""
    if refuses_null_elsewhere(schema):
        return {"anyOf": [schema, _NULL]}
    loosened = dict(schema)
    if "type" in schema:
        loosened["type"] = _with(types_of(schema), "null")
    if "anyOf" in schema:
        loosened["anyOf"] = _with(schema["anyOf"], _NULL)
    if "enum" in schema:
        loosened["enum"] = _with(schema["enum"], None)
    return loosened


def refuses_null_elsewhere(schema: Schema) -> bool:
    """Whether more than its types, its union and its enum keep null from a schema."""
    named = {key for key, value in schema.items() if value is not None or key == "const"}
    return bool(named & _REFUSING_NULL) or not named & {"type", "anyOf"}


def _with(values: list[Any], value: Any) -> list[Any]:
    return values if value in values else [*values, value]


def accepts_null(schema: Any, root: Schema, seen: tuple[str, ...] = ()) -> bool:
    """Say whether null is valid."""
    if not is_object(schema):
        return bool(schema)  # true accepts anything
    reference = schema.get("$ref")
    if reference is not None:
        target = {} if reference in seen else resolve_ref(reference, root)
        return reference not in seen and accepts_null(target, root, (*seen, reference))
    options = [schema[key] for key in ("anyOf", "oneOf") if key in schema]
    return (
        ("type" not in schema or "null" in types_of(schema))
        and ("enum" not in schema or None in schema["enum"])
        and ("const" not in schema or schema["const"] is None)
        and all(any(accepts_null(each, root, seen) for each in union) for union in options)
        and all(accepts_null(part, root, seen) for part in schema.get("allOf", ()))
    )


def resolve_ref(reference: str, root: Schema) -> Schema:
    """Follow a local reference (`#/$defs/Name`) that was checked."""
    found: Any = root
    for step in steps_of(reference):
        found = child_at(found, step)
    target: Schema = found
    return target


def steps_of(reference: str) -> list[str]:
    """Return the steps of a local reference from the root."""
    steps = reference.split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def child_at(parent: Any, step: str) -> Any:
    """Go one step of a reference."""
    return parent[int(step)] if is_array(parent) else parent[step]


def is_recursive(schema: Schema) -> bool:
    """Whether a definition holds itself, however far below."""
    finished: set[str] = set()  # definitions below which nothing holds itself

    def holds(node: Schema, above: tuple[str, ...]) -> bool:
        references = {each["$ref"] for _, each in walk(node) if "$ref" in each} - finished
        if references & {"#", *above}:
            return True
        found = any(holds(resolve_ref(each, schema), (*above, each)) for each in references)
        finished.update(references)
        return found

    return holds({key: schema[key] for key in schema if key not in ("$defs", "definitions")}, ())


def _repair(schema: Schema) -> Schema:
    repaired = map_children(schema, _repair)
    if repaired.get("type") == "object":
        repaired.setdefault("properties", {})
    if repaired.get("type") == "array" and not is_object(repaired.get("items", True)):
        if repaired.get("items") is False:
            repaired.setdefault("maxItems", len(repaired.get("prefixItems", ())))
        repaired["items"] = {}
    if repaired.get("enum") == []:
        del repaired["enum"]
        repaired["not"] = {}
    return repaired


def map_children(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Change the schemas that a schema holds."""
    mapped = dict(schema)
    for key, value in schema.items():
        if key in MAPS and is_object(value):
            mapped[key] = {
                name: change(item) if is_object(item) else item for name, item in value.items()
            }
        elif key in _LISTS and is_array(value):
            mapped[key] = [change(item) if is_object(item) else item for item in value]
        elif key in _SINGLE and is_object(value):
            mapped[key] = change(value)
    return mapped
