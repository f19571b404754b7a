"""Token usage and cost.

Source: https://openrouter.ai/docs/use-cases/usage-accounting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_openrouter_o3._json import LARGEST, is_object
from langchain_openrouter_o3._wire.parsing import parse_count
from langchain_openrouter_o3._wire.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import UsageMetadata

_COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
}
_DETAILS = {
    "prompt_tokens_details": (
        "input_token_details",
        {
            "cached_tokens": "cache_read",
            "cache_write_tokens": "cache_creation",
            "audio_tokens": "audio",
            "video_tokens": "video",
        },
    ),
    "completion_tokens_details": (
        "output_token_details",
        {
            "reasoning_tokens": "reasoning",
            "audio_tokens": "audio",
            "image_tokens": "image",
            "accepted_prediction_tokens": "accepted_prediction",
            "rejected_prediction_tokens": "rejected_prediction",
        },
    ),
}


def usage_from_wire(usage: dict[str, Any]) -> tuple[UsageMetadata | None, dict[str, Any]]:
    """Split `usage` into LangChain's token counts and the rest (cost, `is_byok`, …).

    Args:
        usage: OpenRouter's usage object.

    Returns:
        The counts, or None if the prompt's or the answer's is missing; and what belongs into
        `response_metadata`: there the whole object stands as `usage`, too, if anything in it is
        missing or no count.
    """
    rest = {
        key: value
        for key, value in usage.items()
        if key not in _COUNTS and key not in _DETAILS and value is not None
    }
    counts, whole = _read_counts(usage, _COUNTS)
    for field, (key, names) in _DETAILS.items():
        details = usage.get(field)
        if is_object(details):
            found, readable = _read_counts(details, names, others=True)
            if found:
                counts[key] = found
        else:
            readable = details is None
        whole = whole and readable
    if "input_tokens" not in counts or "output_tokens" not in counts:
        return None, {**rest, "usage": usage}
    counts.setdefault("total_tokens", counts["input_tokens"] + counts["output_tokens"])
    return cast("UsageMetadata", counts), rest if whole else {**rest, "usage": usage}


def _read_counts(
    found: dict[str, Any], names: dict[str, str], *, others: bool = False
) -> tuple[dict[str, Any], bool]:
    """Read counts under LangChain's names and say whether each that came is one."""
    counts: dict[str, Any] = {}
    whole = True
    for key, value in found.items():
        if value is None or not (others or key in names):
            continue
        count = value if type(value) is int and 0 <= value <= LARGEST else parse_count(value)
        if count is None:
            whole = False
        else:
            # Core's counts refuse a name that is not Unicode.
            counts[names.get(key) or printable(key)] = count
    return counts, whole


_CACHE_HEADERS = "x-openrouter-cache-"
_SECONDS = ("age", "ttl")
_MOST_DIGITS = 15  # Python refuses to read a number of thousands


def read_response_cache(headers: Mapping[str, str]) -> dict[str, Any]:
    """Read from its headers whether an answer came from OpenRouter's cache of answers.

    Source: https://openrouter.ai/docs/guides/features/response-caching

    Args:
        headers: Response headers, lower-case names.

    Returns:
        `status` ("hit" or "miss"), `age` and `ttl` in seconds, and `source_id`, the generation
        that filled the cache; what the headers do not tell is absent.
    """
    told: dict[str, Any] = {}
    for name in ("status", *_SECONDS, "source-id"):
        text = headers.get(f"{_CACHE_HEADERS}{name}")
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
