"""Token usage and cost.

Source: https://openrouter.ai/docs/use-cases/usage-accounting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_openrouter_o3._wire.values import parse_count, parse_mapping

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

_INPUT_DETAILS = {
    "cached_tokens": "cache_read",
    "cache_write_tokens": "cache_creation",
    "audio_tokens": "audio",
    "video_tokens": "video",
}
_OUTPUT_DETAILS = {
    "reasoning_tokens": "reasoning",
    "audio_tokens": "audio",
    "image_tokens": "image",
    "accepted_prediction_tokens": "accepted_prediction",
    "rejected_prediction_tokens": "rejected_prediction",
}
_COUNTED = frozenset(
    {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }
)


def usage_from_wire(usage: dict[str, Any]) -> tuple[UsageMetadata | None, dict[str, Any]]:
    """Split `usage` into LangChain's token counts and the rest (cost, `is_byok`, …).

    Args:
        usage: OpenRouter's usage object.

    Returns:
        The counts, or None if the prompt's or the answer's is missing (then the rest keeps
        the whole object as `usage`), and what belongs into `response_metadata`.

    Raises:
        OpenRouterMalformedResponseError: A count is not a whole number.
    """
    rest = {key: value for key, value in usage.items() if key not in _COUNTED and value is not None}
    prompt = parse_count(usage.get("prompt_tokens"), "usage.prompt_tokens")
    completion = parse_count(usage.get("completion_tokens"), "usage.completion_tokens")
    total = parse_count(usage.get("total_tokens"), "usage.total_tokens")
    if prompt is None or completion is None:
        return None, {**rest, "usage": usage}
    counts: dict[str, Any] = {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": total if total is not None else prompt + completion,
    }
    for key, field, names in (
        ("input_token_details", "prompt_tokens_details", _INPUT_DETAILS),
        ("output_token_details", "completion_tokens_details", _OUTPUT_DETAILS),
    ):
        details = _details(usage.get(field), field, names)
        if details:
            counts[key] = details
    return cast("UsageMetadata", counts), rest


def _details(value: Any, field: str, names: dict[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, item in parse_mapping(value, f"usage.{field}").items():
        count = item if type(item) is int else parse_count(item, f"usage.{field}.{key}")
        if count is not None:
            # Core's counts refuse a name that is not Unicode.
            found[names.get(key, key).encode("utf-8", "replace").decode()] = count
    return found
