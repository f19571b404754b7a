"""Counting tokens without a tokenizer.

A token is four bytes of UTF-8, rounded up per text, and each text of a prompt (a message, the
tools, the schema) costs three more. OpenAI's own counts are near this for English.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BYTES_PER_TOKEN = 4
_TOKENS_PER_PROMPT_TEXT = 3


def count_tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def count_prompt_tokens(texts: Iterable[str]) -> int:
    """Return how many tokens a prompt has."""
    return sum(count_tokens(text) + _TOKENS_PER_PROMPT_TEXT for text in texts)


def first_tokens(text: str, tokens: int) -> str:
    """Return the beginning of a text that has at most so many tokens, in whole characters."""
    return text.encode("utf-8", "replace")[: tokens * BYTES_PER_TOKEN].decode("utf-8", "ignore")
