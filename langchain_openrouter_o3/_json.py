"""Telling JSON's objects and arrays from everything else, for readers and type checkers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeIs


def is_object(value: Any) -> TypeIs[dict[str, Any]]:
    """Whether a decoded value is a JSON object; its keys are strings then."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeIs[list[Any]]:
    """Whether a decoded value is a JSON array."""
    return isinstance(value, list)
