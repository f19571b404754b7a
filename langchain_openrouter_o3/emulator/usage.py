"""The `usage` object: tokens, and what they cost.

OpenRouter sends it with every answer, asked for or not
(https://openrouter.ai/docs/guides/guides/usage-accounting).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.catalogue import WEB_SEARCH_PRICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_openrouter_o3.emulator.catalogue import Price
    from langchain_openrouter_o3.emulator.json_value import JsonObject

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


@dataclass(frozen=True)
class Usage:
    """The tokens of one answer; reasoning tokens are completion tokens too."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    web_searches: int
    price: Price

    @property
    def prompt_cost(self) -> Decimal:
        """What the input costs, in USD."""
        price, cached = Decimal(self.price.prompt), self.price.input_cache_read
        fresh = self.prompt_tokens - self.cached_tokens
        return fresh * price + self.cached_tokens * (price if cached is None else Decimal(cached))

    @property
    def completion_cost(self) -> Decimal:
        """What the output costs, in USD."""
        return self.completion_tokens * Decimal(self.price.completion)

    @property
    def cost(self) -> Decimal:
        """What the answer costs, in USD; a web search has its own price."""
        return (
            self.prompt_cost + self.completion_cost + self.web_searches * Decimal(WEB_SEARCH_PRICE)
        )

    def free(self) -> Usage:
        """Return the usage of an answer that nobody had to give again."""
        return Usage(0, 0, 0, 0, 0, self.price)

    def to_json(self) -> JsonObject:
        """Return the object, its keys in OpenRouter's order."""
        usage: JsonObject = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "cost": float(self.cost),
            "is_byok": False,
            "prompt_tokens_details": {
                "cached_tokens": self.cached_tokens,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {
                "upstream_inference_cost": float(self.cost),
                "upstream_inference_prompt_cost": float(self.prompt_cost),
                "upstream_inference_completions_cost": float(self.completion_cost),
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "image_tokens": 0,
                "audio_tokens": 0,
            },
        }
        if self.web_searches:
            usage["server_tool_use_details"] = {"web_search_requests": self.web_searches}
        return usage
