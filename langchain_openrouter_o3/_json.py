"""JSON: read and written at the speed of compiled libraries, to the letter of Python's own.

`json` is strict about numbers and knows every size of them, but takes three to five times as
long. What the faster readers and writers refuse, or could alter, it decides.
"""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic_core import from_json
from typing_extensions import Self, TypeIs, override

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_LARGE_EXPONENTS = (re.compile(r"e[+\d]\d\d"), re.compile(r"E[+\d]\d\d"))
_NULL = re.compile(rb"(?:^|[:,\[])null")
LARGEST = 2**64 - 1
"""The largest integer of MessagePack, and so of a checkpoint of LangGraph."""
_SMALLEST = -(2**63)


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
        return _as_utf8(_ENCODER.encode(value))
    # It writes null for NaN, too.
    if b"null" in written and _NULL.search(written):
        return _as_utf8(_ENCODER.encode(value))
    return written


def _as_utf8(text: str) -> bytes:
    """Write a text; a character in two halves, as Python reads two escapes of it, is one."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16").encode()
        except UnicodeDecodeError:
            raise error from None


def is_printable(value: Any) -> bool:
    """Say whether decoded data can be written again; half a surrogate pair and infinity cannot.

    Large numbers and deep nesting give False, too: it is what costs nothing to know.
    """
    try:
        written = orjson.dumps(value)
        # It writes null for an infinity, too.
        return b"null" not in written or bool(_ENCODER.encode(value))
    except (TypeError, ValueError):
        return False


def decode(text: bytes | bytearray | str) -> Any:
    """Read one JSON value; a byte order mark is let pass, as is white space around it.

    Raises:
        ValueError: It is not JSON, or not UTF-8, or has a number beyond all floats (`1e999`).
        RecursionError: It is nested too deep.
    """
    try:
        value = _read(text)
    except ValueError:  # also for half a surrogate pair, which JSON allows, and deep nesting
        return _DECODER.decode(_as_text(text))
    return value if is_printable(value) else _DECODER.decode(_as_text(text))


def decode_leniently(text: bytes | bytearray | str) -> Any:
    """Read as `decode` does, but also numbers that JSON or Python does not know.

    `NaN`, `Infinity` and numbers of more than 4,300 digits come in facts about an answer, such as
    its price, and must not cost the answer. As `1e999`, they are infinities here, which nothing
    takes for a count, a price or a text; `is_printable` refuses them.

    Raises:
        ValueError: It is not JSON otherwise, or not UTF-8.
        RecursionError: It is nested too deep.
    """
    try:
        return _read(text)
    except ValueError:
        return _LENIENT_DECODER.decode(_as_text(text))


def has_odd_number(text: str) -> bool:
    """Whether a text may hold NaN, an infinity or an exponent that makes one; it is fast."""
    words = "NaN" in text or "Infinity" in text
    return words or any(each.search(text) is not None for each in _LARGE_EXPONENTS)


def finite(number: str) -> float:
    """Read a number with a fraction or an exponent.

    Raises:
        ValueError: It is beyond all floats.
    """
    if math.isinf(value := float(number)):
        raise ValueError(f"{number} is beyond the numbers that can be read")
    return value


def refuse_constant(name: str) -> None:
    """Refuse `NaN` and infinities, which Python's own reader takes.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is not JSON and could not be sent back")


def writable(value: Any) -> Any:
    """Return the text of a number that not everybody can write, and any other value as it is.

    No JSON has infinities, and MessagePack, in which LangGraph writes its checkpoints, has no
    integer beyond 64 bits.
    """
    is_infinite = isinstance(value, float) and math.isinf(value)
    is_too_long = isinstance(value, int) and not _SMALLEST <= value <= LARGEST
    return str(value) if is_infinite or is_too_long else value


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


def _read(text: bytes | bytearray | str) -> Any:
    # Only keys are remembered: the values of a long-lived process would fill the cache.
    return from_json(text, allow_inf_nan=False, cache_strings="keys")


def _as_text(text: bytes | bytearray | str) -> str:
    return text if isinstance(text, str) else text.decode("utf-8-sig")


class _UnusableNumber(float):
    """A number that JSON or Python does not know: an infinity that knows how it was written."""

    _written: str

    def __new__(cls, written: str) -> Self:
        self = super().__new__(cls, math.inf)
        self._written = written
        return self

    @override
    def __str__(self) -> str:
        return self._written


def _integer(number: str) -> int | float:
    try:
        return int(number)
    except ValueError:  # Python reads no number of thousands of digits
        return _UnusableNumber(number)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite)
_LENIENT_DECODER = json.JSONDecoder(parse_constant=_UnusableNumber, parse_int=_integer)
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
