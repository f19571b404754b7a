"""Comparing words: of a name, of a description, of a prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SHORTEST_STEM = 4
_LONGEST_ENDING = 2


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def words_of_name(name: str) -> list[str]:
    """Return the words of an identifier; `get_weather` and `getWeather` have the same."""
    return words_of(_CAMEL_HUMP.sub(" ", name))


def occurs(word: str, words: Collection[str]) -> bool:
    """Whether a word is among others in some form: `greeting` and `greet`, `name` and `named`."""
    return any(_is_form_of(word, other) for other in words)


def _is_form_of(word: str, other: str) -> bool:
    if word == other:
        return True
    shorter = min(len(word), len(other))
    common = next((i for i in range(shorter) if word[i] != other[i]), shorter)
    return common >= _SHORTEST_STEM and common >= shorter - _LONGEST_ENDING
