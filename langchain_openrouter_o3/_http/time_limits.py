"""Time limits: the forms in which callers give them, and what is left of them during a call.

Two of them httpx does not have: silence without data, and one limit for all attempts. Comments
keep a connection alive (OpenRouter sends `: OPENROUTER PROCESSING` while a model thinks), so
httpx's read time-out never fires on an answer that makes no progress; and each attempt starts its
time-outs anew. httpx is imported on first use.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import (
    OpenRouterError,
    OpenRouterIdleTimeoutError,
    OpenRouterTotalTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
"""o3-mini may think for minutes before its first byte, so reading is patient."""

_LIBRARIES_SECONDS = 5.0

MAX_SECONDS = 1e9
"""More than thirty years; sockets and locks take no time-out above 292."""


@cache
def default_timeout() -> httpx.Timeout:
    """Return the time-out of a model that was given none."""
    import httpx  # noqa: PLC0415 - see the module

    return httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)


def clients_timeout(client: Any) -> Any:
    """Return the time-out that a client of httpx or httpx2 was given.

    None if there is no client, or it has its library's own time-out, which nobody chose.
    """
    timeout = getattr(client, "timeout", None)
    if timeout is None or {*timeout.as_dict().values()} == {_LIBRARIES_SECONDS}:
        return None
    return timeout


def check_timeout(value: Any) -> Any:
    """Check a time-out and bring a mapping of its parts into httpx's form.

    Args:
        value: Seconds, an `httpx.Timeout`, its parts by name, or None for no limit.

    Raises:
        ValueError: It is something else.
    """
    import httpx  # noqa: PLC0415 - see the module

    httpx2 = sys.modules.get("httpx2")  # whoever passes one has imported it
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


# A socket's time-out may end a moment before our clock says so.
_TOLERANCE = 0.01


class TimeLimits(NamedTuple):
    """The limits of one call, in seconds; None means no limit.

    Attributes:
        idle: Longest wait for data. Comments and padding are not data.
        total: Longest duration of the whole call: attempts, waits between them, the stream.
    """

    idle: float | None = None
    total: float | None = None


NO_LIMITS = TimeLimits()


class Deadlines:
    """What is left of a call's time limits."""

    def __init__(self, limits: TimeLimits, timer: Callable[[], float]) -> None:
        """Start the total limit now.

        Args:
            limits: Of the call.
            timer: A monotonic clock, in seconds.
        """
        self.unlimited = limits == NO_LIMITS
        self._limits = limits
        self._timer = timer
        self._end = None if limits.total is None else timer() + limits.total
        self._silence = 0.0
        self._waits_since = 0.0
        self._may_wait: float | None = None
        self._late: OpenRouterError | None = None

    def start_attempt(self) -> None:
        """Start the idle limit anew."""
        self._silence = 0.0
        self._late = None

    def note_data(self) -> None:
        """Start the idle limit anew, because the answer made progress."""
        self._silence = 0.0

    def start_waiting(self) -> float | None:
        """Begin to wait for the server, and return the seconds that this may last.

        Only waiting counts as silence: a slow reader must not be taken for a slow server.
        """
        self._waits_since = self._timer()
        lefts = [left for left in (self._idle_left(), self._total_left()) if left is not None]
        self._may_wait = min(lefts, default=None)
        return self._may_wait

    def stop_waiting(self) -> None:
        """End a wait: a piece of the answer came, or a failure."""
        waited = self._timer() - self._waits_since
        self._silence += waited
        if self._may_wait is not None and waited >= self._may_wait:
            # Data that comes at the last moment is read, but its connection may be shut down.
            self._late = self.exceeded()

    @property
    def is_late(self) -> bool:
        """Whether the last wait used its limit up, whatever came at its end."""
        return self._late is not None

    def exceeded(self) -> OpenRouterError | None:
        """Return the time-out of the limit that is used up, if one is."""
        if self._late is not None:
            return self._late
        total, idle = self._total_left(), self._idle_left()
        if total is not None and total <= _TOLERANCE:
            return OpenRouterTotalTimeoutError(
                f"The call took longer than total_timeout={self._limits.total:g} s; raise it, or "
                "ask for less at once."
            )
        if idle is not None and idle <= _TOLERANCE:
            return OpenRouterIdleTimeoutError(
                f"No data came for idle_timeout={self._limits.idle:g} s. (Comments are not data; "
                "a reasoning model may think for minutes before it writes.) Raise the limit, or "
                "lower reasoning_effort."
            )
        return None

    def no_time_to_wait(
        self, seconds: float, error: OpenRouterError
    ) -> OpenRouterTotalTimeoutError | None:
        """Return the time-out of a wait for another attempt that would end too late.

        Args:
            seconds: To wait before the next attempt.
            error: How the last attempt ended; all that it tells stays known.
        """
        left = self._total_left()
        if left is None or seconds < left:
            return None
        late = OpenRouterTotalTimeoutError(
            f"total_timeout={self._limits.total:g} s leaves no time for another attempt in "
            f"{seconds:.3g} s, after: {error}"
        )
        late.copy_facts_from(error)
        return late

    def _idle_left(self) -> float | None:
        return None if self._limits.idle is None else self._limits.idle - self._silence

    def _total_left(self) -> float | None:
        return None if self._end is None else self._end - self._timer()
