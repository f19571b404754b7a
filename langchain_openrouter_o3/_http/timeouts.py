"""Time-outs in seconds, in every form that a caller may write. httpx is imported on first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
"""o3-mini may think for minutes before its first byte, so reading is patient."""


@cache
def default_timeout() -> httpx.Timeout:
    """Return the time-out of a model that was given none."""
    import httpx  # noqa: PLC0415 - see the module

    return httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)


def check_timeout(value: Any) -> Any:
    """Check a time-out and bring a mapping of its parts into httpx's form.

    Args:
        value: Seconds, an `httpx.Timeout`, its parts by name, or None for no limit.

    Raises:
        ValueError: It is something else.
    """
    import httpx  # noqa: PLC0415 - see the module

    if value is None or isinstance(value, httpx.Timeout):
        return value
    try:
        if is_object(value):
            return httpx.Timeout(**value)
        if not isinstance(value, bool) and value > 0:
            return float(value)
    except (TypeError, ValueError):
        pass  # neither a number nor the parts of a time-out: said below
    raise ValueError(
        "timeout is in seconds: a positive number, an httpx.Timeout (or its parts by name), or None"
    )


def check_limit(value: Any, name: str) -> float | None:
    """Check a time limit of a whole call.

    Args:
        value: Seconds, or None for no limit.
        name: Of the argument.

    Raises:
        ValueError: It is something else.
    """
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ValueError(f"{name} is in seconds: a positive number, or None for no limit")
    return float(value)


def plain_timeout(value: Any) -> Any:
    """Write a time-out as JSON can hold it: seconds, its parts by name, or None."""
    return value.as_dict() if hasattr(value, "as_dict") else value


def to_timeout(value: Any) -> httpx.Timeout:
    """Make the time-out of one request.

    Raises:
        ValueError: See `check_timeout`.
    """
    import httpx  # noqa: PLC0415 - see the module

    checked = check_timeout(value)
    return checked if isinstance(checked, httpx.Timeout) else httpx.Timeout(checked)
