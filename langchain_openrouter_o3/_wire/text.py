"""Texts that grow by pieces, and characters that arrive in halves.

JSON may write a character outside the basic plane as two escapes, and a server that cuts text by
UTF-16 units sends one half in each of two deltas. A half alone cannot be printed or encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object, is_printable
from langchain_openrouter_o3._redaction import MAX_DEPTH

if TYPE_CHECKING:
    from langchain_openrouter_o3._wire.stop import StopScanner

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
    """Return JSON-like data whose texts are printable."""
    return value if is_printable(value) else _mend(value)


def _mend(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return printable(value)
    if depth < MAX_DEPTH and is_object(value):
        return {printable(key): _mend(item, depth + 1) for key, item in value.items()}
    if depth < MAX_DEPTH and is_array(value):
        return [_mend(item, depth + 1) for item in value]
    return value


class SurrogateJoiner:
    """Joins the halves of characters over the pieces of one text."""

    def __init__(self) -> None:
        """Start before the first piece."""
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
