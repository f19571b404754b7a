"""The headers of a request, in an object that shows none of their values.

Whoever shows the local variables of frames opens dictionaries and sequences, and prints all else
by its `repr`. So headers travel in something that is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
