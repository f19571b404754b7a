"""What each o-series model can do and what it costs.

Facts from OpenRouter's `GET /models` (https://openrouter.ai/docs/api-reference/list-available-models).
An unknown slug has no entry, and then nothing is withheld from the request.
"""

from __future__ import annotations

import difflib
from functools import cache, lru_cache
from typing import NamedTuple

from langchain_core.language_models import ModelProfile

EFFORTS = ("low", "medium", "high")


class Prices(NamedTuple):
    """USD per million tokens."""

    input: float
    output: float
    cached_input: float | None = None


class ModelFacts(NamedTuple):
    """One model as OpenRouter serves it.

    Attributes:
        name: How a person calls it.
        prices: What it costs.
        image_inputs: Whether it sees images.
        efforts: Accepted reasoning efforts. Measured on o3: "none" and `enabled: false` are
            refused although `/models` says that reasoning is not mandatory.
        default_effort: The effort when none is asked for.
        max_input_tokens: Context window, in tokens.
        max_output_tokens: Longest answer with its hidden reasoning, in tokens.
        min_max_tokens: Smallest accepted `max_tokens`.
        release_date: ISO 8601.
    """

    name: str
    prices: Prices
    release_date: str
    image_inputs: bool = True
    efforts: tuple[str, ...] = EFFORTS
    default_effort: str = "medium"
    max_input_tokens: int = 200_000
    max_output_tokens: int = 100_000
    min_max_tokens: int = 16


_O3_MINI = Prices(1.10, 4.40, 0.55)
_FACTS = {
    "openai/o3-mini": ModelFacts("o3-mini", _O3_MINI, "2025-01-31", image_inputs=False),
    "openai/o3-mini-high": ModelFacts(
        "o3-mini (high)",
        _O3_MINI,
        "2025-01-31",
        image_inputs=False,
        efforts=("high",),
        default_effort="high",
    ),
    "openai/o3": ModelFacts("o3", Prices(2.00, 8.00, 0.50), "2025-04-16"),
    "openai/o3-pro": ModelFacts("o3-pro", Prices(20.00, 80.00), "2025-06-10"),
    "openai/o4-mini": ModelFacts("o4-mini", Prices(1.10, 4.40, 0.275), "2025-04-16"),
    "openai/o4-mini-high": ModelFacts(
        "o4-mini (high)",
        Prices(1.10, 4.40, 0.275),
        "2025-04-16",
        efforts=("high",),
        default_effort="high",
    ),
}


def known_models() -> dict[str, ModelFacts]:
    """Return what is known of each model, by its slug."""
    return dict(_FACTS)


@lru_cache(maxsize=64)
def model_facts(slug: str) -> ModelFacts | None:
    """Look a model up by its slug; a preset, a routing suffix (`:nitro`) and a date do not matter.

    Args:
        slug: As sent, such as `"openai/o3-mini@preset/mine"` or
            `"openai/o3-mini-2025-01-31:online"`.

    Returns:
        The facts, or None for a model that this package does not know, as that of a preset alone.
    """
    base = slug.partition("@preset/")[0].partition(":")[0]
    known = _FACTS.get(base)
    if known is not None:
        return known
    return next(
        (facts for name, facts in _FACTS.items() if base == f"{name}-{facts.release_date}"), None
    )


def nearest_slug(slug: str) -> str | None:
    """Return the known slug that is likely meant; None for a known one, or one like no other.

    Args:
        slug: As sent; the author is what people forget (`"o3-mini"`).
    """
    if model_facts(slug) is not None:
        return None
    whole = slug if "/" in slug else f"openai/{slug}"
    if model_facts(whole) is not None:
        return whole
    return next(iter(difflib.get_close_matches(whole, _FACTS, n=1, cutoff=0.85)), None)


def langchain_profile(slug: str) -> ModelProfile | None:
    """Describe a model in LangChain's terms; the caller may change what it gets.

    Source: https://docs.langchain.com/oss/python/langchain/models#model-profiles
    """
    facts = model_facts(slug)
    if facts is None:
        return None
    return {**_profiles()[facts.name], "reasoning_effort_levels": list(facts.efforts)}


@cache
def _profiles() -> dict[str, ModelProfile]:
    return {facts.name: _profile_of(facts) for facts in _FACTS.values()}


def _profile_of(facts: ModelFacts) -> ModelProfile:
    return {
        "name": facts.name,
        "release_date": facts.release_date,
        "open_weights": False,
        "max_input_tokens": facts.max_input_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "text_inputs": True,
        "image_inputs": facts.image_inputs,
        "image_url_inputs": facts.image_inputs,
        "pdf_inputs": True,
        "audio_inputs": False,
        "video_inputs": False,
        "image_tool_message": False,
        "pdf_tool_message": False,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": True,
        "reasoning_effort_levels": list(facts.efforts),
        "reasoning_effort_default": facts.default_effort,
        "tool_calling": True,
        "tool_choice": True,
        "structured_output": True,
        "temperature": False,
    }


def is_builtin_profile(profile: ModelProfile) -> bool:
    """Say whether a profile is one of this package's own, for whichever model."""
    return profile == _profiles().get(str(profile.get("name")))
