"""How long a server asks to wait: in a header, in a body, in words. All in seconds.

Sources: https://openrouter.ai/docs/api-reference/errors and RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_SECONDS = 1e9
"""More is nonsense, or a date that was taken for a duration."""

_FIRST_DATE = 1e9
"""Seconds since the epoch from which on a number is a date (2001); a limit ends sooner."""
_FIRST_DATE_MS = 1e11

_COMMA = r"\s*,\s*(?![0-9]{1,2}[ -][A-Za-z]{3})"  # not that of a date: `Wed, 21 Oct`
_RESETS = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
# Compiled by `re` at the first error, so that importing the package stays fast.
_PART = (
    r"(\d{1,9}(?:\.\d{1,9})?)\s*"
    r"(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])"
)
_PARTS = rf"(?:{_PART}[\s,]*(?:and\s+)?)+"
# What is asked for, and not how long something took: "available for 90 s", "wait exceeded 20 s".
_OTHERWISE = "per|every|each|of|than|waiting|exceeded|exceeds|reached|failed"
_IN_WORDS = (
    r"\b(again|retry|retrying|wait|resets?|available(?![\s:-]+for\b))\b"
    rf"(?:[\s:(-]+(?!(?:{_OTHERWISE})\b)[a-z]+){{0,5}}[\s:~-]+"
    rf"({_PARTS})"
)
_OVER = r"\s*(?:(?:was|were|is|has|have|had|been)\s+)*(?:exceeded|elapsed|expired|passed)\b"


def first_wait(waits: Iterable[float | None]) -> float | None:
    """Return the first wait above zero; zero if no other was named."""
    said = [wait for wait in waits if wait is not None]
    return next((wait for wait in said if wait > 0), said[0] if said else None)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Read `Retry-After` and `retry-after-ms`.

    Args:
        headers: Response headers with lower-case names.
        now: Seconds since the epoch, for `Retry-After` as a date.

    Returns:
        Seconds, never negative; None when the headers do not say, or say nonsense.
    """
    milliseconds = _longest(_number, headers.get("retry-after-ms"))
    exact = None if milliseconds is None else sensible(milliseconds / 1000)
    asked = _longest(lambda value: _seconds_until(value, now), headers.get("retry-after"))
    return first_wait([exact, asked])


def _longest(read: Callable[[str], float | None], value: str | None) -> float | None:
    """Read a header, which comes twice where a proxy adds its own: `20, 20`."""
    value = None if value is None else value.strip("\"' \t")
    items = dict.fromkeys(re.split(_COMMA, value) if value is not None else ())
    whole = _duration(value) if value is not None and len(items) > 1 else None  # 1h, 5m
    waits = map(read, items) if whole is None else [whole]
    return max((wait for wait in waits if wait is not None), default=None)


def reset_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Read when a rate limit ends: `X-RateLimit-Reset` and its kin.

    Args:
        headers: As of `retry_after_seconds`.
        now: Seconds since the epoch.

    Returns:
        Seconds, zero for a moment that is past; None when the headers do not say.
    """
    named = [
        *_RESETS,
        *(
            f"x-ratelimit-reset-{kind}"
            for kind in ("requests", "tokens")  # OpenAI's: each limit has its own end
            if _longest(_number, headers.get(f"x-ratelimit-remaining-{kind}")) == 0
        ),
    ]
    ends = (_longest(lambda value: _seconds_until(value, now), headers.get(name)) for name in named)
    return max((end for end in ends if end is not None), default=None)


def _seconds_until(value: str, now: float) -> float | None:
    """Read seconds, a moment as a number, a duration, or a date: HTTP's, or ISO's."""
    number = _number(value)
    if number is None:
        dates = (_until(read, value, now) for read in (parsedate_to_datetime, _iso_date))
        return next((wait for wait in (_duration(value), *dates) if wait is not None), None)
    if number >= _FIRST_DATE_MS:  # OpenRouter writes milliseconds
        number /= 1000
    return sensible(number - now if number >= _FIRST_DATE else number)


def wait_in_words(text: str) -> float | None:
    """Find "try again in 1m2.5s", "retry after 2 minutes" and the like."""
    found = re.search(_IN_WORDS, text, re.IGNORECASE)
    if found is None:
        return None
    is_over = found[1].lower() == "wait" and re.match(_OVER, text[found.end() :], re.IGNORECASE)
    return None if is_over else _sum_of_parts(found[2])


def wait_of_value(value: Any) -> float | None:
    """Read a number of seconds, or a duration such as "20s", from a body."""
    if isinstance(value, str):
        seconds = _number(value)
        return _duration(value) if seconds is None else wait_of_value(seconds)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < MAX_SECONDS else None


def sensible(seconds: float) -> float | None:
    """Return seconds that are not negative; None for more than anybody waits."""
    return max(0.0, seconds) if seconds < MAX_SECONDS else None


def _duration(text: str) -> float | None:
    return _sum_of_parts(text) if re.fullmatch(_PARTS, text.strip(), re.IGNORECASE) else None


def _sum_of_parts(text: str) -> float | None:
    parts = re.findall(_PART, text, re.IGNORECASE)
    return sensible(sum(float(number) * _seconds_of(unit.lower()) for number, unit in parts))


def _seconds_of(unit: str) -> float:
    return 1e-3 if unit.startswith(("ms", "milli")) else _UNITS[unit[0]]


def _until(read: Callable[[str], datetime], value: str, now: float) -> float | None:
    try:
        date = read(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)  # RFC 9110: HTTP dates are in GMT
        return sensible(date.timestamp() - now)
    except (ValueError, OverflowError):
        return None  # neither a number nor a date: the same as no header at all


def _iso_date(value: str) -> datetime:
    return datetime.fromisoformat(value.strip().replace("Z", "+00:00"))


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None
