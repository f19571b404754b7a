"""Reading JSON that a server may have got wrong.

Null and absent mean the same and are always tolerated; a value of the wrong type is an error
that names the field, never a guess.
"""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError


def parse_text(value: Any, path: str) -> str:
    """Read a string; null is empty, a list of text parts is joined.

    Raises:
        OpenRouterMalformedResponseError: It is something else.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if is_array(value):
        parts = [parse_mapping(part, f"{path}[]") for part in value]
        return "".join(parse_text(part.get("text"), f"{path}[].text") for part in parts)
    raise _wrong(value, path, "text")


def parse_mapping(value: Any, path: str) -> dict[str, Any]:
    """Read an object; null is an empty one.

    Raises:
        OpenRouterMalformedResponseError: It is something else.
    """
    if is_object(value):
        return value
    if value is None:
        return {}
    raise _wrong(value, path, "an object")


def parse_list(value: Any, path: str) -> list[Any]:
    """Read a list; null is an empty one.

    Raises:
        OpenRouterMalformedResponseError: It is something else.
    """
    if is_array(value):
        return value
    if value is None:
        return []
    raise _wrong(value, path, "a list")


def parse_count(value: Any, path: str) -> int | None:
    """Read a whole number; some servers write it with a decimal point.

    Raises:
        OpenRouterMalformedResponseError: It is something else.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _wrong(value, path, "a whole number")


def _wrong(value: Any, path: str, wanted: str) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(
        f"Malformed answer: {path} should be {wanted}, but is {type(value).__name__}."
    )
