"""Decisions from bytes: how an input of the fuzzer becomes structured data.

Each decision takes one byte or two from the front, so that a small change of the input is a
small change of the data. An exhausted source takes the first option of everything, hence every
construction ends. Not atheris's own provider: the tests read the same inputs without atheris.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from tests.helpers.wire import split

T = TypeVar("T")

MAX_CUTS = 7
MAX_DEPTH = 4

# Characters that have been somebody's undoing: JSON's own, line ends that are none to the
# WHATWG, halves of a surrogate pair, a character outside the basic plane.
_ALPHABET = 'abcx 01{}[]":,\\\n\r\t.-_/\u2028\x85\x00\ud83d\ude00\ud800é😀'
_SPECIAL: tuple[Any, ...] = (
    None,
    "",
    [],
    {},
    True,
    False,
    0,
    1,
    -1,
    429,
    0.5,
    1.0,
    float("inf"),
    2**63,
    10**30,
    "null",
    "stop",
    "user",
    "0",
    [None],
    [[]],
    [{}],
    {"a": None},
    {"": 0},
)


class ByteSource:
    """Takes decisions from bytes, front to back."""

    def __init__(self, data: bytes) -> None:
        """Start at the first byte."""
        self._data = data
        self._next = 0

    def __bool__(self) -> bool:
        """Whether any byte is left."""
        return self._next < len(self._data)

    def number(self, below: int) -> int:
        """Take a number from 0 up to, and without, a limit of at most 65,536."""
        value = 0
        for _ in range(1 if below <= 256 else 2):
            value = value * 256 + (self._data[self._next] if self else 0)
            self._next += 1
        return value % below

    def flag(self) -> bool:
        """Take a yes or no; no when nothing is left."""
        return self.number(2) == 1

    def rarely(self) -> bool:
        """Take a yes or no that is mostly no."""
        return self.number(16) == 15

    def choice(self, options: Sequence[T]) -> T:
        """Take one of some options; the first when nothing is left."""
        return options[self.number(len(options))]

    def text(self, longest: int = 7) -> str:
        """Take a short text of difficult characters."""
        return "".join(self.choice(_ALPHABET) for _ in range(self.number(longest + 1)))

    def rest(self) -> bytes:
        """Take all the bytes that are left."""
        rest = self._data[self._next :]
        self._next = len(self._data)
        return rest

    def cuts(self) -> list[int]:
        """Take positions at which to cut; a byte says how many."""
        return [self.number(65_536) for _ in range(self.number(MAX_CUTS + 1))]

    def json(self, depth: int = MAX_DEPTH) -> Any:
        """Take any JSON value."""
        kind = self.number(6 if depth else 4)
        if kind == 0:
            return self.choice(_SPECIAL)
        if kind == 1:
            return self.text()
        if kind == 2:
            return self.number(65_536) - 32_768
        if kind == 3:
            return self.number(65_536) / 16
        if kind == 4:
            return [self.json(depth - 1) for _ in range(self.number(4))]
        return {self.text(3): self.json(depth - 1) for _ in range(self.number(4))}


def pieces_of(data: bytes) -> list[bytes]:
    """Read an input as bytes in pieces: how many cuts, where (two bytes each), and the bytes."""
    source = ByteSource(data)
    cuts = source.cuts()
    return split(source.rest(), *cuts)


def one_by_one(data: bytes) -> list[bytes]:
    """Cut bytes into single ones, the hardest of all cuts."""
    return [data[index : index + 1] for index in range(len(data))]
