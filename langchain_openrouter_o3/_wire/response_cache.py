"""What the headers of an answer tell of OpenRouter's cache of answers.

Source: https://openrouter.ai/docs/guides/features/response-caching
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "x-openrouter-cache-"
_SECONDS = ("age", "ttl")
_MOST_DIGITS = 15  # Python refuses to read a number of thousands


def read_response_cache(headers: Mapping[str, str]) -> dict[str, Any]:
    """Read whether an answer came from the cache.

    Args:
        headers: Response headers, lower-case names.

    Returns:
        `status` ("hit" or "miss"), `age` and `ttl` in seconds, and `source_id`, the generation
        that filled the cache; what the headers do not tell is absent.
    """
    told: dict[str, Any] = {}
    for name in ("status", *_SECONDS, "source-id"):
        text = headers.get(f"{_PREFIX}{name}")
        if text:
            told[name.replace("-", "_")] = (
                int(text) if name in _SECONDS and _is_count(text) else text
            )
    if "status" in told:
        told["status"] = told["status"].lower()
    return told


def is_hit(metadata: Mapping[str, Any]) -> bool:
    """Whether the metadata of a message say that it came from the cache."""
    told: Any = metadata.get("response_cache")
    return is_object(told) and told.get("status") == "hit"


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS
