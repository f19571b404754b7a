"""The formats of strings: what is valid, what to look for in a prompt, and an example.

The names are JSON Schema's, the syntax is that of RFC 3339, ISO 8601 and the RFCs of the network
(https://json-schema.org/draft/2020-12/json-schema-validation#name-defined-formats).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_DAYS = r"(?:\d+Y)?(?:\d+M)?(?:\d+D)?"
_HOURS = r"T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?"
_DURATION = rf"P(?:\d+W|(?=\d|T){_DAYS}(?:{_HOURS})?)"
_EMAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_UUID = r"[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}"


@dataclass(frozen=True)
class Format:
    """A format of strings; `look` finds texts in a prompt that may have it."""

    example: str
    look: re.Pattern[str]
    is_valid: Callable[[str], bool]

    def find(self, text: str) -> str | None:
        """Return the first part of a text that has the format."""
        return next(filter(self.is_valid, self._candidates(text)), None)

    def _candidates(self, text: str) -> Iterator[str]:
        for hit in self.look.finditer(text):
            yield hit[0]
            # People leave out the time zone, which RFC 3339 demands.
            yield f"{hit[0]}Z"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    if not re.fullmatch(_DAY, text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    day, _, clock = text.partition("T")
    return _is_date(day) and _is_time(clock)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


_is_time = _matches(f"(?a:{_CLOCK}{_ZONE})")

FORMATS = {
    "date": Format("2025-01-31", re.compile(rf"\b{_DAY}\b"), _is_date),
    "date-time": Format(
        "2025-01-31T12:00:00Z", re.compile(rf"\b{_DAY}T{_CLOCK}{_ZONE}?"), _is_date_time
    ),
    "duration": Format("P1D", re.compile(rf"\b{_DURATION}\b"), _matches(f"(?a:{_DURATION})")),
    "email": Format("ada@example.com", re.compile(_EMAIL), _matches(_EMAIL)),
    "hostname": Format(
        "example.com",
        re.compile(rf"\b(?:{_LABEL}\.)+[A-Za-z]{{2,63}}\b"),
        _matches(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"),
    ),
    "ipv4": Format(
        "192.0.2.1",
        re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
        lambda text: _is_address(text, 4),
    ),
    "ipv6": Format(
        "2001:db8::1",
        re.compile(r"(?<![\w:])[\dA-Fa-f]{0,4}(?::[\dA-Fa-f]{0,4}){2,7}"),
        lambda text: _is_address(text, 6),
    ),
    "time": Format("12:00:00Z", re.compile(rf"\b{_CLOCK}{_ZONE}?"), _is_time),
    "uri": Format(
        "https://example.com/",
        re.compile(r"https?://[^\s\"'<>)]+"),
        _matches(r"[A-Za-z][A-Za-z0-9+.-]*:\S+"),
    ),
    "uuid": Format(
        "00000000-0000-4000-8000-000000000000", re.compile(rf"\b{_UUID}\b"), _matches(_UUID)
    ),
}
