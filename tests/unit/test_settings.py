"""The value objects: what they take, refuse and send."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langchain_openrouter_o3._arguments.settings import (
    MaxPrice,
    Percentiles,
    ProviderPreferences,
    Reasoning,
    SortConfig,
)


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
