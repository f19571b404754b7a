"""The provider's prompt cache.

OpenAI caches prefixes of 1,024 tokens and more in steps of 128
(https://platform.openai.com/docs/guides/prompt-caching). Here, a prefix is known by its digest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.tokens import BYTES_PER_TOKEN, count_prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
