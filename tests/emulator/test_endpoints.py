"""The endpoints beside the chat."""

from __future__ import annotations

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.emulator_client import Chat, user


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


def test_a_generation_is_told_of_as_soon_as_it_is_there(chat: Chat) -> None:
    answer = chat.answer("Think. What is 2+2?", user="me", session_id="s")
    found = chat.client.get("/generation", params={"id": answer["id"]}).json()["data"]
    usage = answer["usage"]
    assert (found["id"], found["model"], found["streamed"]) == (
        answer["id"],
        "openai/o3-mini",
        False,
    )
    assert (found["usage"], found["total_cost"]) == (usage["cost"], usage["cost"])
    assert found["native_tokens_prompt"] == usage["prompt_tokens"]
    assert found["native_tokens_completion"] == usage["completion_tokens"]
    details = usage["completion_tokens_details"]
    assert found["native_tokens_reasoning"] == details["reasoning_tokens"] > 0
    assert (found["external_user"], found["session_id"]) == ("me", "s")
    assert found["latency"] is None


def test_other_generations_are_not_found(chat: Chat) -> None:
    response = chat.client.get("/generation", params={"id": "gen-1"})
    assert response.status_code == 404
    assert response.json() == {"error": {"message": "Generation gen-1 not found", "code": 404}}
    assert chat.client.get("/generation").status_code == 400


def test_a_repeated_answer_names_the_generation_that_it_came_from(chat: Chat) -> None:
    body = {"model": "openai/o3-mini", "messages": [user("Hello, cache")], "stream": False}
    headers = {"x-openrouter-cache": "true"}
    first, second = (
        chat.client.post("/chat/completions", json=body, headers=headers).json() for _ in range(2)
    )
    found = chat.client.get("/generation", params={"id": second["id"]}).json()["data"]
    assert (found["response_cache_source_id"], found["usage"]) == (first["id"], 0)


def test_money_is_counted_by_key_and_in_all(emulator: Emulator) -> None:
    chat = Chat(emulator)
    with chat.client:
        cost = chat.answer("Hello")["usage"]["cost"]
        other = {"authorization": "Bearer sk-or-other"}
        key = chat.client.get("/key").json()["data"]
        assert key["usage"] == key["usage_daily"] == pytest.approx(cost)
        assert chat.client.get("/key", headers=other).json()["data"]["usage"] == 0
        bought = chat.client.get("/credits", headers=other).json()["data"]
        assert bought == {"total_credits": 100.0, "total_usage": pytest.approx(cost)}
        emulator.reset()
        assert chat.client.get("/key").json()["data"]["usage"] == 0


def test_a_model_has_one_endpoint(chat: Chat) -> None:
    models = {model["id"]: model for model in chat.client.get("/models").json()["data"]}
    for slug, model in models.items():
        found = chat.client.get(model["links"]["details"].removeprefix("/api/v1")).json()["data"]
        (endpoint,) = found["endpoints"]
        assert (found["id"], endpoint["provider_name"]) == (slug, "OpenAI")
        assert endpoint["pricing"] == model["pricing"]
    missing = chat.client.get("/models/openai/gpt-0/endpoints")
    assert (missing.status_code, missing.json()["error"]["message"]) == (
        404,
        "Model openai/gpt-0 not found",
    )


def test_models_come_in_pages_if_asked(chat: Chat) -> None:
    url, seen = "/api/v1/models?limit=3", list[str]()
    while url:
        page = chat.client.get(url.removeprefix("/api/v1")).json()
        seen += [model["id"] for model in page["data"]]
        url = page["links"]["next"]
    whole = chat.client.get("/models").json()
    assert seen == [model["id"] for model in whole["data"]]
    assert (whole["total_count"], whole["links"]) == (len(seen), {"next": None})
    for query in ("limit=0", "limit=1001", "limit=x", "offset=-1"):
        assert chat.client.get(f"/models?{query}").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "match"),
    [
        ("GET", "/nothing", "The emulator has POST /chat/completions, POST /batches"),
        ("POST", "/embeddings", "OpenRouter has more, the emulator has POST /chat/completions"),
        ("POST", "/completion", "Record and replay what else you need"),
        ("POST", "/../v1x/chat/completions", "begins with /api/v1/: is it missing in the base URL"),
    ],
)
def test_unknown_paths_are_refused_with_a_hint(
    chat: Chat, method: str, path: str, match: str
) -> None:
    response = chat.client.request(method, path)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, 404)
    assert error["message"].startswith("Not Found. ")
    assert match in error["message"]


def test_wrong_methods_are_refused_in_json(chat: Chat) -> None:
    response = chat.client.get("/chat/completions")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == 405


@pytest.mark.parametrize("path", ["/key", "/credits", "/generation?id=gen-1"])
def test_keys_are_checked(chat: Chat, path: str) -> None:
    response = chat.client.get(path, headers={"authorization": ""})
    assert response.status_code == 401
