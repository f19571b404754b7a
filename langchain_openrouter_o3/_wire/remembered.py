"""Conversions of JSON, remembered by content.

Bound tools and response formats come back with every call. What a conversion gave for the same
JSON is given again, as a copy: whoever changes one changes nobody else's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

_REMEMBERED = 256


def remembered(convert: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Remember what a conversion gives.

    Args:
        convert: Takes JSON-like data and further hashable arguments; gives such data or raises.

    Returns:
        The same conversion. It converts anew what cannot be written as JSON.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def convert_text(text: bytes, *arguments: Any) -> bytes:
        return encode(convert(decode(text), *arguments))

    def convert_or_remember(value: Any, *arguments: Any) -> dict[str, Any]:
        try:
            text = encode(value)
        except (TypeError, ValueError, RecursionError):
            return convert(value, *arguments)  # which says what is wrong with it
        copy: dict[str, Any] = decode(convert_text(text, *arguments))
        return copy

    return convert_or_remember
