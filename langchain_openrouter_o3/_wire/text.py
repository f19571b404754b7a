"""The text of an answer: its pieces, stop sequences, and characters that arrive in halves.

The client enforces stop sequences, because o3-mini has no such parameter. JSON may write a
character outside the basic plane as two escapes, and a server that cuts text by UTF-16 units sends
one half in each of two deltas. A half alone cannot be printed or encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object, is_printable, writable
from langchain_openrouter_o3.errors.redaction import ELLIPSIS, MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Sequence


class StopScanner:
    """Lets text pass up to the first stop sequence, also when it arrives split.

    Attributes:
        matched: The sequence that ended the text, or None.
        held: Text that may be the beginning of a sequence.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        """Take the sequences; without any, everything passes."""
        self.matched: str | None = None
        self._sequences = tuple(sequences)
        self.held: str = ""

    def feed(self, text: str) -> str:
        """Take more text and return what is certain to come before any stop sequence."""
        if not self._sequences or self.matched is not None:
            return text if self.matched is None else ""
        text = f"{self.held}{text}"
        # The sequence that is complete first wins, so that the result does not depend on how
        # the text was split.
        found = [
            (position + len(sequence), position, sequence)
            for sequence in self._sequences
            if (position := text.find(sequence)) >= 0
        ]
        if found:
            _, start, self.matched = min(found)
            self.held = ""
            return text[:start]
        keep = self._undecided(text)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return the text that was held back, at the end of the answer."""
        held, self.held = self.held, ""
        return held

    def _undecided(self, text: str) -> int:
        """Count the characters at the end that may be the beginning of a stop sequence."""
        longest = max(len(sequence) for sequence in self._sequences) - 1
        for size in range(min(longest, len(text)), 0, -1):
            end = text[-size:]
            if any(sequence.startswith(end) for sequence in self._sequences):
                return size
        return 0


REPLACEMENT = "\ufffd"


def printable(text: str) -> str:
    """Return a text whose halves are joined; a half without the other is replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def printable_data(value: Any) -> Any:
    """Return JSON-like data that can be written: printable, not too deep, odd numbers as texts."""
    return value if is_printable(value) else _mend(value)


def _mend(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return printable(value)
    if depth > MAX_DEPTH:
        return ELLIPSIS
    if is_object(value):
        return {printable(key): _mend(item, depth + 1) for key, item in value.items()}
    if is_array(value):
        return [_mend(item, depth + 1) for item in value]
    return writable(value)


class SurrogateJoiner:
    """Joins the halves of characters over the pieces of one text."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """Take the next piece and return what of it is whole."""
        if not self._half and piece.isascii():
            return piece
        text, self._half = f"{self._half}{piece}", ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return printable(text)

    def flush(self) -> str:
        """Take the end of the text and return what stands for a half without the other."""
        half, self._half = self._half, ""
        return REPLACEMENT if half else ""


class TextPieces:
    """A text of an answer so far."""

    def __init__(self, stop: StopScanner | None = None) -> None:
        """Start before the first piece; `stop` ends the text before its sequences."""
        self._stop = stop
        self._joiner = SurrogateJoiner()
        self._pieces: list[str] = []

    def __bool__(self) -> bool:
        """Whether anything has come."""
        return bool(self._pieces)

    def __str__(self) -> str:
        """Return what has come."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> str:
        """Take the next piece and return what is certain to belong to the text."""
        piece = self._joiner.feed(piece)
        if self._stop is not None:
            piece = self._stop.feed(piece)
        if piece:
            self._pieces.append(piece)
        return piece

    def close(self) -> str:
        """Take the end of the text and return what had been held back."""
        rest = self.feed(self._joiner.flush())
        held = self._stop.flush() if self._stop is not None else ""
        if held:
            self._pieces.append(held)
        return f"{rest}{held}"
