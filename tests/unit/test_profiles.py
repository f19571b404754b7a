"""What the package knows of each model."""

from __future__ import annotations

import pytest

from langchain_openrouter_o3._arguments.fields import WITHHELD
from langchain_openrouter_o3.profiles import is_builtin_profile, langchain_profile, model_facts


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
