"""Which values a schema has: OpenAI refuses strict schemas that have none, or none that ends."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from operator import ge, gt
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.schemas.json_schema import Schema, resolve_ref, types_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_LIMITS = frozenset(
    {
        *("type", "pattern", "format", "minLength", "maxLength", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
"""Of what has no parts."""

_CONTRADICTIONS = (
    *(("minimum", gt, "maximum"), ("minimum", ge, "exclusiveMaximum")),
    *(("exclusiveMinimum", ge, "maximum"), ("exclusiveMinimum", ge, "exclusiveMaximum")),
    *(("minLength", gt, "maxLength"), ("minItems", gt, "maxItems")),
)


@cache
def validators() -> Any:
    """Return jsonschema's class of validators, with numbers read as they are written."""
    import jsonschema  # noqa: PLC0415 - takes 45 ms

    checks: Any = jsonschema
    return checks.validators.extend(checks.Draft202012Validator, {"multipleOf": _check_multiple})


def _check_multiple(validator: Any, step: float, value: Any, _: Any) -> Iterator[Any]:
    """Do what jsonschema does with floats, to which 0.07 is no multiple of 0.01."""
    from jsonschema import ValidationError  # noqa: PLC0415 - takes 45 ms

    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(step)):
        yield ValidationError(f"{value!r} is not a multiple of {step}")


def fit_choices(schema: Schema) -> Schema | None:
    """Leave those values of an enum or a const that the rest of a schema allows, each once.

    Both hold in JSON schema, and OpenAI refuses a value that does not fit its type. The limits
    are left out: the values that are left keep to them.

    Returns:
        A new schema, or None if no value is left, or one that has parts.
    """
    word = "const" if "const" in schema else "enum"
    given: list[Any] = [schema["const"]] if word == "const" else schema["enum"]
    others = (_LIMITS | {"enum"}) - {word}
    fitting = _fitting(given, {key: schema[key] for key in schema.keys() & others})
    if not fitting or any(is_object(value) or is_array(value) for value in fitting):
        return None
    # In JSON 1 and 1.0 are the same, but not 1 and true, which are the same to Python.
    values = [*{(isinstance(value, bool), value): value for value in fitting}.values()]
    rest = {key: value for key, value in schema.items() if key not in others}
    if "type" in schema:
        kinds = [kind for kind in types_of(schema) if _fitting(values, {"type": kind})]
        rest["type"] = kinds if len(kinds) > 1 else kinds[0]
    return {**rest, word: values[0] if word == "const" else values}


def find_contradictions(schema: Schema) -> Iterator[str]:
    """Give the pairs of limits between which there is nothing."""
    for low, is_beyond, high in _CONTRADICTIONS:
        if low in schema and high in schema and is_beyond(schema[low], schema[high]):
            yield f"no value has {low} {schema[low]} and {high} {schema[high]}"


def find_endless(root: Schema) -> Iterator[str]:
    """Give the references of a strict schema that no finite value fits, with their paths."""
    references = {path: node["$ref"] for path, node in walk(root) if "$ref" in node}
    ending: set[str] = set()
    while found := {
        reference
        for reference in {*references.values()} - ending
        if _ends(resolve_ref(reference, root), ending)
    }:
        ending |= found
    for path, reference in references.items():
        if reference not in ending:
            yield f"{path}: each value needs another one within it, without end; let it be null"
        elif reference in _is_or_may_be(reference, root):
            yield f"{path}: the reference {reference!r} leads back to itself"


def _fitting(values: list[Any], schema: Schema) -> list[Any]:
    validator = validators()(schema)
    return [value for value in values if validator.is_valid(value)]


def _ends(schema: Schema, ending: AbstractSet[str]) -> bool:
    """Whether a schema has a finite value, if the references given have one."""
    if "$ref" in schema:
        return schema["$ref"] in ending
    if "anyOf" in schema:
        return any(_ends(option, ending) for option in schema["anyOf"])
    items = [schema["items"]] if schema.get("minItems") else []
    parts = {"object": schema.get("properties", {}).values(), "array": items}
    return any(
        all(_ends(part, ending) for part in parts.get(kind, ())) for kind in types_of(schema)
    )


def _is_or_may_be(reference: str, root: Schema) -> set[str]:
    """Return the references that one leads to through nothing but references and unions."""
    found: set[str] = set()
    left = [resolve_ref(reference, root)]
    while left:
        schema = left.pop()
        left += schema.get("anyOf", ())
        if "$ref" in schema and schema["$ref"] not in found:
            found.add(schema["$ref"])
            left.append(resolve_ref(schema["$ref"], root))
    return found
