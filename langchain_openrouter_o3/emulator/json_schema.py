"""JSON schemas: which values are valid, which one is an example, and what references lead to."""

from __future__ import annotations

import importlib
import ipaddress
import math
import re
import string
import sys
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard
from urllib.parse import unquote

from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    integer_at,
    list_at,
    object_at,
    objects_at,
    text_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_DAYS = r"(?:\d+Y)?(?:\d+M)?(?:\d+D)?"
_HOURS = r"T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?"
_DURATION = rf"P(?:\d+W|(?=\d|T){_DAYS}(?:{_HOURS})?)"
_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_UUID = r"[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}"


@dataclass(frozen=True)
class Format:
    """A format of strings; `look` finds texts in a prompt that may have it."""

    example: str
    look: re.Pattern[str]
    is_valid: Callable[[str], bool]

    def find(self, text: str) -> str | None:
        """Return the first part of a text that has the format."""
        return next(filter(self.is_valid, self._candidates(text)), None)

    def _candidates(self, text: str) -> Iterator[str]:
        for hit in self.look.finditer(text):
            yield hit[0]
            # People leave out the time zone, which RFC 3339 demands.
            yield f"{hit[0]}Z"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    if not re.fullmatch(_DAY, text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    day, _, clock = text.partition("T")
    return _is_date(day) and _is_time(clock)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


_is_time = _matches(f"(?a:{_CLOCK}{_ZONE})")

FORMATS = {
    "date": Format("2025-01-31", re.compile(rf"\b{_DAY}\b"), _is_date),
    "date-time": Format(
        "2025-01-31T12:00:00Z", re.compile(rf"\b{_DAY}T{_CLOCK}{_ZONE}?"), _is_date_time
    ),
    "duration": Format("P1D", re.compile(rf"\b{_DURATION}\b"), _matches(f"(?a:{_DURATION})")),
    "email": Format("ada@example.com", re.compile(_EMAIL), _matches(_EMAIL)),
    "hostname": Format(
        "example.com",
        re.compile(rf"\b(?:{_LABEL}\.)+[A-Za-z]{{2,63}}\b"),
        _matches(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"),
    ),
    "ipv4": Format(
        "192.0.2.1",
        re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
        lambda text: _is_address(text, 4),
    ),
    "ipv6": Format(
        "2001:db8::1",
        re.compile(r"(?<![\w:])[\dA-Fa-f]{0,4}(?::[\dA-Fa-f]{0,4}){2,7}"),
        lambda text: _is_address(text, 6),
    ),
    "time": Format("12:00:00Z", re.compile(rf"\b{_CLOCK}{_ZONE}?"), _is_time),
    "uri": Format(
        "https://example.com/",
        re.compile(r"https?://[^\s\"'<>)]+"),
        _matches(r"[A-Za-z][A-Za-z0-9+.-]*:\S+"),
    ),
    "uuid": Format(
        "00000000-0000-4000-8000-000000000000", re.compile(rf"\b{_UUID}\b"), _matches(_UUID)
    ),
}

# Python has no public name for its parser, and moved it.
_PARSER = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_Tree: TypeAlias = "Iterable[tuple[Any, Any]]"
# Letters first: they look most like a text.
_CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " \n\t\u00a0\u00e9"
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
}


def compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a compiled expression, or None if it is not one.

    With `-W error` Python refuses, by a `FutureWarning`, what it may read differently one day.
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError, FutureWarning):
        return None


def example_of(pattern: str) -> str | None:
    """Return a text that matches a pattern, or None if none was found.

    Optional parts are written once if that matches, else left out.
    """
    expression = compiled(pattern)
    if expression is None:
        return None
    tree = _PARSER.parse(pattern)
    texts = (_Writer(optional).text(tree) for optional in (1, 0))
    return next((text for text in texts if text is not None and expression.search(text)), None)


class _Writer:
    """Writes one text from a tree; `optional` is how often what may be absent is written."""

    def __init__(self, optional: int) -> None:
        self._optional = optional
        self._groups: dict[int | None, str] = {}

    def text(self, tree: _Tree) -> str | None:
        """Return the text, or None if the tree has a set without a character."""
        pieces = [self._piece(str(name), value) for name, value in tree]
        found = [piece for piece in pieces if piece is not None]
        return "".join(found) if len(found) == len(pieces) else None

    def _piece(self, name: str, value: Any) -> str | None:
        match name:
            case "ANY" | "IN" | "LITERAL" | "NOT_LITERAL":
                return _character(value if name == "IN" else [(name, value)])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self._repeated(*value)
            case "BRANCH":
                return next(filter(None, (self.text(branch) for branch in value[1])), "")
            case "SUBPATTERN" | "ATOMIC_GROUP":
                return self._group(*(value if name == "SUBPATTERN" else (None, value)))
            case "GROUPREF":
                return self._groups.get(value)
            case _:
                return ""

    def _repeated(self, least: int, most: int, tree: _Tree) -> str | None:
        times = max(least, min(self._optional, most))
        text = self.text(tree) if times else ""
        return None if text is None else text * times

    def _group(self, number: int | None, *rest: Any) -> str | None:
        text = self.text(rest[-1])
        if text is not None:
            self._groups[number] = text
        return text


def _character(members: _Tree) -> str | None:
    """Return a character of a set, one that the set itself names if it has none of the usual."""
    named = [(str(kind), value) for kind, value in members]
    is_negated = ("NEGATE", None) in named
    for character in chain(_CHARACTERS, _named_characters(named)):
        if any(_is_in(character, *member) for member in named) is not is_negated:
            return character
    return None


def _named_characters(members: _Tree) -> Iterator[str]:
    for kind, value in members:
        if kind in {"LITERAL", "RANGE"}:
            yield chr(value if kind == "LITERAL" else value[0])


def _is_in(character: str, kind: str, value: Any) -> bool:
    match kind:
        case "LITERAL" | "NOT_LITERAL":
            return (ord(character) == value) is (kind == "LITERAL")
        case "RANGE":
            return ord(character) in range(value[0], value[1] + 1)
        case "CATEGORY":
            category = str(value)
            is_in = _CATEGORIES[category.replace("NOT_", "")](character)
            return is_in is not ("NOT_" in category)
        case _:
            return kind == "ANY"


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


# --- Schemas across their references ---


def find_definition(reference: str, root: JsonObject) -> JsonObject | None:
    """Return what a reference within a schema points to, or None if there is no schema."""
    pointer = unquote(reference.removeprefix("#"))
    if not reference.startswith("#") or pointer[:1] not in {"", "/"}:
        return None
    found: Json = root
    for step in pointer.split("/")[1:]:
        found = _child(found, step.replace("~1", "/").replace("~0", "~"))
    return found if isinstance(found, dict) else None


def is_circular(reference: str, root: JsonObject) -> bool:
    """Whether a reference leads back to itself through nothing but references and unions."""
    followed: set[str] = set()
    left = [find_definition(reference, root) or {}]
    while left:
        node = left.pop()
        left.extend(objects_at(node, "anyOf"))
        found = text_at(node, "$ref")
        if found and found not in followed:
            followed.add(found)
            left.append(find_definition(found, root) or {})
    return reference in followed


def fewest_items(node: JsonObject) -> int:
    """Return how many items an array must have."""
    least = node.get("minItems")
    return max(math.ceil(least), 0) if is_number(least) else 0


class SmallestValues:
    """The smallest valid values of a schema, with which recursion comes to an end.

    Each reference has a rank: how many references deep its smallest value is. The value of a
    union is that of its member of the lowest rank, so that each reference on the way is of a
    lower rank than the one before it. A reference of infinite rank has no value that ends.
    """

    def __init__(self, root: JsonObject) -> None:
        """Rank all references of a schema."""
        self._root = root
        references = set(_references(root))
        self._ranks: dict[str, float] = {}
        while sum(map(self._improve, references)):
            pass

    def ends(self, node: JsonObject) -> bool:
        """Whether a schema has a value that ends."""
        return self._rank(node) < math.inf

    def value(self, node: JsonObject) -> Json:
        """Return the smallest value of a schema that has one; null is smaller than all others."""
        if "$ref" in node:
            return self.value(self._target(text_at(node, "$ref")))
        branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
        if branches:
            return self.value(min(branches, key=self._rank))
        choices = [node["const"]] if "const" in node else list_at(node, "enum")
        return choices[0] if choices else self._of_type(node)

    def _of_type(self, node: JsonObject) -> Json:
        types = types_of(node)
        kind = "null" if "null" in types else types[0] if types else "string"
        if kind == "object":
            return {name: self.value(inner) for name, inner in _required(node).items()}
        if kind == "array":
            return [self.value(object_at(node, "items")) for _ in range(fewest_items(node))]
        if kind in {"integer", "number"}:
            return nearest_number(1, node, kind)
        return {"boolean": True, "string": example_text(node)}.get(kind)

    def _improve(self, reference: str) -> bool:
        rank = 1 + self._rank(self._target(reference))
        is_better = rank < self._ranks.get(reference, math.inf)
        if is_better:
            self._ranks[reference] = rank
        return is_better

    def _rank(self, node: JsonObject) -> float:
        if "$ref" in node:
            return self._ranks.get(text_at(node, "$ref"), math.inf)
        branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
        if branches:
            return min(map(self._rank, branches))
        if "null" in types_of(node):
            return 0
        parts = [*_required(node).values(), *objects_at(node, "allOf")]
        if fewest_items(node):
            parts.append(object_at(node, "items"))
        return max(map(self._rank, parts), default=0)

    def _target(self, reference: str) -> JsonObject:
        return find_definition(reference, self._root) or {}


def _child(parent: Json, step: str) -> Json:
    if isinstance(parent, list):
        return parent[int(step)] if step.isdecimal() and int(step) < len(parent) else None
    return parent.get(step) if isinstance(parent, dict) else None


def _required(node: JsonObject) -> dict[str, JsonObject]:
    properties = object_at(node, "properties")
    required = [name for name in properties if name in list_at(node, "required")]
    return {name: object_at(properties, name) for name in required}


def _references(value: Json) -> Iterator[str]:
    left: list[Json] = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            reference = found.get("$ref")
            if isinstance(reference, str):
                yield reference
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)
