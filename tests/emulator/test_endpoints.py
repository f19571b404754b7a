"""The endpoints beside the chat."""

from __future__ import annotations

import pytest

from tests.helpers.emulator_client import Chat


def test_models_have_openrouters_shape(chat: Chat) -> None:
    models = {model["id"]: model for model in chat.client.get("/models").json()["data"]}
    assert set(models) == {
        "openai/gpt-4.1-mini",
        "openai/o3",
        "openai/o3-mini",
        "openai/o3-mini-high",
        "openai/o3-pro",
        "openai/o4-mini",
        "openai/o4-mini-high",
    }
    o3_mini = models["openai/o3-mini"]
    assert o3_mini["canonical_slug"] == "openai/o3-mini-2025-01-31"
    assert o3_mini["created"] == 1738351721
    assert o3_mini["context_length"] == 200_000
    assert o3_mini["architecture"]["modality"] == "text+file->text"
    assert o3_mini["architecture"]["input_modalities"] == ["text", "file"]
    assert o3_mini["top_provider"] == {
        "context_length": 200_000,
        "max_completion_tokens": 100_000,
        "is_moderated": True,
    }
    assert o3_mini["pricing"] == {
        "prompt": "0.0000011",
        "completion": "0.0000044",
        "web_search": "0.01",
        "input_cache_read": "0.00000055",
    }
    assert o3_mini["supported_parameters"] == [
        "include_reasoning",
        "max_tokens",
        "reasoning",
        "response_format",
        "seed",
        "structured_outputs",
        "tool_choice",
        "tools",
    ]
    assert o3_mini["reasoning"] == {"mandatory": False}
    assert models["openai/o3-mini-high"]["reasoning"] == {
        "mandatory": True,
        "default_effort": "high",
        "supported_efforts": ["high"],
    }
    assert "image" in models["openai/o4-mini"]["architecture"]["input_modalities"]
    assert "input_cache_read" not in models["openai/o3-pro"]["pricing"]
    assert "reasoning" not in models["openai/gpt-4.1-mini"]


def test_a_generation_is_not_there_right_after_its_answer(chat: Chat) -> None:
    name = chat.answer("Hello")["id"]
    response = chat.client.get("/generation", params={"id": name})
    assert response.status_code == 404
    assert response.json() == {"error": {"message": f"Generation {name} not found", "code": 404}}
    assert chat.client.get("/generation").status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/completion")])
def test_unknown_paths_are_refused_in_json(chat: Chat, method: str, path: str) -> None:
    response = chat.client.request(method, path)
    assert response.status_code == 404
    assert response.json() == {"error": {"message": "Not Found", "code": 404}}


def test_wrong_methods_are_refused_in_json(chat: Chat) -> None:
    response = chat.client.get("/chat/completions")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == 405


@pytest.mark.parametrize("path", ["/key", "/generation?id=gen-1"])
def test_keys_are_checked(chat: Chat, path: str) -> None:
    response = chat.client.get(path, headers={"authorization": ""})
    assert response.status_code == 401
