"""Schemas as OpenAI's strict mode takes them: closed, complete, and without what it refuses.

What strict mode cannot enforce but a model can be told goes into the description. What it can
neither enforce nor be told is a problem: the schema cannot be strict.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._json import encode, is_object
from langchain_openrouter_o3._wire.schemas.json_schema import (
    ABSENT,
    POSITIONS,
    Schema,
    accepts_null,
    add_to_description,
    clean_name,
    nullable,
    repair_schema,
    resolve_ref,
    types_of,
    walk,
    without_keywords,
)
from langchain_openrouter_o3._wire.schemas.union_order import separate_first_keys
from langchain_openrouter_o3._wire.schemas.values import (
    find_contradictions,
    find_endless,
    fit_choices,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Limits: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
MAX_LEVELS = 10
"""Of nesting; properties and items count, unions and references do not."""

MAX_PROPERTIES = 5_000
"""In all."""

MAX_ENUM_VALUES = 1_000
"""In all."""

LONG_ENUM, MAX_ENUM_CHARACTERS = 250, 15_000
"""An enum of more values than the first may hold no more characters than the second."""

MAX_CHARACTERS = 120_000
"""Of all names of properties and definitions, enum values and constants."""


def find_broken_limit(root: Schema) -> Iterator[str]:
    """Give the limits that a strict schema exceeds, each with its path."""
    for path, node in walk(root):
        values = node.get("enum", ())
        characters = sum(map(_characters, values))
        if len(values) > LONG_ENUM and characters > MAX_ENUM_CHARACTERS:
            yield (
                f"{path}: {characters} characters in an enum of {len(values)} values; OpenAI's "
                f"limit for more than {LONG_ENUM} values is {MAX_ENUM_CHARACTERS}"
            )
    properties = [name for _, node in walk(root) for name in node.get("properties", ())]
    values = [value for _, node in walk(root) for value in node.get("enum", ())]
    constants = [node["const"] for _, node in walk(root) if "const" in node]
    named = [*properties, *root.get("$defs", ()), *values, *constants]
    for count, limit, what in (
        (len(properties), MAX_PROPERTIES, "properties"),
        (len(values), MAX_ENUM_VALUES, "enum values"),
        (sum(map(_characters, named)), MAX_CHARACTERS, "characters of names, enums and constants"),
    ):
        if count > limit:
            yield f"$: {count} {what}; OpenAI's limit is {limit}"
    for path, levels in _Nesting(root).too_deep(root, "$", 0, ()):
        yield f"{path}: {levels} levels of nesting; OpenAI's limit is {MAX_LEVELS}"


class _Nesting:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._deepest: dict[int, int] = {}  # at which level each schema was met, by identity

    def too_deep(
        self, node: Schema, path: str, level: int, above: tuple[str, ...]
    ) -> Iterator[tuple[str, int]]:
        """Give what lies too deep; a recursive definition does not lie below itself."""
        if self._deepest.get(id(node), -1) >= level:
            return
        self._deepest[id(node)] = level
        if level > MAX_LEVELS:
            yield path, level
            return
        properties = node.get("properties", {}).items()
        below = [(f"{path}.properties.{name}", child) for name, child in properties]
        below += [(f"{path}.items", node["items"])] if "items" in node else []
        for place, child in below:
            yield from self.too_deep(child, place, level + 1, above)
        for position, option in enumerate(node.get("anyOf", ())):
            yield from self.too_deep(option, f"{path}.anyOf[{position}]", level, above)
        reference = node.get("$ref")
        if reference is not None and reference not in above:
            target = resolve_ref(reference, self._root)
            yield from self.too_deep(target, path, level, (*above, reference))


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(encode(value))


_TAKEN = frozenset(
    {
        *("type", "enum", "const", "anyOf", "title", "description", "pattern", "format"),
        *("properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
)
_TOLD = {
    "minLength": "At least {} characters.",
    "maxLength": "At most {} characters.",
    "uniqueItems": "No item twice.",
    "pattern": "Matches the pattern {}.",
    "format": "Format: {}.",
    "contentMediaType": "Content: {}.",
    "contentEncoding": "Encoding: {}.",
    "default": "Default: {}.",
    "examples": "Examples: {}.",
}
_AS_WRITTEN = ("pattern", "format", "contentMediaType", "contentEncoding")
_WORDS = frozenset({"title", "description", "default", "examples"})
"""Which allow no less than without them."""

_IMPOSSIBLE = frozenset(
    {
        *("contains", "dependentRequired", "dependentSchemas", "else", "if"),
        *("maxProperties", "minProperties", "not", "patternProperties", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)
_CONSTRAINING = _TAKEN - {"title", "description"} | _IMPOSSIBLE | {"oneOf", "allOf", "prefixItems"}
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)
_TYPE_NAMES: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_LOOK_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])")


class StrictSchema(NamedTuple):
    """A schema made strict.

    Attributes:
        schema: With marks (`ABSENT`) where null stands for absence. Where there is a problem,
            that part is left as it was.
        problem: Why it cannot be strict, with the path; None if it can.
    """

    schema: Schema
    problem: str | None


def compile_strict(schema: Schema, *, parsed_here: bool) -> StrictSchema:
    """Make a schema strict.

    Args:
        schema: A schema that was read.
        parsed_here: Whether this package parses the answer, and so may let null stand for an
            absent property. Others would meet a null that the schema does not allow.
    """
    compiler = _Compiler(schema, parsed_here=parsed_here)
    strict = compiler.root()
    problems = [*compiler.problems]
    if not problems:
        problems += find_endless(strict)
        problems += separate_first_keys(strict)
        problems += [] if parsed_here else _find_always_given(strict)
        problems += find_broken_limit(strict)
    return StrictSchema(strict, problems[0] if problems else None)


def schema_to_wire(
    schema: Schema,
    compiled: StrictSchema,
    strict: bool | None,  # noqa: FBT001 - LangChain's word
    what: str,
) -> tuple[bool, Schema]:
    """Return whether a schema goes out strict, and what goes out.

    Args:
        schema: As it was read.
        compiled: The same made strict.
        strict: True, False, or None: strict if it can be.
        what: Whose it is, for errors.

    Raises:
        OpenRouterInputError: It must be strict and cannot be; the text names the path.
    """
    if strict and compiled.problem:
        raise OpenRouterInputError(
            f"{what}: the schema cannot be strict at {compiled.problem}. "
            "Change it, or pass strict=False."
        )
    if strict is False or compiled.problem:
        return False, repair_schema(schema, what)
    return True, without_keywords(compiled.schema, ABSENT, POSITIONS)


def _find_always_given(root: Schema) -> Iterator[str]:
    """Give the constants that a model would always have to say, with their paths."""
    for path, node in walk(root):
        if ABSENT in node:
            yield f"{path}: a constant that may be absent, but would always be given; allow null"


class _Compiler:
    def __init__(self, schema: Schema, *, parsed_here: bool) -> None:
        self._schema = schema
        self._parsed_here = parsed_here
        self._names: dict[str, str] = {}  # of definitions, by the references to them
        self._definitions: Schema = {}
        self.problems: list[str] = []

    def root(self) -> Schema:
        converted = self._node(self._schema, "$")
        if converted.get("type") != "object" or "anyOf" in converted:
            self.problems.insert(0, "$: the top of a schema must be an object; wrap it in one")
        return {**converted, "$defs": self._definitions} if self._definitions else converted

    def _report(self, path: str, *reasons: str) -> None:
        self.problems += [f"{path}: {why}" for why in reasons]

    def _node(self, schema: Any, path: str) -> Schema:
        if not is_object(schema):
            self._report(path, f"a schema that accepts {'anything' if schema else 'nothing'}")
            return {}
        schema = self._flatten(schema, path)
        impossible = sorted(schema.keys() & _IMPOSSIBLE)
        self._report(path, *(f"{key!r} is not supported" for key in impossible))
        if "$ref" in schema:
            return self._reference(schema, path)
        schema = _with_type(self._fit_choices(_without_repeated_type(schema), path))
        beside = sorted(schema.keys() & _CONSTRAINING - {"anyOf"})
        if "anyOf" in schema and beside:
            self._report(path, f"{', '.join(beside)} beside a union")
        if not schema.keys() & {"type", "anyOf", "enum", "const"}:
            self._report(path, "a value of any type")
        if "properties" in schema and "object" not in types_of(schema):
            self._report(path, "properties of what need not be an object")
        converted = {key: value for key, value in schema.items() if key in _TAKEN}
        if "object" in types_of(schema) or schema.keys() & {"properties", "additionalProperties"}:
            self._close(converted, path)
        converted.pop("items", None)
        if "array" in types_of(schema):
            self._fill_items(converted, schema, path)
        if "anyOf" in schema:
            converted["anyOf"] = self._each(schema["anyOf"], f"{path}.anyOf")
        self._report(path, *find_contradictions({**schema, **converted}))
        return _describe(converted, schema)

    def _fit_choices(self, schema: Schema, path: str) -> Schema:
        if not schema.keys() & {"enum", "const"}:
            return schema
        fitting = fit_choices(schema)
        if fitting is None:
            self._report(path, "an enum or const without a value that fits, or of objects or lists")
        return fitting or schema

    def _each(self, schemas: list[Any], path: str) -> list[Schema]:
        return [self._node(child, f"{path}[{place}]") for place, child in enumerate(schemas)]

    def _flatten(self, schema: Schema, path: str) -> Schema:
        """Write oneOf as anyOf (a union's members exclude each other anyway) and unpack allOf."""
        if "oneOf" in schema:
            if "anyOf" in schema:
                self._report(path, "'oneOf' beside 'anyOf' is not supported")
            rest = {key: value for key, value in schema.items() if key != "oneOf"}
            schema = {**rest, "anyOf": [*schema.get("anyOf", []), *schema["oneOf"]]}
        if "allOf" in schema:
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            parts: list[Any] = []
            for each in schema["allOf"]:  # words of their own stand beside references in OpenAPI
                if is_object(each) and each.keys() <= _WORDS:
                    rest = {**each, **rest}
                else:
                    parts.append(each)
            part, *more = parts or [{}]
            if more or not is_object(part) or part.keys() & rest.keys() & _CONSTRAINING:
                self._report(path, "'allOf' is not supported")
                return rest
            schema = self._flatten({**part, **rest}, path)
        return schema

    def _reference(self, schema: Schema, path: str) -> Schema:
        beside = sorted(schema.keys() & _CONSTRAINING)
        if beside:
            self._report(path, f"{', '.join(beside)} beside '$ref'")
        # A reference may have no siblings; a description survives one level further out.
        reference = {"$ref": self._define(schema["$ref"])}
        described = _describe({k: schema[k] for k in ("description",) if k in schema}, schema)
        return {"anyOf": [reference], **described} if described else reference

    def _define(self, reference: str) -> str:
        """Convert what a reference points to, once, and return its name on the wire."""
        if reference == "#":
            return "#"
        if reference not in self._names:
            name = base = clean_name(reference.rsplit("/", 1)[-1])
            while name in self._definitions:
                name = f"{base}_{len(self._definitions)}"
            self._names[reference] = name
            self._definitions[name] = {}  # a recursive definition meets itself
            path = reference.replace("#", "$").replace("/", ".")
            self._definitions[name] = self._node(resolve_ref(reference, self._schema), path)
        return f"#/$defs/{self._names[reference]}"

    def _close(self, schema: Schema, path: str) -> None:
        extra = schema.get("additionalProperties")
        properties = schema.get("properties", {})
        anything = extra is True or extra == {} or ("properties" not in schema and extra is None)
        is_open = (is_object(extra) and bool(extra)) or (anything and not properties)
        if is_open:
            self._report(
                path, "an open dictionary, whose keys are unknown beforehand; use a list of pairs"
            )
        required = schema.get("required", [])
        schema["properties"] = {
            name: self._property(item, f"{path}.properties.{name}", required=name in required)
            for name, item in properties.items()
        }
        if is_open:
            if is_object(extra):
                schema["additionalProperties"] = self._node(extra, f"{path}.additionalProperties")
            return
        if unknown := sorted({*required} - properties.keys()):
            self._report(path, f"{', '.join(unknown)} required, but not among the properties")
        schema["required"] = list(properties)
        schema["additionalProperties"] = False

    def _property(self, schema: Any, path: str, *, required: bool) -> Schema:
        converted = self._node(schema, path)
        default = schema.get("default") if is_object(schema) else None
        is_constant = self._is_constant(converted)
        if required or (is_constant and default is not None):
            return converted  # null would say the same, and untag a union's member
        known = {} if default is None else {"default": default}
        mark = {ABSENT: {"present": converted, **known}}
        if not self._parsed_here:
            return {**converted, **mark} if is_constant else converted
        if not is_object(schema) or accepts_null(schema, self._schema):
            return converted
        return {**nullable(converted), **mark}

    def _is_constant(self, schema: Schema) -> bool:
        """Whether there is one value only, such as the tag of a union."""
        if "$ref" in schema:
            schema = self._definitions.get(schema["$ref"].rsplit("/", 1)[-1], {})
        (inner,) = schema["anyOf"] if len(schema.get("anyOf", ())) == 1 else (None,)
        if is_object(inner):
            return self._is_constant(inner)
        return "const" in schema or len(schema.get("enum", ())) == 1

    def _fill_items(self, schema: Schema, before: Schema, path: str) -> None:
        items = before.get("items")
        if "prefixItems" in before:
            # OpenAI knows no tuples: a list of the same length whose items are any of the types.
            options = self._each(before["prefixItems"], f"{path}.prefixItems")
            schema[POSITIONS] = [*options]
            schema.setdefault("minItems", len(options))
            if is_object(items):
                options.append(self._node(items, f"{path}.items"))
            else:
                schema.setdefault("maxItems", len(options))
            unique = [item for place, item in enumerate(options) if item not in options[:place]]
            schema["items"] = unique[0] if len(unique) == 1 else {"anyOf": unique}
        elif is_object(items):
            schema["items"] = self._node(items, f"{path}.items")
        else:
            self._report(path, "a list whose items are of any type")


def _without_repeated_type(schema: Schema) -> Schema:
    """Leave out the type of a union that its members name, too: OpenAI takes none beside it."""
    schema = _with_types_of_choices(schema)
    members = [each if is_object(each) else {} for each in schema.get("anyOf", ())]
    kinds = types_of(schema)
    if not members or any(kind not in kinds for each in members for kind in types_of(each)):
        return schema
    return {key: value for key, value in schema.items() if key != "type"}


def _with_types_of_choices(schema: Schema) -> Schema:
    """Write the type of a union into members that name values alone, as titled enums do."""
    if not {"type", "anyOf"} <= schema.keys():
        return schema
    members = [
        {"type": schema["type"], **each}
        if is_object(each) and each.keys() & {"const", "enum"} and "$ref" not in each
        else each
        for each in schema["anyOf"]
    ]
    return {**schema, "anyOf": members}


def _with_type(schema: Schema) -> Schema:
    """Name the type where it is plain: OpenAI refuses an enum or a const without one."""
    if schema.keys() & {"type", "anyOf"}:
        return schema
    if "properties" in schema:
        return {**schema, "type": "object"}
    constant = [schema["const"]] if "const" in schema else []
    values: list[object] = schema.get("enum", constant)
    names = [_TYPE_NAMES.get(type(value)) for value in values]
    if not names or None in names:
        return schema
    kinds = [*dict.fromkeys(names)]
    return {**schema, "type": kinds if len(kinds) > 1 else kinds[0]}


def _describe(converted: Schema, schema: Schema) -> Schema:
    """Tell in the description what strict mode cannot enforce, and the default."""
    if converted.get("format") in _FORMATS:
        schema = {key: value for key, value in schema.items() if key != "format"}
    if not _LOOK_AROUND.search(converted.get("pattern", "(?=")):
        schema = {key: value for key, value in schema.items() if key != "pattern"}
    if "const" in converted:
        schema = {key: value for key, value in schema.items() if key != "default"}
    told = list(_tell(schema))
    kept = {k: v for k, v in converted.items() if k not in schema or k not in _TOLD}
    return add_to_description(kept, told) if told else converted


def _tell(schema: Schema) -> Iterable[str]:
    for keyword, words in _TOLD.items():
        value = schema.get(keyword)
        if value or (keyword == "default" and value is not None):
            text = value if keyword in _AS_WRITTEN else encode(value).decode()
            yield words.format(text)
