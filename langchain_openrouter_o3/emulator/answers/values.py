"""Writing a value that fits a JSON schema, out of what a prompt offers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.names import listed_names
from langchain_openrouter_o3.emulator.answers.schema_shape import Shape, shape_of
from langchain_openrouter_o3.emulator.answers.segments import segments
from langchain_openrouter_o3.emulator.answers.strings import TextProperty, choose_text
from langchain_openrouter_o3.emulator.answers.words import words_of_name
from langchain_openrouter_o3.emulator.json_value import (
    Json,
    JsonObject,
    list_at,
    object_at,
)
from langchain_openrouter_o3.emulator.schema_reading import SmallestValues, fewest_items
from langchain_openrouter_o3.emulator.schema_values import is_number, is_valid, nearest_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_openrouter_o3.emulator.answers.clues import Clues

_AUXILIARIES = frozenset({"are", "can", "has", "is", "should"})
_FALSE = frozenset({"0", "false", "no", "not", "off"})
_ITEM_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+")


def write_value(schema: JsonObject, clues: Clues) -> Json:
    """Return a value for a whole schema."""
    writer = _ValueWriter(schema)
    return writer.value(shape_of(schema, schema, clues, frozenset()), (), clues, needed=True)


class _ValueWriter:
    """Walks a schema. A value is None where nothing is known and nothing is needed."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._smallest = SmallestValues(root)

    def value(self, shape: Shape, words: Sequence[str], clues: Clues, *, needed: bool) -> Json:
        """Return a value; one that is only mentioned is needed, unless it is denied."""
        if shape.recursive:
            return self._end(shape) if needed and not shape.nullable else None
        is_denied = shape.kind != "boolean" and clues.denies(words)
        if is_denied and not needed:
            return None
        needed = needed or clues.mentions(words)
        if shape.choices():
            return _choice(shape.choices(), clues, needed=needed)
        if shape.kind in {"integer", "number"}:
            return _number(shape, words, clues, needed=needed)
        if shape.kind == "string":
            return choose_text(TextProperty(words, shape.node, needed), clues)
        return self._composite(shape, words, clues) if needed else None

    def _composite(self, shape: Shape, words: Sequence[str], clues: Clues) -> Json:
        if shape.kind == "object":
            return self._object(shape, clues)
        if shape.kind == "array":
            return self._array(shape, words, clues)
        return _boolean(words, clues) if shape.kind == "boolean" else None

    def _object(self, shape: Shape, clues: Clues) -> JsonObject:
        """Write an object, the labelled properties first: their values are theirs for sure."""
        properties = object_at(shape.node, "properties")
        required = list_at(shape.node, "required")
        by_evidence = sorted(properties, key=lambda name: not clues.labels(words_of_name(name)))
        written: JsonObject = {}
        for name in by_evidence:
            inner = shape_of(object_at(properties, name), self._root, clues, shape.path)
            is_needed = name in required and not inner.nullable
            value = self.value(inner, words_of_name(name), clues, needed=is_needed)
            if value is not None or name in required:
                written[name] = value
        return {name: written[name] for name in properties if name in written}

    def _end(self, shape: Shape) -> Json:
        """End a recursion; only a schema that is not strict may have one without an end."""
        return self._smallest.value(shape.node) if self._smallest.ends(shape.node) else None

    def _array(self, shape: Shape, words: Sequence[str], clues: Clues) -> list[Json]:
        item = shape_of(object_at(shape.node, "items"), self._root, clues, shape.path)
        items = [] if item.recursive else self._items(item, words, clues)
        most = shape.node.get("maxItems")
        items = items[: int(most)] if is_number(most) else items
        while len(items) < fewest_items(shape.node):
            items.append(self.value(item, words, clues, needed=True))
        return items

    def _items(self, item: Shape, words: Sequence[str], clues: Clues) -> list[Json]:
        found: list[Json] = []
        if item.choices():
            found = [value for value in item.choices() if _names_choice(clues.text, value)]
        elif item.kind == "object":
            found = [self._object(item, part) for part in segments(clues)]
        elif item.kind in {"integer", "number"}:
            while (number := clues.take_number()) is not None:
                found.append(_fitted(number, item))
        elif item.kind == "string":
            found.extend(text for text in _texts(words, clues) if is_valid(text, item.node))
        return found or [self.value(item, words, clues, needed=True)]


def _choice(choices: list[Json], clues: Clues, *, needed: bool) -> Json:
    named = [value for value in choices if _names_choice(clues.text, value)]
    if named:
        return named[0]
    return choices[0] if needed else None


def _names_choice(text: str, value: Json) -> bool:
    spelled = re.escape(str(value)).replace("_", "[ _-]?")
    return re.search(rf"(?<!\w){spelled}(?!\w)", text, re.IGNORECASE) is not None


def _number(shape: Shape, words: Sequence[str], clues: Clues, *, needed: bool) -> float | None:
    found = clues.take_labelled_number(words)
    if found is None:
        found = clues.take_number()
    if found is None:
        return _fitted(1, shape) if needed else None
    return _fitted(found, shape)


def _fitted(number: float, shape: Shape) -> float:
    """Bring a number into its bounds, if anything is."""
    nearest = nearest_number(number, shape.node, shape.kind)
    return number if nearest is None else nearest


def _boolean(words: Sequence[str], clues: Clues) -> bool:
    plain = [word for word in words if word not in _AUXILIARIES]
    stated = clues.take_labelled(plain)
    return not clues.denies(plain) and (stated is None or stated.lower() not in _FALSE)


def _texts(words: Sequence[str], clues: Clues) -> list[str]:
    """Return the texts of a list: a labelled one, the quotations, or names in a row."""
    labelled = clues.take_labelled_list(words)
    if labelled is not None:
        return [text for text in _ITEM_SEPARATOR.split(labelled) if text]
    quotations: list[str] = []
    while (quotation := clues.take_quotation()) is not None:
        quotations.append(quotation)
    return quotations or listed_names(clues.text)
