"""What OpenRouter remembers: prompts, which then cost less, and whole answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.wire.completion import BYTES_PER_TOKEN, count_prompt_tokens
from langchain_openrouter_o3.emulator.wire.responses import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from langchain_openrouter_o3.emulator.wire.completion import Completion

_STEP = 128
_MINIMUM = 1_024


class PromptCache:
    """The prefixes of all prompts that were answered so far."""

    def __init__(self) -> None:
        """Start empty."""
        self._seen: set[tuple[str, bytes]] = set()

    def cached_tokens(self, slug: str, prompt: Sequence[str]) -> int:
        """Return how many leading tokens of a prompt are known, and learn the whole prompt."""
        prefixes = [(slug, digest) for digest in _prefix_digests("\0".join(prompt))]
        known = 0
        for number, prefix in enumerate(prefixes, start=1):
            if prefix not in self._seen:
                break
            known = number * _STEP
        self._seen.update(prefixes)
        # The prompt is counted text by text, so that the last step may reach over its end.
        within = count_prompt_tokens(prompt) // _STEP * _STEP
        cached = min(known, within)
        return cached if cached >= _MINIMUM else 0


def _prefix_digests(text: str) -> Iterator[bytes]:
    data = text.encode("utf-8", "replace")
    step = _STEP * BYTES_PER_TOKEN
    digest = hashlib.sha256()
    for end in range(step, len(data) + 1, step):
        digest.update(data[end - step : end])
        yield digest.copy().digest()


_DEFAULT_SECONDS = 300
_MOST_SECONDS = 86_400
_SWITCH = {"true": True, "false": False, "": False}


@dataclass(frozen=True)
class CacheOptions:
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
    def of_request(cls, headers: Mapping[str, str], raw: bytes) -> CacheOptions | None:
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

    def find(self, options: CacheOptions) -> KeptAnswer | None:
        """Return the answer that is kept for a request, if its time has not ended."""
        kept = self._kept.get(options.key)
        if kept is None or options.clear or self.age(kept) >= kept.ttl:
            return None
        return kept

    def age(self, kept: KeptAnswer) -> int:
        """Return how many whole seconds ago an answer was kept."""
        return int(self._clock() - kept.since)

    def keep(self, options: CacheOptions, completion: Completion) -> None:
        """Keep an answer that was sent whole."""
        self._kept[options.key] = KeptAnswer(completion, self._clock(), options.ttl)

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()

    def headers(self, options: CacheOptions, kept: KeptAnswer | None) -> dict[str, str]:
        """Return what the answer's headers tell."""
        if kept is None:
            return {"x-openrouter-cache-status": "MISS", "x-openrouter-cache-ttl": str(options.ttl)}
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
