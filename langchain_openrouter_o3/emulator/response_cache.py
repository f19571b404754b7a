"""OpenRouter's cache of answers: exact repetitions are free.

Headers of a request ask for it (https://openrouter.ai/docs/guides/features/response-caching). The
key holds every byte of the body, so another order of JSON keys is another request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_openrouter_o3.emulator.completion import Completion

_DEFAULT_SECONDS = 300
_MOST_SECONDS = 86_400
_SWITCH = {"true": True, "false": False, "": False}


@dataclass(frozen=True)
class CacheWish:
    """What a request asks of the cache.

    Attributes:
        key: Of the request.
        ttl: Seconds for which its answer is kept.
        clear: Whether an answer that is kept is to be forgotten first.
    """

    key: str
    ttl: int
    clear: bool

    @classmethod
    def of_request(cls, headers: Mapping[str, str], raw: bytes) -> CacheWish | None:
        """Read the headers of a request; None if it asks for nothing.

        Raises:
            ApiError: A header has no value that OpenRouter knows.
        """
        ttl = _seconds(headers.get("x-openrouter-cache-ttl", ""))
        clear = _switch(headers, "x-openrouter-cache-clear")
        if not _switch(headers, "x-openrouter-cache"):
            return None
        key = hashlib.sha256(headers["authorization"].encode() + b"\0" + raw).hexdigest()
        return cls(key, ttl, clear)


@dataclass(frozen=True)
class KeptAnswer:
    """An answer in the cache."""

    completion: Completion
    since: float
    ttl: int


class ResponseCache:
    """The answers that are kept, and the clock that ends their time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start empty; the clock counts seconds."""
        self._clock = clock
        self._kept: dict[str, KeptAnswer] = {}

    def find(self, wish: CacheWish) -> KeptAnswer | None:
        """Return the answer that is kept for a request, if its time has not ended."""
        kept = self._kept.get(wish.key)
        if kept is None or wish.clear or self.age(kept) >= kept.ttl:
            return None
        return kept

    def age(self, kept: KeptAnswer) -> int:
        """Return how many whole seconds ago an answer was kept."""
        return int(self._clock() - kept.since)

    def keep(self, wish: CacheWish, completion: Completion) -> None:
        """Keep an answer that was sent whole."""
        self._kept[wish.key] = KeptAnswer(completion, self._clock(), wish.ttl)

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()

    def headers(self, wish: CacheWish, kept: KeptAnswer | None) -> dict[str, str]:
        """Return what the answer's headers tell."""
        if kept is None:
            return {"x-openrouter-cache-status": "MISS", "x-openrouter-cache-ttl": str(wish.ttl)}
        return {
            "x-openrouter-cache-status": "HIT",
            "x-openrouter-cache-age": str(self.age(kept)),
            "x-openrouter-cache-ttl": str(kept.ttl),
            "x-openrouter-cache-source-id": kept.completion.id,
        }


def _switch(headers: Mapping[str, str], name: str) -> bool:
    value = headers.get(name, "").lower()
    if value not in _SWITCH:
        raise BadRequestError(f"{name}: Invalid input: expected true or false")
    return _SWITCH[value]


def _seconds(value: str) -> int:
    if not value:
        return _DEFAULT_SECONDS
    if not value.isdecimal() or not 1 <= int(value) <= _MOST_SECONDS:
        raise BadRequestError(
            "x-openrouter-cache-ttl: Invalid input: expected an integer between 1 and "
            f"{_MOST_SECONDS}"
        )
    return int(value)
