"""Arguments that need another form on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._arguments.settings import ProviderPreferences, Reasoning
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def response_format_to_wire(value: Any, *, warn: bool = True) -> dict[str, Any]:
    """Bring a response format into OpenRouter's form; see `output_schema`.

    Raises:
        OpenRouterInputError: It is not a response format.
    """
    from langchain_openrouter_o3._wire import output_schema  # noqa: PLC0415 - not every call needs it

    try:
        return output_schema.response_format_to_wire(value, warn=warn)
    except OpenRouterInputError as error:
        raise OpenRouterInputError(f"response_format: {error}") from None


def response_format_without_warning(value: Any) -> dict[str, Any]:
    """Do the same for a model's own format: what there is to warn of was said before."""
    return response_format_to_wire(value, warn=False)


def setting_to_wire(value: Reasoning | ProviderPreferences) -> dict[str, Any]:
    """Write one of OpenRouter's own settings."""
    return value.to_wire()


def categories_to_text(value: list[str]) -> str:
    """Write a list as one header."""
    return ",".join(value)


def response_cache_to_headers(value: bool | int) -> dict[str, str]:  # noqa: FBT001 - what it is
    """Write whether answers are cached, and how long.

    Source: https://openrouter.ai/docs/guides/features/response-caching
    """
    if isinstance(value, bool):
        return {"x-openrouter-cache": str(value).lower()}
    return {"x-openrouter-cache": "true", "x-openrouter-cache-ttl": str(value)}


def clear_to_text(value: bool) -> str:  # noqa: FBT001 - what it is
    """Write whether this request clears its place in the cache; there is no other text."""
    return "true" if value else ""


def router_metadata_to_text(value: bool) -> str:  # noqa: FBT001 - what it is
    """Write whether the answer is to say how it was routed."""
    return "enabled" if value else "disabled"


SHORT_SPELLINGS = {
    "reasoning_effort": ("effort", "max_tokens"),
    "include_reasoning": ("exclude",),
}
"""Arguments that stand for keys of the reasoning map, and the keys that each of them sets.

OpenRouter answers 400 when the effort comes twice (LibreChat issue 6076), so one map goes out.
"""


def read_reasoning(arguments: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Read `reasoning`, `reasoning_effort` and `include_reasoning` of one place as one map.

    Raises:
        OpenRouterInputError: They contradict each other.
    """
    reasoning = dict(arguments.get("reasoning") or {})
    effort = arguments.get("reasoning_effort")
    if effort is not None:
        if reasoning.keys() & {"effort", "max_tokens"} and reasoning.get("effort") != effort:
            raise OpenRouterInputError(
                f"reasoning_effort and reasoning both set the effort on {where}; drop one."
            )
        reasoning["effort"] = effort
    include = arguments.get("include_reasoning")
    if include is not None:
        if reasoning.get("exclude") is include:
            raise OpenRouterInputError(
                f"include_reasoning contradicts reasoning.exclude on {where}; drop one."
            )
        reasoning["exclude"] = not include
    return reasoning or None


def merge_reasoning(defaults: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make one map of all spellings; a call's map replaces the model's."""
    base = read_reasoning(defaults, "the model")
    if "reasoning" in call:
        base = None
    override = read_reasoning(call, "the call")
    if override is None:
        forgotten = "reasoning_effort" in call  # None takes the effort out
        return {k: v for k, v in (base or {}).items() if not (forgotten and k == "effort")} or None
    kept = {
        key: value
        for key, value in (base or {}).items()
        if not (override.keys() & {"effort", "max_tokens"} and key in ("effort", "max_tokens"))
    }
    return {**kept, **override}


def without_overridden(kept: dict[str, Any], named: Collection[str]) -> dict[str, Any]:
    """Take out of bound arguments what a later spelling says anew."""
    if "reasoning" in named:
        return {name: value for name, value in kept.items() if name not in SHORT_SPELLINGS}
    lost = {key for name in named for key in SHORT_SPELLINGS.get(name, ())}
    reasoning = kept.get("reasoning")
    if isinstance(reasoning, Reasoning):
        reasoning = reasoning.to_wire()
    if lost and is_object(reasoning):
        rest = {key: value for key, value in reasoning.items() if key not in lost}
        return {**kept, "reasoning": rest}
    return kept
