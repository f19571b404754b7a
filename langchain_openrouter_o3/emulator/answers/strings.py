"""Choosing a text for a property of a schema.

Each rule knows one kind of evidence; the first that finds some wins, the strongest first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.words import words_of
from langchain_openrouter_o3.emulator.formats import FORMATS
from langchain_openrouter_o3.emulator.json_value import integer_at, text_at
from langchain_openrouter_o3.emulator.pattern_text import compiled
from langchain_openrouter_o3.emulator.schema_values import example_text, is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_openrouter_o3.emulator.answers.clues import Clues
    from langchain_openrouter_o3.emulator.json_value import JsonObject

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


def choose_text(wanted: TextProperty, clues: Clues) -> str | None:
    """Return a text for a property, or None for one that nothing is known about."""
    for rule in (*_EVIDENCE, *(_GUESSES if wanted.needed else ())):
        text = _cut_to_length(rule(wanted, clues) or "", wanted.node)
        if text and is_valid(text, wanted.node):
            return text
    example = example_text(wanted.node) if wanted.needed else None
    return _phrase(wanted, clues) if wanted.needed and example is None else example


def _formatted(wanted: TextProperty, clues: Clues) -> str | None:
    named = [_FORMATS_BY_WORD[word] for word in wanted.words if word in _FORMATS_BY_WORD]
    asked = text_at(wanted.node, "format")
    for name in [asked] if asked in FORMATS else named:
        found = FORMATS[name].find(clues.text)
        if found or asked == name:
            return found or (FORMATS[name].example if wanted.needed else None)
    return None


def _patterned(wanted: TextProperty, clues: Clues) -> str | None:
    """Find a part of the prompt that matches, wherever the pattern wants it to stand."""
    pattern = text_at(wanted.node, "pattern").removeprefix("^").removesuffix("$")
    expression = compiled(pattern) if pattern else None
    hits = (hit[0] for hit in expression.finditer(clues.text)) if expression else ()
    return next((hit for hit in hits if is_valid(hit, wanted.node)), None)


def _labelled(wanted: TextProperty, clues: Clues) -> str | None:
    return clues.take_labelled(wanted.words)


def _quoted(_: TextProperty, clues: Clues) -> str | None:
    return clues.take_quotation()


def _part_of_name(wanted: TextProperty, clues: Clues) -> str | None:
    """First and last names are parts of one name, which therefore is not taken."""
    names = [each.text.split() for each in clues.names if " " in each.text]
    if not names or "name" not in wanted.words:
        return None
    if "first" in wanted.words:
        return names[0][0]
    return names[0][-1] if "last" in wanted.words else None


def _person(wanted: TextProperty, clues: Clues) -> str | None:
    if not wanted.is_one_of(_PERSONS):
        return None
    lower_case = _LOWER_CASE_NAME.search(clues.text) if wanted.needed else None
    name = clues.take_name({"", "named", "called", "for", "by"})
    return name or (lower_case[1] if lower_case else None)


def _place(wanted: TextProperty, clues: Clues) -> str | None:
    for word in wanted.words:
        if word in _DIRECTIONS:
            return clues.take_name(_DIRECTIONS[word])
    if not wanted.is_one_of(_PLACES):
        return None
    lower_case = _LOWER_CASE_PLACE.search(clues.text) if wanted.needed and not clues.names else None
    return clues.take_name(_LOCATIVES) or (lower_case[1] if lower_case else None)


def _trade(wanted: TextProperty, clues: Clues) -> str | None:
    if not wanted.is_one_of(_JOBS):
        return None
    hit = _TRADE.search(clues.text)
    pieces = (piece.strip() for piece in re.split(r"[,;.\n]", clues.text))
    return hit[1] if hit else next(filter(_TRADE_FRAGMENT.fullmatch, pieces), None)


def _topic(wanted: TextProperty, clues: Clues) -> str | None:
    return clues.topic() if wanted.is_one_of(_TOPICS) else None


def _whole_prompt(wanted: TextProperty, clues: Clues) -> str | None:
    return clues.text.strip() if wanted.is_one_of(_QUERIES) else None


def _name_after_preposition(_: TextProperty, clues: Clues) -> str | None:
    return clues.take_name({"in", "for", "of", "named", "called"})


def _any_name(_: TextProperty, clues: Clues) -> str | None:
    return clues.take_name()


def _phrase(wanted: TextProperty, clues: Clues) -> str:
    topic = clues.topic()
    return f"an emulated {' '.join(wanted.words) or 'text'}" + (f" about {topic}" if topic else "")


def _cut_to_length(text: str, node: JsonObject) -> str:
    shortest, longest = integer_at(node, "minLength") or 0, integer_at(node, "maxLength")
    return text.ljust(shortest, ".")[:longest] if text else text


_EVIDENCE: tuple[Callable[[TextProperty, Clues], str | None], ...] = (
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
_GUESSES: tuple[Callable[[TextProperty, Clues], str | None], ...] = (
    _whole_prompt,
    _name_after_preposition,
    _any_name,
    _phrase,
)
