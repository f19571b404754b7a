"""When to try again, and how long to wait first. Pure values: no clock, no I/O.

Sources: https://openrouter.ai/docs/api-reference/errors and RFC 9110 section 10.2.3.
"""

from __future__ import annotations

from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})


class RetryPolicy(NamedTuple):
    """How often and how long.

    Attributes:
        max_retries: Attempts beyond the first; 0 means exactly one request.
        initial_delay: Seconds before the first retry when the server names none.
        max_delay: Upper bound of the exponential back-off, in seconds.
        max_retry_after: Longest wait, in seconds, that a server may ask for. Longer means
            give up, never "wait less".
    """

    max_retries: int = 2
    initial_delay: float = 0.5
    max_delay: float = 8.0
    max_retry_after: float = 60.0

    def delay(
        self,
        attempt: int,
        *,
        status: int | None,
        retry_after: float | None,
        retryable: bool | None,
        jitter: float,
    ) -> float | None:
        """Say how long to wait before the next attempt, or None to give up.

        Args:
            attempt: Number of the attempt that failed, from 1.
            status: Its HTTP status, or the code of an error inside a 200 body.
            retry_after: Seconds that the server asked for.
            retryable: The verdict of the server or of the transport; beats the status.
            jitter: A random number in [0, 1), so that clients do not come back in step.

        Returns:
            Seconds, or None.
        """
        wanted = retryable if retryable is not None else status in RETRIED_STATUSES
        if not wanted or attempt > self.max_retries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.max_retry_after else None
        backoff = min(self.max_delay, self.initial_delay * 2.0 ** min(attempt - 1, 32))
        return float(backoff * (1 - 0.25 * jitter))


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long the server asks to wait, in seconds.

    Args:
        headers: Response headers with lower-case names.
        now: Seconds since the epoch, for `Retry-After` as a date.

    Returns:
        Seconds, never negative; None when the headers do not say, or say nonsense.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)  # RFC 9110: HTTP dates are in GMT
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):
        return None  # neither a number nor a date: the same as no header at all


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None
