"""Time-outs in seconds, in every form that a caller may write. httpx is imported on first use."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
"""o3-mini may think for minutes before its first byte, so reading is patient."""

MAX_SECONDS = 1e9
"""More than thirty years; sockets and locks take no time-out above 292."""


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

    httpx2 = sys.modules.get("httpx2")  # nobody passes one who has not imported it
    if httpx2 is not None and isinstance(value, httpx2.Timeout):
        value = httpx.Timeout(**value.as_dict())
    try:
        if value is None:
            return None
        if is_object(value):
            value = httpx.Timeout(**value)
        if isinstance(value, httpx.Timeout):
            if all(part is None or _is_wait(part) for part in value.as_dict().values()):
                return value
        elif _is_wait(value):
            return float(value)
    except (TypeError, ValueError):
        pass  # not the parts of a time-out: said below
    raise ValueError(
        "timeout is in seconds: a positive number up to 1e9, an httpx.Timeout (or its parts by "
        "name), or None for no limit"
    )


def _is_wait(value: Any) -> bool:
    """Whether a value is a number of seconds that sockets and locks can wait."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= MAX_SECONDS


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
    if not _is_wait(value):
        raise ValueError(f"{name} is in seconds: a positive number up to 1e9, or None for no limit")
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


class StepLimit:
    """When the step under way must be over; one serves all time-outs of a request.

    Attributes:
        ends_at: On the clock of `time.monotonic`, in seconds; None for no limit.
    """

    ends_at: float | None = None

    def start(self, seconds: float | None) -> None:
        """Begin a step that may take these seconds."""
        self.ends_at = None if seconds is None else time.monotonic() + seconds


class LimitedTimeout(float):
    """The time-out of a phase in seconds, which also ends with the step under way.

    httpcore hands a time-out on to each read and write, where a plain number would start anew:
    a head that comes byte by byte would outlast any limit.
    """

    limit: StepLimit


def limited(seconds: float | None, limit: StepLimit) -> LimitedTimeout:
    """Make the time-out of a phase; None is one that ends with the step alone."""
    timeout = LimitedTimeout(MAX_SECONDS if seconds is None else seconds)
    timeout.limit = limit
    return timeout


def seconds_left(timeout: float | None) -> float | None:
    """Return the seconds that a read or write may take now."""
    if not isinstance(timeout, LimitedTimeout) or timeout.limit.ends_at is None:
        return timeout
    return min(float(timeout), timeout.limit.ends_at - time.monotonic())
