"""The JSON body of an answer that is not streamed."""

from __future__ import annotations

import re

import pytest

from tests.helpers.emulator_client import STRING, Chat, closed, strict, tool

WEATHER = tool("get_weather", "Get the weather.", city=STRING)


def test_body_has_openrouters_keys_in_openrouters_order(chat: Chat) -> None:
    body = chat.answer("Hello")
    assert list(body) == [
        "id",
        "object",
        "created",
        "model",
        "provider",
        "system_fingerprint",
        "service_tier",
        "choices",
        "usage",
    ]
    assert body["object"] == "chat.completion"
    assert body["model"] == "openai/o3-mini"
    assert body["provider"] == "OpenAI"
    assert body["system_fingerprint"] is None
    assert body["service_tier"] == "default"
    (choice,) = body["choices"]
    assert list(choice) == ["index", "logprobs", "finish_reason", "native_finish_reason", "message"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", "completed")
    assert list(choice["message"]) == [
        "role",
        "content",
        "refusal",
        "reasoning",
        "reasoning_details",
    ]


def test_body_is_padded_and_chunked(chat: Chat) -> None:
    response = chat.post("Hello")
    assert response.content.startswith(b"\n         \n{")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in response.headers


def test_generation_id_is_in_the_header_and_unique(chat: Chat) -> None:
    answers = [chat.post("Hello") for _ in range(3)]
    ids = [answer.json()["id"] for answer in answers]
    assert ids == [answer.headers["x-generation-id"] for answer in answers]
    assert len(set(ids)) == 3
    for body in (answer.json() for answer in answers):
        assert re.fullmatch(rf"gen-{body['created']}-[A-Za-z0-9]{{20}}", body["id"])


def test_tool_calls_stand_beside_null_content(chat: Chat) -> None:
    body = chat.answer("What is the weather in Paris?", tools=[WEATHER])
    choice = body["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("tool_calls", "completed")
    message = choice["message"]
    assert list(message) == [
        "role",
        "content",
        "refusal",
        "reasoning",
        "tool_calls",
        "reasoning_details",
    ]
    assert message["content"] is None
    (call,) = message["tool_calls"]
    assert list(call) == ["type", "index", "id", "function"]
    assert re.fullmatch(r"call_[A-Za-z0-9]{24}", call["id"])
    assert call["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}


@pytest.mark.parametrize("effort", ["medium", "high"])
def test_reasoning_is_a_summary_and_an_encrypted_entry(chat: Chat, effort: str) -> None:
    message = chat.message("Hello", reasoning={"effort": effort})
    summary, encrypted = message["reasoning_details"]
    assert list(summary) == ["type", "summary", "format", "index"]
    assert list(encrypted) == ["type", "data", "id", "format", "index"]
    assert message["reasoning"] == summary["summary"]
    assert (summary["type"], summary["index"]) == ("reasoning.summary", 0)
    assert (encrypted["type"], encrypted["index"]) == ("reasoning.encrypted", 1)
    assert summary["format"] == encrypted["format"] == "openai-responses-v1"
    assert encrypted["id"].startswith("rs_")


def test_low_effort_gives_only_the_encrypted_entry(chat: Chat) -> None:
    message = chat.message("Hello", reasoning_effort="low")
    (encrypted,) = message["reasoning_details"]
    assert message["reasoning"] is None
    assert (encrypted["type"], encrypted["index"]) == ("reasoning.encrypted", 0)


def test_a_summary_can_be_asked_for_at_low_effort(chat: Chat) -> None:
    reasoning = {"effort": "low", "summary": "auto"}
    assert chat.message("Hello", reasoning=reasoning)["reasoning"]


@pytest.mark.parametrize(
    "parameters", [{"reasoning": {"exclude": True}}, {"include_reasoning": False}]
)
def test_excluded_reasoning_leaves_the_encrypted_entry(
    chat: Chat, parameters: dict[str, object]
) -> None:
    body = chat.answer("Hello", **parameters)
    message = body["choices"][0]["message"]
    assert "reasoning" not in message
    assert [entry["type"] for entry in message["reasoning_details"]] == ["reasoning.encrypted"]
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 192


def test_a_model_that_does_not_reason_has_no_reasoning(chat: Chat) -> None:
    body = chat.answer("Hello", model="openai/gpt-4.1-mini")
    message = body["choices"][0]["message"]
    assert message["reasoning"] is None
    assert "reasoning_details" not in message
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


def test_refusal_under_a_schema_has_no_content(chat: Chat) -> None:
    body = chat.answer("Please refuse this.", response_format=strict(closed(x=STRING)))
    message = body["choices"][0]["message"]
    assert message["content"] is None
    assert "refuse" in message["refusal"]
    assert body["choices"][0]["finish_reason"] == "stop"


def test_refusal_without_a_schema_is_content(chat: Chat) -> None:
    message = chat.message("Please refuse this.")
    assert "refuse" in message["content"]
    assert message["refusal"] is None


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": [{"type": "openrouter:web_search"}]},
        {"plugins": [{"id": "web"}]},
        {"model": "openai/o3-mini:online"},
    ],
)
def test_web_search_gives_a_citation_and_costs(chat: Chat, parameters: dict[str, object]) -> None:
    plain, searched = chat.answer("News?"), chat.answer("News?", **parameters)
    (annotation,) = searched["choices"][0]["message"]["annotations"]
    assert annotation["type"] == "url_citation"
    assert annotation["url_citation"]["url"].startswith("https://")
    usage = searched["usage"]
    assert usage["server_tool_use_details"] == {"web_search_requests": 1}
    assert "server_tool_use_details" not in plain["usage"]
    assert usage["cost"] > plain["usage"]["cost"] + 0.009


def test_text_is_raw_utf8_and_a_lone_surrogate_does_no_harm(chat: Chat) -> None:
    assert "🦜 你好".encode() in chat.post("🦜 你好").content
    body = b'{"model":"openai/o3-mini","messages":[{"role":"user","content":"\\ud800"}]}'
    assert chat.client.post("/chat/completions", content=body).status_code == 200
