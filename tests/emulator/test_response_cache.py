"""OpenRouter's cache of answers, by headers: exact repetitions are free."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.emulator_client import Chat, chunks, user

ON = {"x-openrouter-cache": "true"}


@pytest.fixture
def chat(emulator: Emulator) -> Iterator[Chat]:
    """A client of an emulator with an empty cache."""
    chat = Chat(emulator)
    with chat.client:
        yield chat


def post(chat: Chat, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
    body = {"model": "openai/o3-mini", "messages": [user("Think. What is 2+2?")], **options}
    return chat.client.post(
        "/chat/completions", json=body, headers=ON if headers is None else headers
    )


def status(response: httpx.Response) -> str | None:
    return dict(response.headers).get("x-openrouter-cache-status")


def test_a_repetition_is_a_hit_with_an_id_of_its_own_and_no_usage(chat: Chat) -> None:
    first, second = post(chat), post(chat)
    assert (status(first), status(second)) == ("MISS", "HIT")
    before, after = first.json(), second.json()
    assert second.headers["x-openrouter-cache-source-id"] == before["id"]
    assert second.headers["x-generation-id"] == after["id"] != before["id"]
    assert before["choices"] == after["choices"]
    assert after["usage"]["total_tokens"] == after["usage"]["cost"] == 0
    assert before["usage"]["cost"] > 0
    assert chat.client.get("/key").json()["data"]["usage"] == before["usage"]["cost"]


def test_a_stream_is_repeated_as_a_stream(chat: Chat) -> None:
    first, second = post(chat, stream=True), post(chat, stream=True)
    assert status(second) == "HIT"
    assert [each["choices"] for each in chunks(first.text)] == [
        each["choices"] for each in chunks(second.text)
    ]
    assert chunks(second.text)[-1]["usage"]["total_tokens"] == 0
    assert second.text.endswith("data: [DONE]\n\n")


def test_nothing_is_kept_unless_it_is_asked_for(chat: Chat) -> None:
    off = {"x-openrouter-cache": "false"}
    assert [status(post(chat, headers)) for headers in ({}, off, ON, {}, ON)] == [
        None,
        None,
        "MISS",
        None,
        "HIT",
    ]


def test_another_order_of_keys_is_another_request(chat: Chat) -> None:
    body = {"model": "openai/o3-mini", "messages": [user("Hello")], "seed": 1}
    turned = dict(reversed(body.items()))
    answers = [
        chat.client.post("/chat/completions", content=json.dumps(each), headers=ON)
        for each in (body, turned, body, turned)
    ]
    assert [status(each) for each in answers] == ["MISS", "MISS", "HIT", "HIT"]


def test_keys_are_kept_apart(chat: Chat) -> None:
    other = {**ON, "authorization": "Bearer sk-or-other"}
    assert [status(post(chat, each)) for each in (ON, other, ON)] == ["MISS", "MISS", "HIT"]


def test_a_request_can_clear_its_own_answer(chat: Chat) -> None:
    clear = {**ON, "x-openrouter-cache-clear": "true"}
    assert [status(post(chat, each)) for each in (ON, clear, ON)] == ["MISS", "MISS", "HIT"]


@pytest.mark.parametrize("seconds", ["0", "86401", "-1", "1.5", "soon"])
def test_a_time_that_is_none_is_refused(chat: Chat, seconds: str) -> None:
    response = post(chat, {**ON, "x-openrouter-cache-ttl": seconds})
    assert response.status_code == 400
    assert "between 1 and 86400" in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["x-openrouter-cache", "x-openrouter-cache-clear"])
def test_a_switch_that_is_none_is_refused(chat: Chat, name: str) -> None:
    assert post(chat, {name: "maybe"}).status_code == 400


def test_errors_are_not_kept(chat: Chat) -> None:
    for _ in range(2):
        response = post(chat, max_tokens=1)
        assert (response.status_code, status(response)) == (400, None)


def test_an_error_that_is_played_is_not_kept(chat: Chat) -> None:
    chat.emulator.play(faults.status(503))
    assert [post(chat).status_code, status(post(chat)), status(post(chat))] == [503, "MISS", "HIT"]


def test_a_reset_empties_the_cache(chat: Chat) -> None:
    post(chat)
    chat.emulator.reset()
    assert status(post(chat)) == "MISS"


def test_routing_is_told_only_to_those_who_ask(chat: Chat) -> None:
    first = post(chat, {**ON, "x-openrouter-metadata": "enabled"})
    second = post(chat)
    assert "openrouter_metadata" in first.json()
    assert status(second) == "HIT"
    assert "openrouter_metadata" not in second.json()
