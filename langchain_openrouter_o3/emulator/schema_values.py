"""Values of JSON schemas: whether one is valid, and which one is.

Only values without parts are judged here, and only schemas without references and unions.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, TypeGuard

from langchain_openrouter_o3.emulator.formats import FORMATS
from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    integer_at,
    list_at,
    text_at,
)
from langchain_openrouter_o3.emulator.pattern_text import compiled, example_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIMITS: dict[str, Callable[[float, float], bool]] = {
    "minimum": lambda number, limit: number >= limit,
    "exclusiveMinimum": lambda number, limit: number > limit,
    "maximum": lambda number, limit: number <= limit,
    "exclusiveMaximum": lambda number, limit: number < limit,
}
_LARGEST_EXACT_FLOAT = 2**53
# Multiples near a number: several, as some are no multiples in the arithmetic of floats.
_NEIGHBOURS = (0, *(sign * distance for distance in range(1, 12) for sign in (1, -1)))


def is_number(value: Json) -> TypeGuard[float]:
    """Whether a value is a number; JSON has no infinity, and its true and false are no numbers."""
    is_finite = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return is_finite and not isinstance(value, bool)


TYPES: dict[str, Callable[[Json], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and value == math.floor(value),
    "null": lambda value: value is None,
    "number": is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def types_of(node: JsonObject) -> list[str]:
    """Return the types that a schema names."""
    kind = node.get("type")
    return [each for each in (kind if isinstance(kind, list) else [kind]) if isinstance(each, str)]


def is_valid(value: Json, node: JsonObject) -> bool:
    """Whether a value is of a schema's types, among its choices and within its limits."""
    types = types_of(node)
    return (
        (not types or any(TYPES[kind](value) for kind in types if kind in TYPES))
        and ("const" not in node or _is_same(value, node["const"]))
        and ("enum" not in node or any(_is_same(value, each) for each in list_at(node, "enum")))
        and (not isinstance(value, str) or _text_is_valid(value, node))
        and (not is_number(value) or _number_is_valid(value, node))
    )


def without_choices(node: JsonObject) -> JsonObject:
    """Return what a schema says of its choices: their type and limits."""
    words = {"const", "description", "enum", "title"}
    return {keyword: value for keyword, value in node.items() if keyword not in words}


def example_text(node: JsonObject) -> str | None:
    """Return a text that is valid, or None if none was found."""
    return next((text for text in _texts(node) if is_valid(text, node)), None)


def nearest_number(number: float, node: JsonObject, kind: str) -> float | None:
    """Return a valid number near another, or None if none was found."""
    whole = node | {"type": kind}
    return next((each for each in _numbers(number, whole) if is_valid(each, whole)), None)


def _is_same(value: Json, other: Json) -> bool:
    """Compare as JSON does, where true is not 1."""
    return value == other and isinstance(value, bool) is isinstance(other, bool)


def _text_is_valid(text: str, node: JsonObject) -> bool:
    known = FORMATS.get(text_at(node, "format"))
    pattern = compiled(text_at(node, "pattern"))
    longest = integer_at(node, "maxLength")
    return (
        (known is None or known.is_valid(text))
        and (pattern is None or pattern.search(text) is not None)
        and len(text) >= (integer_at(node, "minLength") or 0)
        and (longest is None or len(text) <= longest)
    )


def _texts(node: JsonObject) -> Iterator[str]:
    known = FORMATS.get(text_at(node, "format"))
    yield known.example if known else "text"
    example = example_of(text_at(node, "pattern"))
    yield example or ""


def _number_is_valid(number: float, node: JsonObject) -> bool:
    limits = [(is_within, node.get(keyword)) for keyword, is_within in _LIMITS.items()]
    within = all(is_within(number, limit) for is_within, limit in limits if is_number(limit))
    step = node.get("multipleOf")
    return within and (not is_number(step) or step <= 0 or _is_multiple(number, step))


def _is_multiple(number: float, step: float) -> bool:
    """Whether a number is a multiple, exactly and also in the arithmetic of validators."""
    if Fraction(str(number)) % Fraction(str(step)):
        return False
    return abs(number) > _LARGEST_EXACT_FLOAT or (number / step).is_integer()


def _numbers(number: float, node: JsonObject) -> Iterator[float]:
    """Return numbers to try: the number, then each limit, each with the multiples beside it."""
    limits = [limit for limit in map(node.get, _LIMITS) if is_number(limit)]
    step = _step(node)
    starts = [Fraction(str(each)) for each in (number, *limits)]
    for start in [*starts, sum(starts[1:], Fraction(0)) / 2]:
        yield _plain(start)
        for neighbour in _NEIGHBOURS:
            yield _plain((start // step + neighbour) * step)


def _step(node: JsonObject) -> Fraction:
    named = node.get("multipleOf")
    step = Fraction(str(named)) if is_number(named) and named > 0 else Fraction(1)
    # The whole multiples of a fraction are the multiples of its numerator.
    return Fraction(step.numerator) if types_of(node) == ["integer"] else step


def _plain(number: Fraction) -> float:
    is_whole = number.denominator == 1 or abs(number) > _LARGEST_EXACT_FLOAT
    return int(number) if is_whole else float(number)
