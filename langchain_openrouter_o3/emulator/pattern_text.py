"""Writing a text that matches a regular expression.

The parse tree is that of Python's own `re`, so that every expression that compiles is understood.
A text is written from the tree and then tried, because anchors and boundaries are passed over.
"""

from __future__ import annotations

import importlib
import re
import string
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
