"""What is sent: headers that show none of their values, and a body without generators.

Whoever shows the local variables of frames opens dictionaries and sequences, and prints all else
by its `repr`. So headers travel in something that is neither.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from langchain_openrouter_o3.errors import OpenRouterError

HARMLESS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
"""Headers that hold no secret whoever writes them."""


class RequestHeaders:
    """Names in lower case and their values."""

    __slots__ = ("_harmless", "_values")

    def __init__(self, values: Mapping[str, str], harmless: Collection[str] = HARMLESS) -> None:
        """Copy them.

        Args:
            values: By their names in lower case.
            harmless: Names of those that hold no secret.
        """
        self._values = dict(values)
        self._harmless = harmless

    def get(self, name: str, default: str = "") -> str:
        """Return the value of a header."""
        return self._values.get(name, default)

    def raw(self) -> list[tuple[bytes, bytes]]:
        """Return names and values as bytes, because a header may hold Latin-1."""
        return [(name.encode(), value.encode("latin-1")) for name, value in self._values.items()]

    def conceal_in(self, error: OpenRouterError) -> None:
        """Take the key, and every value that is not known as harmless, out of an error."""
        for name, value in self._values.items():
            if name not in self._harmless:
                error.conceal(value.removeprefix("Bearer "))

    def __repr__(self) -> str:
        """Tell the names alone."""
        return f"RequestHeaders({', '.join(self._values)})"


class RequestBody(httpx.ByteStream):
    """A body in one piece.

    httpx's own iterates with generators, which stay suspended when a write fails.
    """

    def __init__(self, body: bytes) -> None:
        """Take it; it is never copied."""
        super().__init__(body)
        self._pieces = (body,)

    def __iter__(self) -> Iterator[bytes]:
        """Give it, as often as asked."""
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give it on an event loop."""
        return _OnePiece(self._pieces)


class _OnePiece:
    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None
