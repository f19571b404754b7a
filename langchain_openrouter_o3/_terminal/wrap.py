"""Wrapping words of a text that arrives in pieces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PARTS = re.compile(r"(\s*)(\S+)")


class WordWrap:
    """Breaks lines between words.

    The last word is held back until white space shows that it is whole.
    """

    def __init__(self, width: Callable[[], int], measure: Callable[[str], int]) -> None:
        """Start at the left edge.

        Args:
            width: Columns of the terminal, asked for every word: people resize windows.
            measure: Columns of a text.
        """
        self._width = width
        self._measure = measure
        self._column = 0
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece; return what can be shown now."""
        self._held += text
        whole = len(self._held)
        while whole and not self._held[whole - 1].isspace():
            whole -= 1
        ready = self._held[:whole].rstrip()
        self._held = self._held[len(ready) :]
        return self._placed(ready)

    def finish(self) -> str:
        """Return the rest, and start again at the left edge."""
        rest = self._placed(self._held.rstrip())
        self._held, self._column = "", 0
        return rest

    def _placed(self, text: str) -> str:
        return "".join(self._place(space, word) for space, word in _PARTS.findall(text))

    def _place(self, space: str, word: str) -> str:
        lines = space.count("\n")
        length = self._measure(word)
        if lines:
            space = "\n" * lines
        elif space and self._column + len(space) + length > self._width():
            space = "\n"
        self._column = length if "\n" in space else self._column + len(space) + length
        return space + word
