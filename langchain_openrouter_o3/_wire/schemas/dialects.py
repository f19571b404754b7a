"""Schemas of any dialect (draft-07, 2020-12, OpenAPI 3.0), read as draft 2020-12.

A caller's schema is never changed; every function returns a new one.

Source: https://json-schema.org/draft/2020-12/release-notes
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin

from langchain_openrouter_o3._json import encode, is_array, is_object
from langchain_openrouter_o3._wire.schemas.json_schema import (
    KEYWORDS_OF_PARTS,
    MAPS,
    UNIONS,
    add_to_description,
    child_at,
    children,
    map_children,
    nullable,
    refuses_null_elsewhere,
    resolve_ref,
    steps_of,
    types_of,
    walk,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_openrouter_o3._wire.schemas.json_schema import Schema

_TUPLES = {"items": "prefixItems", "additionalItems": "items"}
"""What the keywords of draft-07's tuples are called now."""

_KEPT = frozenset({*KEYWORDS_OF_PARTS, "title", "description"})
"""Not looked at by `_without_odd_words`: schemas, and words that are text anyway."""

_ANCHORS = ("$anchor", "$dynamicAnchor")
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
_OF_THE_DOCUMENT = frozenset({"$id", "$schema", "$recursiveAnchor", *_DYNAMIC})
"""What is followed when a schema is read. jsonschema would change its rules for a `$schema`."""

_MASK = b'"**********"'
_NOT_THERE = (KeyError, IndexError, ValueError, TypeError)


def read_schema(schema: Any, what: str) -> Schema:
    """Read a schema of any dialect.

    Args:
        schema: Whatever came as the schema of an object.
        what: Whose it is, for errors.

    Raises:
        OpenRouterInputError: It is no JSON schema, or refers to nothing; the text names the path.
    """
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - takes 45 ms

    try:
        read: Any = _Document(schema).read()
        Draft202012Validator.check_schema(read)
    except SchemaError as error:
        raise OpenRouterInputError(
            f"{what}: {error.json_path} is no JSON schema: {error.message}"
        ) from None
    except RecursionError:
        raise OpenRouterInputError(f"{what}: the schema is nested too deep.") from None
    if not is_object(read):
        raise OpenRouterInputError(f"{what}: {schema!r} is no JSON schema of an object.")
    for path, node in walk(read):
        if "$ref" in node:
            _check_reference(node["$ref"], read, f"{what}: {path}")
        for key in ("enum", "const"):
            if not _is_json(node.get(key)):
                raise OpenRouterInputError(f"{what}: {path}.{key} is not JSON: {node[key]!r}")
    # jsonschema asks the network for references that point elsewhere; there are none from here on.
    for _, node in walk(read):
        if "default" in node and _is_untrue_default(node, Draft202012Validator(read)):
            del node["default"]
    return _root_of_object(read)


def _root_of_object(read: Schema) -> Schema:
    """Write the root as that of an object, which an answer is whatever else a value could be."""
    if "$ref" in read:  # a recursive model: its definition moves to the root, where it must be
        rest = {key: value for key, value in read.items() if key != "$ref"}
        read = {**resolve_ref(read["$ref"], read), **rest}
    if "object" in types_of(read):
        return {**read, "type": "object"}
    return dict(read) if read.keys() & {"type", *UNIONS} else {"type": "object", **read}


def _check_reference(reference: str, root: Schema, where: str) -> None:
    seen: list[Any] = []
    found: Any = {"$ref": reference}
    try:
        while is_object(found) and (step := _sole_reference(found)) is not None:
            is_new = step not in seen and (step == "#" or step.startswith("#/"))
            found = resolve_ref(step, root) if is_new else None
            seen.append(step)
    except _NOT_THERE:
        found = None
    if not is_object(found):
        raise OpenRouterInputError(f"{where}: the reference {reference!r} points nowhere.")


def _sole_reference(schema: Schema) -> str | None:
    """Return the reference that a schema is, also as the only member of a union."""
    while len(members := [each for key in UNIONS for each in schema.get(key, ())]) == 1:
        if not is_object(members[0]):
            return None
        (schema,) = members
    reference: str | None = schema.get("$ref")
    return reference


class _Document:
    """A schema as it was given, with the URIs by which parts of it may be referred to."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self._base = _base_of(given, "") if is_object(given) else ""
        self._places: dict[str, list[str]] = {}  # the steps from the root, by URI
        self._dynamic: dict[str, list[str]] = {}  # the outermost, by the names of anchors
        self._schemas: set[tuple[str, ...]] = set()  # the steps to each schema
        self._elsewhere: dict[tuple[str, ...], str] = {}  # names of what lies outside keywords
        self._find_places(given, "", [])

    def read(self) -> Any:
        """Return the schema as one of draft 2020-12."""
        read = _modernise(self._given, self, "")
        found: dict[str, Any] = {}
        while left := [each for each in self._elsewhere.items() if each[1] not in found]:
            for steps, name in left:
                found[name] = _modernise(_follow(steps, self._given), self, self._base)
        defined = read.get("$defs", {}) if found else None
        return {**read, "$defs": {**defined, **found}} if is_object(defined) else read

    def update_reference(self, reference: str, base: str, *, is_dynamic: bool = False) -> str:
        """Write a reference as the path that its target has once the schema is read.

        Args:
            reference: As it was given.
            base: The URI of the schema around it, to which it is relative.
            is_dynamic: Whether it leads to the outermost schema with an anchor of that name.
        """
        reference = unquote(reference)
        outermost = self._dynamic.get(reference.partition("#")[2]) if is_dynamic else None
        # Many name a part by `$id`, and mean the whole schema by `#` within it all the same.
        for start in (base, self._base):
            try:
                steps = self._steps_to(reference, start) if outermost is None else outermost
                moved = self._moved(steps)
            except _NOT_THERE:
                continue
            return "#" + "".join(map(_escaped_step, moved))
        return reference  # to nowhere: it is refused as it was written

    def _moved(self, steps: Sequence[str]) -> list[str]:
        """Return the steps through the schema that is read."""
        if tuple(steps) in self._schemas:
            return [*_move(steps, self._given)]
        _follow(steps, self._given)  # as in `#/components/schemas/Pet` of OpenAPI
        name = self._elsewhere.get(tuple(steps)) or self._new_name(steps[-1])
        self._elsewhere[tuple(steps)] = name
        return ["$defs", name]

    def _new_name(self, name: str) -> str:
        defined = self._given.get("$defs")
        while name in (defined or ()) or name in self._elsewhere.values():
            name += "_"
        return name

    def _find_places(self, node: Any, base: str, place: list[str]) -> None:
        if not is_object(node):
            return
        base = _base_of(node, base)
        self._schemas.add(tuple(place))
        self._places.setdefault(base, place)
        for name in _anchors_of(node):
            self._places.setdefault(f"{base}#{name}", place)
            if name == node.get("$dynamicAnchor"):
                self._dynamic.setdefault(name, place)
        for steps, child in children(node):
            self._find_places(child, base, [*place, *map(str, steps)])

    def _steps_to(self, reference: str, base: str) -> list[str]:
        uri, _, fragment = reference.partition("#")
        base = urljoin(base, uri) if uri else base
        if fragment and not fragment.startswith("/"):
            return self._places[f"{base}#{fragment}"]
        return [*self._places[base], *steps_of(fragment)]


def _escaped_step(step: str) -> str:
    return f"/{step.replace('~', '~0').replace('/', '~1')}"


def _follow(steps: Sequence[str], given: Any) -> Any:
    for step in steps:
        given = child_at(given, step)
    return given


def _base_of(schema: Schema, base: str) -> str:
    """Return the URI to which references within a schema are relative."""
    own = schema.get("$id")
    is_uri = isinstance(own, str) and not own.startswith("#")
    try:
        return urljoin(base, own).removesuffix("#") if is_uri else base
    except ValueError:
        return base  # it is no URI, so nothing can be relative to it


def _anchors_of(schema: Schema) -> Iterator[str]:
    """Give the names that a schema has by keywords, or as in draft-07."""
    own = schema.get("$id")
    if isinstance(own, str) and own.startswith("#"):
        yield own[1:]
    yield from (schema[key] for key in _ANCHORS if isinstance(schema.get(key), str))


def _move(steps: Sequence[str], given: Schema) -> Iterator[str]:
    """Give the steps through a schema that was read for those through the schema as given.

    Args:
        steps: To one of its schemas.
        given: The schema as given.
    """
    node: Any = given
    left = [*steps]
    while left:
        key = left.pop(0)
        if node.get("nullable") is True and refuses_null_elsewhere(node):
            yield from ("anyOf", "0")
        is_tuple = is_array(node.get("items"))
        yield _TUPLES.get(key, key) if is_tuple else key
        node = node[key]
        if left and (key in MAPS or is_array(node)):
            yield left[0]
            node = child_at(node, left.pop(0))


def _modernise(schema: Any, document: _Document, around: str) -> Any:
    """Write a schema as one of 2020-12; null keywords mean absent ones.

    Args:
        schema: Of any dialect.
        document: The schema that it is part of.
        around: The URI of the schema around it.
    """
    if not is_object(schema):
        return schema
    base = _base_of(schema, around)

    def inside(child: Any) -> Any:
        return _modernise(child, document, base)

    read: Schema = {
        key: value
        for key, value in map_children(_split_dependencies(schema), inside).items()
        if key not in _OF_THE_DOCUMENT and (value is not None or key in ("const", "default"))
    }
    given = (key for key in ("$ref", *_DYNAMIC) if isinstance(schema.get(key), str))
    if (key := next(given, None)) is not None:
        is_dynamic = key == "$dynamicRef"
        read["$ref"] = document.update_reference(schema[key], base, is_dynamic=is_dynamic)
    return _write_older_keywords(_without_odd_words(read), inside)


def _write_older_keywords(read: Schema, inside: Callable[[Any], Any]) -> Schema:
    if is_array(read.get("items")):  # a tuple of draft-07
        places = [inside(item) for item in read.pop("items")]
        if "additionalItems" in read:
            read["items"] = read.pop("additionalItems")
        if places:
            read["prefixItems"] = places
    if is_array(read.get("type")) and len(read["type"]) == 1:
        (read["type"],) = read["type"]
    read = _tell_foreign_patterns(read)
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"  # OpenAPI 3.0 and draft-04: true or false
        if isinstance(read.get(exclusive), bool) and read.pop(exclusive) and bound in read:
            read[exclusive] = read.pop(bound)
    return nullable(read) if read.pop("nullable", None) is True else read


def _split_dependencies(schema: Schema) -> Schema:
    """Write draft-07's `dependencies`, of keys and of schemas, as the two keywords of today."""
    given = schema.get("dependencies")
    if not is_object(given):
        return schema
    of_keys = {name: each for name, each in given.items() if is_array(each)}
    of_schemas = {name: each for name, each in given.items() if not is_array(each)}
    today = {"dependentRequired": of_keys, "dependentSchemas": of_schemas}
    rest = {key: value for key, value in schema.items() if key != "dependencies"}
    return {**{key: value for key, value in today.items() if value}, **rest}


def _without_odd_words(schema: Schema) -> Schema:
    """Leave out what a model cannot be told: an infinity, a class as default or as example.

    What a value must fit is kept, so that a mistake there is told with its path.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - takes 45 ms

    telling = schema.keys() - _KEPT - Draft202012Validator.VALIDATORS.keys()
    odd = {key for key in telling if not _is_json(schema[key])}
    return {key: value for key, value in schema.items() if key not in odd}


def _tell_foreign_patterns(schema: Schema) -> Schema:
    r"""Tell patterns that only JavaScript has, such as \p{L}: OpenAI reads them as Python does."""
    named = schema.get("patternProperties")
    if is_object(named):
        schema = {**schema, "patternProperties": {k: v for k, v in named.items() if _compiles(k)}}
    pattern = schema.get("pattern")
    if not isinstance(pattern, str) or _compiles(pattern):
        return schema
    rest = {key: value for key, value in schema.items() if key != "pattern"}
    return add_to_description(rest, [f"Matches the pattern {pattern}."])


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _is_untrue_default(schema: Schema, validator: Any) -> bool:
    """Whether a default is not what a class has: pydantic masks secrets, and writes NaN as null."""
    written = encode(schema["default"])
    if _MASK in written:
        return True
    is_part_null = b"null" in written and schema["default"] is not None
    return is_part_null and not validator.evolve(schema=schema).is_valid(schema["default"])


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
