"""The arguments of one tool call, however the pieces of their JSON come.

Mostly they are deltas, which are passed on at once. Some servers send an empty object first, the
whole text again at the end, or in each delta all that there is so far. What looks like one of these
is held back up to the end of the answer, because nothing that was passed on can be taken back, and
is then read that way only if the pieces one after the other are no object.
"""

from __future__ import annotations

import json
from typing import Any

from langchain_openrouter_o3._json import finite, is_object, is_printable, refuse_constant
from langchain_openrouter_o3._wire.text import SurrogateJoiner

TEXT_ARGUMENT = "__arg1"
_TEXT_BEGIN = f'{{"{TEXT_ARGUMENT}":"'
_TEXT_END = '"}'

MAX_CHECKS = 64
"""How often a text is parsed to see whether it is whole; more would be quadratic."""


class ArgumentPieces:
    """Collects the pieces of the arguments of one call."""

    def __init__(self) -> None:
        self._joiner = SurrogateJoiner()
        self._pieces: list[str] = []
        self._size = 0
        self._passed = 0  # characters that were passed on
        self._is_holding = False
        self._checks = 0

    def feed(self, piece: str) -> str:
        """Take the next piece and return what can be passed on."""
        piece = self._joiner.feed(piece)
        if not piece:
            return ""
        self._is_holding = self._is_holding or (
            piece.lstrip()[:1] == "{" and self._may_repeat(piece)
        )
        self._pieces.append(piece)
        self._size += len(piece)
        if self._is_holding:
            return ""
        self._passed = self._size
        return piece

    def close(self) -> str:
        """Take the end of the answer and return what had been held back."""
        if end := self._joiner.flush():
            self._pieces.append(end)
        text = self.text
        held = text[self._passed :] if self._is_holding or end else ""
        self._passed = len(text)
        return held

    @property
    def text(self) -> str:
        """The arguments so far."""
        text = "".join(self._pieces)
        if self._is_holding and parse_arguments(text) is None:
            folded = _fold(self._pieces)
            text = text if parse_arguments(folded) is None else folded
        else:
            self._pieces = [text] if text else []
        return text

    def _may_repeat(self, piece: str) -> bool:
        """Whether a piece that begins an object may begin the arguments again."""
        if not self._pieces:
            return piece.strip() == "{}"
        if len(piece) >= self._size and piece.startswith(self._joined()):
            return True
        if self._pieces[-1].rstrip()[-1:] != "}":
            return False
        self._checks += 1
        return self._checks <= MAX_CHECKS and parse_arguments(self._joined()) is not None

    def _joined(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


class CustomInput:
    """Collects the text of a call of a custom tool, and writes it as arguments.

    OpenAI's custom tools take one text instead of an object. LangChain's tools of one text have an
    argument of this name, and so have these calls.
    """

    def __init__(self) -> None:
        self._joiner = SurrogateJoiner()
        self._pieces: list[str] = []
        self._has_ended = False

    def feed(self, piece: str) -> str:
        """Take the next piece of the text and return what it adds to the arguments."""
        return self._add("" if self._pieces else _TEXT_BEGIN, _escaped(self._joiner.feed(piece)))

    def close(self) -> str:
        """Take the end of the text and return what it adds to the arguments."""
        if self._has_ended:
            return ""
        self._has_ended = True
        return self._add(_escaped(self._joiner.flush()), _TEXT_END)

    @property
    def text(self) -> str:
        """The arguments so far."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def _add(self, *pieces: str) -> str:
        self._pieces += pieces
        return "".join(pieces)


def parse_arguments(arguments: str, *, cut: bool = False) -> dict[str, Any] | None:
    """Parse a whole argument string.

    Args:
        arguments: The string; empty and white space mean no arguments.
        cut: Whether more was to come, so that an empty string is not an answer.

    Returns:
        The object, or None when it is incomplete or something else.
    """
    if not arguments.strip():
        return None if cut else {}
    try:
        value = _DECODER.decode(arguments)
    except (ValueError, RecursionError):
        return None
    has_halves = "\\ud" in arguments.lower() and not is_printable(value)
    return value if is_object(value) and not has_halves else None


def custom_input(arguments: str) -> str:
    """Return the text of a custom call from its arguments, also where they break off."""
    for end in ("", _TEXT_END):
        value = parse_arguments(f"{arguments}{end}") or {}
        if isinstance(text := value.get(TEXT_ARGUMENT), str):
            return text
    return arguments


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _fold(pieces: list[str]) -> str:
    """Read pieces of which some say again what came before."""
    whole = ""
    for piece in pieces:
        is_again = piece.startswith(whole) or (whole.strip() == "{}" and piece.lstrip()[:1] == "{")
        whole = piece if is_again else whole + piece
    before = "".join(pieces[:-1])
    return before if _same_object(before, pieces[-1]) else whole


def _same_object(left: str, right: str) -> bool:
    """Whether two texts are the same object, written differently."""
    if not left.strip() or not right.strip():
        return False
    one, other = parse_arguments(left), parse_arguments(right)
    return one is not None and _written(one) == _written(other)


def _written(value: Any) -> str:
    # Written out, because to Python 1 and True are equal.
    return json.dumps(value, sort_keys=True)


# Not strict, like core: a raw line break inside a string leaves the object whole.
_DECODER = json.JSONDecoder(strict=False, parse_constant=refuse_constant, parse_float=finite)
