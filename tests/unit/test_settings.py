"""Settings of the environment, and the facts of models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langchain_openrouter_o3._arguments.fields import WITHHELD
from langchain_openrouter_o3._arguments.settings import (
    MaxPrice,
    Percentiles,
    ProviderPreferences,
    Reasoning,
    SortConfig,
)
from langchain_openrouter_o3.profiles import is_builtin_profile, langchain_profile, model_facts


@pytest.mark.parametrize(
    ("reasoning", "wire"),
    [
        (Reasoning(), {}),
        (Reasoning(effort="high"), {"effort": "high"}),
        (Reasoning(max_tokens=2_000, exclude=False), {"max_tokens": 2_000, "exclude": False}),
        (Reasoning(enabled=True, summary="auto"), {"enabled": True, "summary": "auto"}),
    ],
)
def test_only_what_is_set_is_sent(reasoning: Reasoning, wire: dict[str, Any]) -> None:
    assert reasoning.to_wire() == wire


@pytest.mark.parametrize(
    "arguments",
    [
        {"effort": "xlow"},
        {"effort": "high", "max_tokens": 100},
        {"max_tokens": 0},
        {"newkey": 1},
        {"summary": "long"},
    ],
)
def test_a_reasoning_map_that_openrouter_would_ignore_or_refuse_is_refused(
    arguments: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        Reasoning(**arguments)


def test_provider_preferences_leave_out_what_is_none_at_any_depth() -> None:
    preferences = ProviderPreferences(
        order=["openai"],
        allow_fallbacks=False,
        sort=SortConfig(by="price"),
        max_price=MaxPrice(prompt=1, completion="2"),
        preferred_max_latency=Percentiles(p90=3.5),
        preferred_min_throughput=10,
    )
    assert preferences.to_wire() == {
        "order": ["openai"],
        "allow_fallbacks": False,
        "sort": {"by": "price"},
        "max_price": {"prompt": 1, "completion": "2"},
        "preferred_max_latency": {"p90": 3.5},
        "preferred_min_throughput": 10,
    }


@pytest.mark.parametrize(
    "arguments", [{"sort": "cost"}, {"oder": ["openai"]}, {"quantizations": ["fp3"]}]
)
def test_a_misspelt_preference_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProviderPreferences(**arguments)


def test_settings_cannot_change_after_construction() -> None:
    reasoning = Reasoning(effort="low")
    with pytest.raises(ValidationError):
        reasoning.effort = "high"
    assert reasoning.effort == "low"


def test_a_refused_value_is_not_echoed() -> None:
    with pytest.raises(ValidationError) as caught:
        Reasoning.model_validate({"effort": "sk-or-secret"})
    assert "sk-or-secret" not in str(caught.value)


def test_o3_mini_is_as_openrouter_lists_it() -> None:
    facts = model_facts("openai/o3-mini")
    assert facts is not None
    assert (facts.prices.input, facts.prices.output, facts.prices.cached_input) == (1.1, 4.4, 0.55)
    assert (facts.max_input_tokens, facts.max_output_tokens) == (200_000, 100_000)
    assert facts.efforts == ("low", "medium", "high")
    assert (facts.default_effort, facts.min_max_tokens) == ("medium", 16)
    assert not facts.image_inputs


@pytest.mark.parametrize(
    "slug",
    ["openai/o3-mini", "openai/o3-mini:nitro", "openai/o3-mini-2025-01-31",
     "openai/o3-mini-2025-01-31:online"],
)  # fmt: skip
def test_a_routing_suffix_and_a_date_do_not_matter(slug: str) -> None:
    assert model_facts(slug) is model_facts("openai/o3-mini")


@pytest.mark.parametrize("slug", ["openai/o3-mini-high", "openai/o4-mini-high"])
def test_a_high_model_has_one_effort(slug: str) -> None:
    facts = model_facts(slug)
    assert facts is not None
    assert (facts.efforts, facts.default_effort) == (("high",), "high")


@pytest.mark.parametrize("slug", ["openai/o5", "o3-mini", "", "openai/o3-mini-2024-01-01"])
def test_an_unknown_model_has_no_facts_and_no_profile(slug: str) -> None:
    assert model_facts(slug) is None
    assert langchain_profile(slug) is None


def test_the_profile_lets_agents_choose_native_structured_output() -> None:
    profile = langchain_profile("openai/o3-mini")
    assert profile is not None
    assert profile["structured_output"] is True
    assert profile["tool_calling"] is True
    assert profile["image_inputs"] is False
    assert profile["max_input_tokens"] == 200_000
    assert is_builtin_profile(profile)
    assert not is_builtin_profile({**profile, "max_input_tokens": 5})


def test_a_profile_is_made_anew_each_time() -> None:
    first = langchain_profile("openai/o3-mini")
    assert first is not None
    first["max_input_tokens"] = 1
    assert langchain_profile("openai/o3-mini") != first


def test_what_openrouter_lists_as_supported_is_never_withheld() -> None:
    listed = {"reasoning", "seed", "max_tokens", "response_format", "tools", "tool_choice"}
    assert not listed & WITHHELD
    assert {"temperature", "top_p", "logprobs", "parallel_tool_calls"} <= WITHHELD
