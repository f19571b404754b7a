"""Tokens, money, limits and the prompt cache."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.emulator_client import STRING, Chat, tool

WEATHER = tool("get_weather", "Get the weather.", city=STRING)


def test_usage_has_openrouters_keys_in_openrouters_order(chat: Chat) -> None:
    usage = chat.answer("Hello")["usage"]
    assert list(usage) == [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cost",
        "is_byok",
        "prompt_tokens_details",
        "cost_details",
        "completion_tokens_details",
    ]
    assert list(usage["prompt_tokens_details"]) == [
        "cached_tokens",
        "cache_write_tokens",
        "audio_tokens",
        "video_tokens",
    ]
    assert list(usage["completion_tokens_details"]) == [
        "reasoning_tokens",
        "image_tokens",
        "audio_tokens",
    ]


@pytest.mark.parametrize(
    ("model", "prompt_price", "completion_price"),
    [
        ("openai/o3-mini", 1.10e-6, 4.40e-6),
        ("openai/o3-mini:batch", 0.55e-6, 2.20e-6),
        ("openai/o3-mini-2025-01-31", 1.10e-6, 4.40e-6),
        ("openai/o3-pro", 20e-6, 80e-6),
        ("openai/gpt-4.1-mini", 0.40e-6, 1.60e-6),
    ],
)
def test_cost_follows_the_models_price(
    chat: Chat, model: str, prompt_price: float, completion_price: float
) -> None:
    usage = chat.answer("Hello", model=model)["usage"]
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    details = usage["cost_details"]
    assert usage["total_tokens"] == prompt + completion
    assert details["upstream_inference_prompt_cost"] == pytest.approx(prompt * prompt_price)
    assert details["upstream_inference_completions_cost"] == pytest.approx(
        completion * completion_price
    )
    assert usage["cost"] == details["upstream_inference_cost"]
    assert usage["cost"] == pytest.approx(prompt * prompt_price + completion * completion_price)


@pytest.mark.parametrize(
    ("parameters", "tokens"),
    [
        ({}, 192),
        ({"reasoning_effort": "low"}, 64),
        ({"reasoning": {"effort": "medium"}}, 192),
        ({"reasoning": {"effort": "high"}}, 704),
        ({"model": "openai/o3-mini-high"}, 704),
        ({"model": "openai/o3-mini-high", "reasoning_effort": "low"}, 704),
    ],
)
def test_reasoning_tokens_follow_the_effort_and_are_completion_tokens(
    chat: Chat, parameters: dict[str, Any], tokens: int
) -> None:
    usage = chat.answer("Hello", **parameters)["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == tokens
    assert usage["completion_tokens"] > tokens


def test_a_prompt_is_counted_by_its_bytes(chat: Chat) -> None:
    prompts = [{"role": "system", "content": "abcd"}, {"role": "user", "content": "é€"}]
    assert chat.answer(prompts)["usage"]["prompt_tokens"] == (1 + 3) + (2 + 3)


def test_a_text_is_cut_at_the_limit_which_counts_reasoning(chat: Chat) -> None:
    body = chat.answer("Hello", max_tokens=200)
    choice = body["choices"][0]
    whole = chat.text("Hello")
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (
        "length",
        "max_output_tokens",
    )
    assert choice["message"]["content"] == whole[: (200 - 192) * 4]
    assert body["usage"]["completion_tokens"] == 200


def test_reasoning_can_eat_the_whole_limit(chat: Chat) -> None:
    body = chat.answer("Hello", max_completion_tokens=100)
    choice = body["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] is None
    assert body["usage"]["completion_tokens"] == 100
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 100


@pytest.mark.parametrize("limit", [193, 196, 197])
def test_a_cut_tool_call_says_tool_calls_and_is_broken_json(chat: Chat, limit: int) -> None:
    body = chat.answer("Weather in Paris", tools=[WEATHER], max_tokens=limit)
    choice = body["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (
        "tool_calls",
        "max_output_tokens",
    )
    (call,) = choice["message"]["tool_calls"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])
    assert body["usage"]["completion_tokens"] <= limit


def test_of_several_calls_those_that_fit_are_whole(chat: Chat) -> None:
    prompt = "Weather in Paris and Rome"
    first, second = chat.message(prompt, tools=[WEATHER], max_tokens=201)["tool_calls"]
    assert json.loads(first["function"]["arguments"]) == {"city": "Paris"}
    with pytest.raises(json.JSONDecodeError):
        json.loads(second["function"]["arguments"])


def test_a_long_prompt_is_cached_by_its_prefix(emulator: Emulator) -> None:
    chat = Chat(emulator)
    long = {"role": "system", "content": "All happy families are alike. " * 300}

    def cached(*messages: dict[str, Any], **parameters: Any) -> int:
        usage = chat.answer(list(messages), **parameters)["usage"]
        tokens: int = usage["prompt_tokens_details"]["cached_tokens"]
        assert tokens <= usage["prompt_tokens"]
        return tokens

    with chat.client:
        first = {"role": "user", "content": "One."}
        second = {"role": "user", "content": "Two, after the same beginning."}
        assert cached(long, first) == 0
        assert cached(long, second) == 2176
        assert cached({"role": "system", "content": "x" + long["content"]}, first) == 0
        assert cached(long, first, model="openai/o4-mini") == 0
        assert cached({"role": "user", "content": "short"}) == 0
        assert cached({"role": "user", "content": "short"}) == 0


def test_cached_tokens_are_cheaper(emulator: Emulator) -> None:
    chat = Chat(emulator)
    with chat.client:
        costs = [chat.answer("words " * 2000)["usage"]["cost_details"] for _ in range(2)]
    key = "upstream_inference_prompt_cost"
    assert costs[1][key] < costs[0][key] * 0.55


def test_the_key_knows_what_was_spent(emulator: Emulator) -> None:
    chat = Chat(emulator)
    with chat.client:
        cost = sum(chat.answer("Hello")["usage"]["cost"] for _ in range(2))
        assert chat.client.get("/key").json()["data"]["usage"] == pytest.approx(cost)
