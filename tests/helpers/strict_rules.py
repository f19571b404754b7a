"""OpenAI's rules for strict schemas, written down anew, and answers in a schema's own order.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]

_KEYWORDS = frozenset(
    {
        *("$defs", "$ref", "anyOf", "const", "description", "enum", "title", "type"),
        *("format", "pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "items", "minItems", "maxItems"),
        *("properties", "required", "additionalProperties"),
    }
)
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)
_MAX_LEVELS = 10


def nodes(schema: Schema, path: str = "$") -> Iterator[tuple[str, Schema]]:
    """Give every schema of a strict schema with its path."""
    yield path, schema
    for keyword in ("properties", "$defs"):
        for name, child in schema.get(keyword, {}).items():
            yield from nodes(child, f"{path}.{keyword}.{name}")
    for place, child in enumerate(schema.get("anyOf", ())):
        yield from nodes(child, f"{path}.anyOf[{place}]")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}.items")


def broken_rules(root: Schema) -> list[str]:
    """Name the rules that a strict schema breaks, with their paths."""
    broken = [] if root.get("type") == "object" and "anyOf" not in root else ["$: no object"]
    for path, node in nodes(root):
        broken += [f"{path}: {each}" for each in (*_of_keywords(node), *_of_objects(node))]
        if "$ref" in node and not _target(node, root):
            broken.append(f"{path}: {node['$ref']} points nowhere")
        if _shares_first_keys(node, root):
            broken.append(f"{path}: Objects provided via 'anyOf' must not share first keys")
    if _levels(root, root, ()) > _MAX_LEVELS:
        broken.append("$: too many levels")
    return broken


def _of_keywords(node: Schema) -> Iterator[str]:
    for keyword in node.keys() - _KEYWORDS:
        yield f"{keyword!r} is not permitted"
    if not node.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        yield "schema must have a 'type' key"
    if "$ref" in node and node.keys() - {"$ref"}:
        yield "$ref cannot have keywords beside it"
    if re.search(r"\(\?<?[=!]", node.get("pattern", "")):
        yield "regex lookaround is not supported"
    if node.get("format", "date") not in _FORMATS:
        yield "'format' is not permitted"
    if "enum" in node and ("null" in _types(node)) != (None in node["enum"]):
        yield "an enum names null and its type says no, or the other way round"


def _of_objects(node: Schema) -> Iterator[str]:
    if "object" in _types(node):
        if node.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be supplied and to be false"
        if node.get("required") != [*node.get("properties", ())]:
            yield "'required' is required to include every key in properties"
    if "array" in _types(node) and not isinstance(node.get("items"), dict):
        yield "array schema missing items"


def _types(node: Schema) -> list[str]:
    kind = node.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def _target(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        reference = node["$ref"]
        name = reference.removeprefix("#/$defs/")
        node = root if reference == "#" else root.get("$defs", {}).get(name, {})
    return node


def _members(node: Schema, root: Schema) -> Iterator[Schema]:
    for option in node.get("anyOf", ()):
        member = _target(option, root)
        yield from _members(member, root) if "anyOf" in member else [member]


def _shares_first_keys(node: Schema, root: Schema) -> bool:
    objects = [each for each in _members(node, root) if each.get("properties")]
    return any(
        one is not other and _is_same_first(one, other, root)
        for one, other in itertools.combinations(objects, 2)
    )


def _is_same_first(one: Schema, other: Schema, root: Schema) -> bool:
    (name, first), (other_name, second) = (
        next(iter(e["properties"].items())) for e in (one, other)
    )
    constants, others = _constants(_target(first, root)), _constants(_target(second, root))
    are_apart = constants and others and not any(each in others for each in constants)
    return bool(name == other_name and not are_apart)


def _constants(node: Schema) -> list[Any]:
    return [node["const"]] if "const" in node else node.get("enum", [])


def _levels(node: Schema, root: Schema, above: tuple[str, ...]) -> int:
    if "$ref" in node:
        reference = node["$ref"]
        return 0 if reference in above else _levels(_target(node, root), root, (*above, reference))
    below = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    deepest = max((1 + _levels(child, root, above) for child in below), default=0)
    return max([deepest, *(_levels(option, root, above) for option in node.get("anyOf", ()))])


def in_order(value: Any, schema: Schema, root: Schema) -> Any:
    """Put the keys of an answer into the order of its schema, as the server would write them."""
    if isinstance(value, list):
        items = _fitting(value, schema, root).get("items", {})
        return [in_order(item, items, root) for item in value]
    if not isinstance(value, dict):
        return value
    properties = _fitting(value, schema, root).get("properties", {})
    return {
        name: in_order(value[name], properties.get(name, {}), root)
        for name in sorted(value, key=[*properties, *value].index)
    }


def _fitting(value: Any, schema: Schema, root: Schema) -> Schema:
    """Choose the first member of a union that a value fits."""
    node = _target(schema, root)
    check = Draft202012Validator(root)
    fitting = (each for each in _members(node, root) if check.evolve(schema=each).is_valid(value))
    return next(fitting, node)
