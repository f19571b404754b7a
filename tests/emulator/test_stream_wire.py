"""The server-sent events of a streamed answer."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.helpers.emulator_client import STRING, Chat, chunks, closed, deltas, strict, tool

WEATHER = tool("get_weather", "Get the weather.", city=STRING)
COMMENT = ": OPENROUTER PROCESSING"


def test_framing_is_data_lines_comments_and_done(chat: Chat) -> None:
    text = chat.stream("Hello")
    events = text.split("\n\n")
    assert events[0] == COMMENT
    assert events[-2:] == ["data: [DONE]", ""]
    assert "\r" not in text
    assert all(event == COMMENT or event.startswith("data: ") for event in events[:-1])
    assert not any("\n" in event for event in events)


def test_headers_are_openrouters(chat: Chat) -> None:
    response = chat.post("Hello", stream=True)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-generation-id"] == chunks(response.text)[0]["id"]


def test_every_chunk_has_the_same_head_and_every_delta_role_and_content(chat: Chat) -> None:
    all_chunks = chunks(chat.stream("Weather in Paris", tools=[WEATHER]))
    head = ["id", "object", "created", "model", "provider"]
    assert len({tuple(chunk[key] for key in head) for chunk in all_chunks}) == 1
    for chunk in all_chunks[:-1]:
        assert list(chunk) == [*head, "choices"]
        (choice,) = chunk["choices"]
        assert list(choice) == ["index", "delta", "finish_reason", "native_finish_reason"]
        assert list(choice["delta"])[:2] == ["content", "role"]
        assert choice["delta"]["role"] == "assistant"
    assert all_chunks[0]["object"] == "chat.completion.chunk"


def test_two_chunks_finish_and_the_last_has_the_usage(chat: Chat) -> None:
    *others, finish, usage = chunks(chat.stream("Hello"))
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in others)
    for chunk in (finish, usage):
        choice = chunk["choices"][0]
        assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", "completed")
    assert list(usage)[-3:] == ["service_tier", "choices", "usage"]
    assert finish["choices"][0]["delta"] == {"content": "", "role": "assistant", "reasoning": None}
    assert usage["choices"][0]["delta"] == {"content": "", "role": "assistant"}
    assert not any("usage" in chunk or "service_tier" in chunk for chunk in [*others, finish])


def test_reasoning_comes_in_twins_then_encrypted_then_a_comment(chat: Chat) -> None:
    text = chat.stream("Hello", reasoning_effort="high")
    thoughts = [delta for delta in deltas(text) if "reasoning_details" in delta]
    *summaries, encrypted = thoughts
    assert len(summaries) > 5
    for delta in summaries:
        (entry,) = delta["reasoning_details"]
        assert list(delta) == ["content", "role", "reasoning", "reasoning_details"]
        assert delta["content"] == ""
        assert entry["type"] == "reasoning.summary"
        assert entry["summary"] == delta["reasoning"]
        assert entry["index"] == 0
    (entry,) = encrypted["reasoning_details"]
    assert encrypted["reasoning"] is None
    assert (entry["type"], entry["index"]) == ("reasoning.encrypted", 1)
    events = text.split("\n\n")
    (place,) = [number for number, event in enumerate(events) if "reasoning.encrypted" in event]
    assert events[place + 1] == COMMENT


def test_excluded_reasoning_has_no_reasoning_key_anywhere(chat: Chat) -> None:
    all_deltas = deltas(chat.stream("Hello", reasoning={"exclude": True}))
    assert not any("reasoning" in delta for delta in all_deltas)
    assert [delta["reasoning_details"][0]["type"] for delta in all_deltas[:1]] == [
        "reasoning.encrypted"
    ]


def test_tool_calls_come_as_head_empty_and_pieces(chat: Chat) -> None:
    all_deltas = deltas(chat.stream("Weather in Paris and Rome", tools=[WEATHER]))
    calls = [delta for delta in all_deltas if "tool_calls" in delta]
    assert all(delta["content"] is None for delta in calls)
    pieces = [delta["tool_calls"][0] for delta in calls]
    heads = [piece for piece in pieces if "id" in piece]
    assert [list(head) for head in heads] == [["index", "id", "type", "function"]] * 2
    assert [head["function"] for head in heads] == [{"name": "get_weather", "arguments": ""}] * 2
    assert heads[0]["id"] != heads[1]["id"]
    for index, city in enumerate(["Paris", "Rome"]):
        tail = [piece for piece in pieces if piece["index"] == index][1:]
        assert all(list(piece) == ["index", "function"] for piece in tail)
        arguments = [piece["function"]["arguments"] for piece in tail]
        assert arguments[0] == ""
        assert len(arguments) > 3
        assert json.loads("".join(arguments)) == {"city": city}


def test_refusal_and_annotations_are_streamed(chat: Chat) -> None:
    refused = deltas(chat.stream("Please refuse.", response_format=strict(closed(x=STRING))))
    pieces = [delta for delta in refused if "refusal" in delta]
    assert len(pieces) > 3
    assert all(delta["content"] == "" for delta in pieces)
    cited = deltas(chat.stream("News?", tools=[{"type": "openrouter:web_search"}]))
    places = [number for number, delta in enumerate(cited) if "annotations" in delta]
    texts = [number for number, delta in enumerate(cited) if delta["content"]]
    assert len(places) == 1
    assert places[0] < texts[0]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"reasoning_effort": "low"},
        {"reasoning": {"exclude": True}},
        {"model": "openai/gpt-4.1-mini"},
        {"tools": [WEATHER]},
        {"tools": [{"type": "openrouter:web_search"}]},
        {"response_format": strict(closed(city=STRING))},
        {"max_tokens": 16},
        {"max_tokens": 200},
        {"tools": [WEATHER], "max_tokens": 198},
    ],
)
def test_a_stream_adds_up_to_the_whole_answer(chat: Chat, parameters: dict[str, Any]) -> None:
    prompt = "What is the weather in Paris and Rome?"
    body = chat.answer(prompt, **parameters)
    message = body["choices"][0]["message"]
    all_chunks = chunks(chat.stream(prompt, **parameters))
    all_deltas = [chunk["choices"][0]["delta"] for chunk in all_chunks]

    def joined(key: str) -> str:
        return "".join(delta.get(key) or "" for delta in all_deltas)

    assert joined("content") == (message["content"] or "")
    assert joined("reasoning") == (message.get("reasoning") or "")
    arguments: dict[int, str] = {}
    for call in (call for delta in all_deltas for call in delta.get("tool_calls", [])):
        index = call["index"]
        arguments[index] = arguments.get(index, "") + call["function"]["arguments"]
    calls = message.get("tool_calls", [])
    assert list(arguments.values()) == [call["function"]["arguments"] for call in calls]
    details = [entry for delta in all_deltas for entry in delta.get("reasoning_details", [])]
    assert details[-1:] == message.get("reasoning_details", [])[-1:]
    finish = all_chunks[-1]["choices"][0]
    assert finish["finish_reason"] == body["choices"][0]["finish_reason"]
    assert finish["native_finish_reason"] == body["choices"][0]["native_finish_reason"]
    tokens = {key: body["usage"][key] for key in ("completion_tokens", "prompt_tokens")}
    assert tokens == {key: all_chunks[-1]["usage"][key] for key in tokens}


def test_a_refused_stream_is_plain_json(chat: Chat) -> None:
    response = chat.post("Hello", stream=True, model="nobody/nothing")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"


def test_a_stream_can_be_read_event_by_event(chat: Chat) -> None:
    url = f"{chat.emulator.base_url}/chat/completions"
    body = {
        "model": "openai/o3-mini",
        "messages": [{"role": "user", "content": "repeat 300 words"}],
    }
    headers = {"authorization": "Bearer k"}
    with httpx.stream("POST", url, json=body | {"stream": True}, headers=headers) as response:
        pieces = list(response.iter_raw())
    assert len(pieces) > 3
    words = "".join(delta["content"] for delta in deltas(b"".join(pieces).decode()))
    assert words.split() == [f"word{number}" for number in range(1, 301)]
