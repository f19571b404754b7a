"""Writing a value that fits a JSON schema, out of what a prompt offers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.hints import (
    listed_names,
    segments,
    words_of,
    words_of_name,
)
from langchain_openrouter_o3.emulator.json_schema import (
    FORMATS,
    SmallestValues,
    compiled,
    example_text,
    fewest_items,
    find_definition,
    is_number,
    is_valid,
    nearest_number,
    types_of,
    without_choices,
)
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
    from collections.abc import Callable, Sequence

    from langchain_openrouter_o3.emulator.answers.hints import Hints


@dataclass(frozen=True)
class Shape:
    """A schema without references, unions and null.

    `path` has the references on the way here; a recursive one ends it.
    """

    node: JsonObject
    nullable: bool = False
    recursive: bool = False
    path: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def kind(self) -> str:
        """The JSON type, told by the keywords if no type is given."""
        if not self.choices() and self.node.keys() & {"const", "enum"}:
            return "null"
        named = [kind for kind in types_of(self.node) if kind != "null"]
        if named or types_of(self.node):
            return named[0] if named else "null"
        if "properties" in self.node:
            return "object"
        return "array" if "items" in self.node else "string"

    def choices(self) -> list[Json]:
        """Return the only values there are besides null, if the schema names them."""
        named = [self.node["const"]] if "const" in self.node else list_at(self.node, "enum")
        given: list[Json] = [value for value in named if value is not None]
        limits = without_choices(self.node)
        valid: list[Json] = [value for value in given if is_valid(value, limits)]
        return valid or given


def shape_of(node: JsonObject, root: JsonObject, hints: Hints, path: frozenset[str]) -> Shape:
    """Resolve references, choose members of unions and take out null."""
    nullable = False
    while True:
        if "$ref" in node:
            reference = text_at(node, "$ref")
            if reference in path:
                return Shape(node, nullable=nullable, recursive=True, path=path)
            path |= {reference}
            node = _definition(reference, root) | {k: v for k, v in node.items() if k != "$ref"}
        elif "allOf" in node:
            node = _merged(node, root)
        elif "anyOf" in node or "oneOf" in node:
            branches = objects_at(node, "anyOf") or objects_at(node, "oneOf")
            nullable = nullable or any(map(_takes_null, branches))
            others = [each for each in branches if not _is_null(each)]
            new = [each for each in others if text_at(each, "$ref") not in path]
            node = _branch(new or others, root, hints)
        else:
            return Shape(node, nullable=nullable or _takes_null(node), path=path)


def property_names(schema: Json) -> set[str]:
    """Return the names of all properties anywhere in a schema."""
    names: set[str] = set()
    if isinstance(schema, dict):
        names.update(object_at(schema, "properties"))
        for value in schema.values():
            names |= property_names(value)
    elif isinstance(schema, list):
        for value in schema:
            names |= property_names(value)
    return names


def _definition(reference: str, root: JsonObject) -> JsonObject:
    return find_definition(reference, root) or {}


def _takes_null(node: JsonObject) -> bool:
    return bool(node.keys() & {"const", "enum", "type"}) and is_valid(None, node)


def _is_null(node: JsonObject) -> bool:
    return _takes_null(node) and Shape(node).kind == "null"


def _merged(node: JsonObject, root: JsonObject) -> JsonObject:
    properties: JsonObject = {}
    required: list[Json] = []
    merged: JsonObject = {}
    own = {key: value for key, value in node.items() if key != "allOf"}
    for part in [*objects_at(node, "allOf"), own]:
        whole = _definition(text_at(part, "$ref"), root) if "$ref" in part else part
        merged |= whole
        properties |= object_at(whole, "properties")
        required += list_at(whole, "required")
    if not properties:
        return merged
    merged["properties"], merged["required"] = properties, required
    return merged


def _branch(branches: list[JsonObject], root: JsonObject, hints: Hints) -> JsonObject:
    """Choose the branch of a union whose title the prompt mentions, else the first."""
    for branch in branches:
        whole = _definition(text_at(branch, "$ref"), root) if "$ref" in branch else branch
        title = text_at(whole, "title")
        if title and title.lower() in hints.text.lower():
            return branch
    return branches[0] if branches else {"type": "null"}


# --- Choosing texts ---


_PLACES = frozenset(words_of("address area city country location place region town venue"))
_PERSONS = frozenset(words_of("author customer name person recipient user who"))
_QUERIES = frozenset(words_of("content input message prompt q query question request search text"))
_TOPICS = frozenset(words_of("subject theme topic"))
_JOBS = frozenset(words_of("job occupation profession role"))
_DIRECTIONS = {
    "departure": ("from",),
    "origin": ("from",),
    "source": ("from",),
    "arrival": ("to",),
    "destination": ("to",),
    "target": ("to",),
}
_LOCATIVES = ("in", "at", "near", "for", "of", "to", "from")
_TRADE = re.compile(r"\b(?:as|is|was) an? ([a-z-]{3,})")
_TRADE_FRAGMENT = re.compile(r"[a-z-]+(?: [a-z-]+){0,2}")
_LOWER_CASE_NAME = re.compile(r"\b(?:named|called) ([^\W\d_]+)")
_LOWER_CASE_PLACE = re.compile(r"\b(?:in|at|near|for) (?!the\b|a\b|an\b)([^\W\d_]{3,})")
_FORMATS_BY_WORD = {"date": "date", "email": "email", "link": "uri", "url": "uri", "uuid": "uuid"}


@dataclass(frozen=True)
class TextProperty:
    """A property that wants a text; a needed one gets a text even without evidence."""

    words: Sequence[str]
    node: JsonObject
    needed: bool

    def is_one_of(self, words: frozenset[str]) -> bool:
        """Whether the property's name has one of some words."""
        return not words.isdisjoint(self.words)


def choose_text(wanted: TextProperty, hints: Hints) -> str | None:
    """Return a text for a property, or None for one that nothing is known about."""
    for rule in (*_EVIDENCE, *(_GUESSES if wanted.needed else ())):
        text = _cut_to_length(rule(wanted, hints) or "", wanted.node)
        if text and is_valid(text, wanted.node):
            return text
    example = example_text(wanted.node) if wanted.needed else None
    return _phrase(wanted, hints) if wanted.needed and example is None else example


def _formatted(wanted: TextProperty, hints: Hints) -> str | None:
    named = [_FORMATS_BY_WORD[word] for word in wanted.words if word in _FORMATS_BY_WORD]
    asked = text_at(wanted.node, "format")
    for name in [asked] if asked in FORMATS else named:
        found = FORMATS[name].find(hints.text)
        if found or asked == name:
            return found or (FORMATS[name].example if wanted.needed else None)
    return None


def _patterned(wanted: TextProperty, hints: Hints) -> str | None:
    """Find a part of the prompt that matches, wherever the pattern wants it to stand."""
    pattern = text_at(wanted.node, "pattern").removeprefix("^").removesuffix("$")
    expression = compiled(pattern) if pattern else None
    hits = (hit[0] for hit in expression.finditer(hints.text)) if expression else ()
    return next((hit for hit in hits if is_valid(hit, wanted.node)), None)


def _labelled(wanted: TextProperty, hints: Hints) -> str | None:
    return hints.take_labelled(wanted.words)


def _quoted(_: TextProperty, hints: Hints) -> str | None:
    return hints.take_quotation()


def _part_of_name(wanted: TextProperty, hints: Hints) -> str | None:
    """First and last names are parts of one name, which therefore is not taken."""
    names = [each.text.split() for each in hints.names if " " in each.text]
    if not names or "name" not in wanted.words:
        return None
    if "first" in wanted.words:
        return names[0][0]
    return names[0][-1] if "last" in wanted.words else None


def _person(wanted: TextProperty, hints: Hints) -> str | None:
    if not wanted.is_one_of(_PERSONS):
        return None
    lower_case = _LOWER_CASE_NAME.search(hints.text) if wanted.needed else None
    name = hints.take_name({"", "named", "called", "for", "by"})
    return name or (lower_case[1] if lower_case else None)


def _place(wanted: TextProperty, hints: Hints) -> str | None:
    for word in wanted.words:
        if word in _DIRECTIONS:
            return hints.take_name(_DIRECTIONS[word])
    if not wanted.is_one_of(_PLACES):
        return None
    lower_case = _LOWER_CASE_PLACE.search(hints.text) if wanted.needed and not hints.names else None
    return hints.take_name(_LOCATIVES) or (lower_case[1] if lower_case else None)


def _trade(wanted: TextProperty, hints: Hints) -> str | None:
    if not wanted.is_one_of(_JOBS):
        return None
    hit = _TRADE.search(hints.text)
    pieces = (piece.strip() for piece in re.split(r"[,;.\n]", hints.text))
    return hit[1] if hit else next(filter(_TRADE_FRAGMENT.fullmatch, pieces), None)


def _topic(wanted: TextProperty, hints: Hints) -> str | None:
    return hints.topic() if wanted.is_one_of(_TOPICS) else None


def _whole_prompt(wanted: TextProperty, hints: Hints) -> str | None:
    return hints.text.strip() if wanted.is_one_of(_QUERIES) else None


def _name_after_preposition(_: TextProperty, hints: Hints) -> str | None:
    return hints.take_name({"in", "for", "of", "named", "called"})


def _any_name(_: TextProperty, hints: Hints) -> str | None:
    return hints.take_name()


def _phrase(wanted: TextProperty, hints: Hints) -> str:
    topic = hints.topic()
    return f"an emulated {' '.join(wanted.words) or 'text'}" + (f" about {topic}" if topic else "")


def _cut_to_length(text: str, node: JsonObject) -> str:
    shortest, longest = integer_at(node, "minLength") or 0, integer_at(node, "maxLength")
    return text.ljust(shortest, ".")[:longest] if text else text


_EVIDENCE: tuple[Callable[[TextProperty, Hints], str | None], ...] = (
    _formatted,
    _labelled,
    _quoted,
    _part_of_name,
    _person,
    _place,
    _trade,
    _topic,
    _patterned,
)
_GUESSES: tuple[Callable[[TextProperty, Hints], str | None], ...] = (
    _whole_prompt,
    _name_after_preposition,
    _any_name,
    _phrase,
)

# --- Writing values ---


_AUXILIARIES = frozenset({"are", "can", "has", "is", "should"})
_FALSE = frozenset({"0", "false", "no", "not", "off"})
_ITEM_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+")


def write_value(schema: JsonObject, hints: Hints) -> Json:
    """Return a value for a whole schema."""
    writer = _ValueWriter(schema)
    return writer.value(shape_of(schema, schema, hints, frozenset()), (), hints, needed=True)


class _ValueWriter:
    """Walks a schema. A value is None where nothing is known and nothing is needed."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._smallest = SmallestValues(root)

    def value(self, shape: Shape, words: Sequence[str], hints: Hints, *, needed: bool) -> Json:
        """Return a value; one that is only mentioned is needed, unless it is denied."""
        if shape.recursive:
            return self._end(shape) if needed and not shape.nullable else None
        is_denied = shape.kind != "boolean" and hints.denies(words)
        if is_denied and not needed:
            return None
        needed = needed or hints.mentions(words)
        if shape.choices():
            return _choice(shape.choices(), hints, needed=needed)
        if shape.kind in {"integer", "number"}:
            return _number(shape, words, hints, needed=needed)
        if shape.kind == "string":
            return choose_text(TextProperty(words, shape.node, needed), hints)
        return self._composite(shape, words, hints) if needed else None

    def _composite(self, shape: Shape, words: Sequence[str], hints: Hints) -> Json:
        if shape.kind == "object":
            return self._object(shape, hints)
        if shape.kind == "array":
            return self._array(shape, words, hints)
        return _boolean(words, hints) if shape.kind == "boolean" else None

    def _object(self, shape: Shape, hints: Hints) -> JsonObject:
        """Write an object, the labelled properties first: their values are theirs for sure."""
        properties = object_at(shape.node, "properties")
        required = list_at(shape.node, "required")
        by_evidence = sorted(properties, key=lambda name: not hints.labels(words_of_name(name)))
        written: JsonObject = {}
        for name in by_evidence:
            inner = shape_of(object_at(properties, name), self._root, hints, shape.path)
            is_needed = name in required and not inner.nullable
            value = self.value(inner, words_of_name(name), hints, needed=is_needed)
            if value is not None or name in required:
                written[name] = value
        return {name: written[name] for name in properties if name in written}

    def _end(self, shape: Shape) -> Json:
        """End a recursion; only a schema that is not strict may have one without an end."""
        return self._smallest.value(shape.node) if self._smallest.ends(shape.node) else None

    def _array(self, shape: Shape, words: Sequence[str], hints: Hints) -> list[Json]:
        item = shape_of(object_at(shape.node, "items"), self._root, hints, shape.path)
        items = [] if item.recursive else self._items(item, words, hints)
        most = shape.node.get("maxItems")
        items = items[: int(most)] if is_number(most) else items
        while len(items) < fewest_items(shape.node):
            items.append(self.value(item, words, hints, needed=True))
        return items

    def _items(self, item: Shape, words: Sequence[str], hints: Hints) -> list[Json]:
        found: list[Json] = []
        if item.choices():
            found = [value for value in item.choices() if _names_choice(hints.text, value)]
        elif item.kind == "object":
            found = [self._object(item, part) for part in segments(hints)]
        elif item.kind in {"integer", "number"}:
            while (number := hints.take_number()) is not None:
                found.append(_fitted(number, item))
        elif item.kind == "string":
            found.extend(text for text in _texts(words, hints) if is_valid(text, item.node))
        return found or [self.value(item, words, hints, needed=True)]


def _choice(choices: list[Json], hints: Hints, *, needed: bool) -> Json:
    named = [value for value in choices if _names_choice(hints.text, value)]
    if named:
        return named[0]
    return choices[0] if needed else None


def _names_choice(text: str, value: Json) -> bool:
    spelled = re.escape(str(value)).replace("_", "[ _-]?")
    return re.search(rf"(?<!\w){spelled}(?!\w)", text, re.IGNORECASE) is not None


def _number(shape: Shape, words: Sequence[str], hints: Hints, *, needed: bool) -> float | None:
    found = hints.take_labelled_number(words)
    if found is None:
        found = hints.take_number()
    if found is None:
        return _fitted(1, shape) if needed else None
    return _fitted(found, shape)


def _fitted(number: float, shape: Shape) -> float:
    """Bring a number into its bounds, if anything is."""
    nearest = nearest_number(number, shape.node, shape.kind)
    return number if nearest is None else nearest


def _boolean(words: Sequence[str], hints: Hints) -> bool:
    plain = [word for word in words if word not in _AUXILIARIES]
    stated = hints.take_labelled(plain)
    return not hints.denies(plain) and (stated is None or stated.lower() not in _FALSE)


def _texts(words: Sequence[str], hints: Hints) -> list[str]:
    """Return the texts of a list: a labelled one, the quotations, or names in a row."""
    labelled = hints.take_labelled_list(words)
    if labelled is not None:
        return [text for text in _ITEM_SEPARATOR.split(labelled) if text]
    quotations: list[str] = []
    while (quotation := hints.take_quotation()) is not None:
        quotations.append(quotation)
    return quotations or listed_names(hints.text)
