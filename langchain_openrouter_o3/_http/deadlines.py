"""Time limits that httpx does not have: silence without data, and one limit for all attempts.

Comments keep a connection alive (OpenRouter sends `: OPENROUTER PROCESSING` while a model
thinks), so httpx's read time-out never fires on an answer that makes no progress; and each
attempt starts its time-outs anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from langchain_openrouter_o3.errors import (
    OpenRouterError,
    OpenRouterIdleTimeoutError,
    OpenRouterTotalTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
        late.take_over(error)
        return late

    def _idle_left(self) -> float | None:
        return None if self._limits.idle is None else self._limits.idle - self._silence

    def _total_left(self) -> float | None:
        return None if self._end is None else self._end - self._timer()
