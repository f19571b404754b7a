"""When to try again, and how long to wait first. Pure values: no clock, no I/O.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

from typing import NamedTuple

RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})

JITTER = 0.25
"""Share of a wait that chance decides, so that clients do not come back in step."""


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
            retry_after: Seconds that the server asked for; zero is no wait, but a back-off.
            retryable: The verdict of the server or of the transport; beats the status.
            jitter: A random number in [0, 1).

        Returns:
            Seconds, or None.
        """
        wanted = retryable if retryable is not None else status in RETRIED_STATUSES
        if not wanted or attempt > self.max_retries:
            return None
        if (
            retry_after
        ):  # none, or a moment that is past: a server that says so is busy all the same
            named = retry_after * (1 + JITTER * jitter)  # never sooner than it asks for
            return named if retry_after <= self.max_retry_after else None
        backoff = min(self.max_delay, self.initial_delay * 2.0 ** min(attempt - 1, 32))
        return float(backoff * (1 - JITTER * jitter))
