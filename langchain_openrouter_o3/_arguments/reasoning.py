"""The reasoning map and its short spellings, of which one goes out.

OpenRouter answers 400 when the effort comes twice (LibreChat issue 6076).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.settings import Reasoning

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SHORT_SPELLINGS = {
    "reasoning_effort": ("effort", "max_tokens"),
    "include_reasoning": ("exclude",),
}
"""Arguments that stand for keys of the map, and the keys that each of them sets anew."""


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
