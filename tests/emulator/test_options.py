"""OpenRouter's own parameters: what the emulator takes and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.emulator_client import Chat, chunks, user


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"metadata": {str(number): "x" for number in range(17)}}, "at most 16 pairs"),
        ({"metadata": {"k" * 65: "x"}}, "at most 64"),
        ({"metadata": {"k": "x" * 513}}, "at most 512"),
        ({"metadata": {"k": 5}}, "expected string"),
        ({"metadata": ["k"]}, "metadata: Invalid input: expected object"),
        ({"service_tier": "cheap"}, "service_tier: Invalid option"),
        ({"service_tier": 5}, "service_tier: Invalid option"),
        ({"session_id": "x" * 257}, "<=256"),
        ({"session_id": 5}, "expected string"),
        ({"preset": 5}, "expected string"),
        ({"prompt_cache_key": {}}, "expected string"),
        ({"prompt_cache_options": {"mode": "implicit"}}, "prompt_cache_options.mode"),
        ({"cache_control": {"type": "eternal"}}, "cache_control.type"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl"),
        ({"prediction": {"type": "guess"}}, "prediction.type"),
        ({"modalities": ["smell"]}, "modalities"),
        ({"modalities": "text"}, "expected array"),
        ({"debug": True}, "expected object"),
        ({"stop_server_tools_when": []}, "stop_server_tools_when"),
        ({"stop_server_tools_when": [{"type": "max_cost"}]}, "stop_server_tools_when"),
        ({"stop_server_tools_when": [{"type": "luck", "type?": 1}]}, "stop_server_tools_when"),
        ({"stop_server_tools_when": [{"type": "step_count_is", "step_count": 1}, 5]}, "known"),
    ],
)
def test_what_openrouter_refuses_is_refused(
    chat: Chat, options: dict[str, Any], match: str
) -> None:
    error = chat.error("Hello", **options)
    assert error["code"] == 400
    assert match in error["message"]


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"k" * 64: "x" * 512}},
        *({"service_tier": tier} for tier in ("flex", "priority", "fast", "ultrafast", None)),
        {"session_id": "x" * 256},
        {"preset": "mine", "model": "openai/o3-mini"},
        {"cache_control": {"type": "ephemeral"}},
        {"prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit", "ttl": "5m"}},
        {"modalities": ["text"], "debug": {"echo_upstream_body": True}, "deferred_tools": []},
        {"stop_server_tools_when": [{"type": "max_cost", "max_cost_in_dollars": 0.5}]},
        {"prediction": {"type": "content", "content": "x"}, "image_config": {"quality": "low"}},
    ],
)
def test_what_openrouter_takes_is_taken(chat: Chat, options: dict[str, Any]) -> None:
    assert chat.text("echo hello", **options) == "hello"


@pytest.mark.parametrize(
    ("slug", "answered"),
    [
        ("openai/o3@preset/mine", "openai/o3"),
        ("openai/o3:nitro@preset/mine", "openai/o3:nitro"),
        ("@preset/mine", "openai/o3-mini"),
    ],
)
def test_a_preset_stands_behind_a_model_or_alone(chat: Chat, slug: str, answered: str) -> None:
    assert chat.answer("Hello", model=slug)["model"] == answered


def test_a_preset_may_be_all_that_is_named(chat: Chat) -> None:
    body = {"preset": "mine", "messages": [user("Hello")]}
    response = chat.client.post("/chat/completions", json=body)
    assert response.json()["model"] == "openai/o3-mini"


@pytest.mark.parametrize("slug", ["openai/no-such@preset/mine", "openai/o3@preset/", "@preset/"])
def test_a_preset_makes_no_model(chat: Chat, slug: str) -> None:
    assert "is not a valid model ID" in chat.error("Hello", model=slug)["message"]


def test_routing_is_told_when_a_header_asks_for_it(chat: Chat) -> None:
    headers = {"x-openrouter-metadata": "enabled"}
    body: dict[str, Any] = {"model": "openai/o3", "messages": [user("Hello")]}
    whole = chat.client.post("/chat/completions", json=body, headers=headers).json()
    assert whole["openrouter_metadata"]["attempts"][0]["model"] == "openai/o3"
    streamed = chat.client.post(
        "/chat/completions", json={**body, "stream": True}, headers=headers
    ).text
    *others, last = chunks(streamed)
    assert last["openrouter_metadata"] == whole["openrouter_metadata"]
    assert not any("openrouter_metadata" in each for each in others)
    for named, found in (("openai/no-such", 0), ("openai/o3", 1)):
        refused = chat.client.post(
            "/chat/completions",
            json={"model": named, "messages": [user("Hello")], "session_id": 5 if found else None},
            headers=headers,
        ).json()
        assert refused["openrouter_metadata"]["requested"] == named
        assert refused["openrouter_metadata"]["endpoints"]["total"] == found


def test_routing_is_told_of_a_body_that_is_none(chat: Chat) -> None:
    headers = {"x-openrouter-metadata": "enabled"}
    refused = chat.client.post("/chat/completions", content=b"[]", headers=headers).json()
    assert refused["openrouter_metadata"]["requested"] == ""


def test_another_level_of_routing_is_refused(chat: Chat) -> None:
    body = {"model": "openai/o3", "messages": [user("Hello")]}
    headers = {"x-openrouter-metadata": "loud"}
    response = chat.client.post("/chat/completions", json=body, headers=headers)
    assert response.status_code == 400
