"""JSON: read and written at the speed of compiled libraries, to the letter of Python's own.

`json` is strict about numbers and knows every size of them, but takes three to five times as
long. What the faster readers and writers refuse, or could alter, it decides.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic_core import from_json
from typing_extensions import TypeIs

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_NULL = re.compile(rb"(?:^|[:,\[])null")


def encode(value: Any) -> bytes:
    """Write a value as compact UTF-8 JSON.

    Args:
        value: What `json` writes, and enumerations and UUIDs besides.

    Raises:
        TypeError: It holds something that JSON has no form for.
        ValueError: It holds NaN or an infinity, half a surrogate pair, or itself.
        RecursionError: It is nested too deep.
    """
    try:
        written = orjson.dumps(value, option=_OPTIONS)
    except TypeError:  # also for numbers beyond 64 bits and keys that are no strings
        return _ENCODER.encode(value).encode()
    # It writes null for NaN, too.
    if b"null" in written and _NULL.search(written):
        return _ENCODER.encode(value).encode()
    return written


def is_printable(value: Any) -> bool:
    """Say whether decoded data can be written again; half a surrogate pair cannot.

    Large numbers and deep nesting give False, too: it is what costs nothing to know.
    """
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def decode(text: bytes | bytearray | str) -> Any:
    """Read one JSON value; a byte order mark is let pass, as is white space around it.

    Raises:
        ValueError: It is not JSON, or not UTF-8.
        RecursionError: It is nested too deep.
    """
    try:
        # Only keys are remembered: the values of a long-lived process would fill the cache.
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:  # also for half a surrogate pair, which JSON allows, and deep nesting
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8-sig"))


def is_object(value: Any) -> TypeIs[dict[str, Any]]:
    """Whether a decoded value is a JSON object; its keys are strings then."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeIs[list[Any]]:
    """Whether a decoded value is a JSON array."""
    return isinstance(value, list)


def is_text(value: Any) -> TypeIs[str]:
    """Whether a decoded value is a text."""
    return isinstance(value, str)


def in_order(value: Any, levels: int) -> Any:
    """Return JSON-like data with the keys of its objects in order, so many levels deep.

    Another order of keys is the same to JSON, and another request to a cache.
    """
    if levels and is_object(value):
        return {key: in_order(value[key], levels - 1) for key in sorted(value, key=str)}
    return [in_order(item, levels - 1) for item in value] if levels and is_array(value) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)

_MEMOIZED = 256


def memoize_json(convert: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Remember what a conversion gives for a JSON content.

    Bound tools and response formats come back with every call. The same JSON gets the same result
    again, as a copy: changing one copy changes no other.

    Args:
        convert: Takes JSON-like data and further hashable arguments; gives such data or raises.

    Returns:
        The same conversion. It converts anew what cannot be written as JSON.
    """

    @lru_cache(maxsize=_MEMOIZED)
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
