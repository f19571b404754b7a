"""Which model answers: presets that the user gives, and fallbacks when models fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.emulator_client import Chat, chunks, user

if TYPE_CHECKING:
    from collections.abc import Iterator

PRESETS: dict[str, dict[str, Any]] = {
    "polite": {"model": "openai/o3", "system_prompt": "Be polite.", "max_tokens": 64},
    "any-model": {"seed": 5},
}
IMAGE = [
    {"type": "text", "text": "Look"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
]


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    with Emulator(presets=PRESETS, failing={"openai/o3-mini": 503, "openai/o3-pro": 429}) as each:
        chat = Chat(each)
        with chat.client:
            yield chat


@pytest.mark.parametrize(
    ("options", "answered"),
    [
        ({"model": "@preset/polite"}, "openai/o3"),
        ({"model": "openai/o4-mini@preset/polite"}, "openai/o4-mini"),
        ({"model": "openai/o4-mini", "preset": "polite"}, "openai/o4-mini"),
        ({"model": None, "preset": "polite"}, "openai/o3"),
        ({"model": "openai/o3", "preset": "any-model"}, "openai/o3"),
    ],
)
def test_a_preset_gives_what_the_request_leaves_open(
    chat: Chat, options: dict[str, Any], answered: str
) -> None:
    answer = chat.answer("repeat 500 words", **options)
    assert answer["model"] == answered
    assert (answer["usage"]["completion_tokens"] == 64) == (options.get("preset") != "any-model")
    more = chat.answer("repeat 500 words", **{**options, "max_tokens": 99})
    assert more["usage"]["completion_tokens"] == 99


def test_a_presets_prompt_comes_first(chat: Chat) -> None:
    plain = chat.answer("Hello", model="openai/o3")["usage"]["prompt_tokens"]
    assert chat.answer("Hello", model="@preset/polite")["usage"]["prompt_tokens"] > plain


def test_a_preset_that_is_not_in_the_table_is_not_found(chat: Chat) -> None:
    error = chat.error("Hello", model="@preset/rude")
    assert (error["code"], error["message"]) == (404, "Preset rude not found")


@pytest.mark.parametrize("stream", [False, True])
def test_the_next_model_answers_when_one_fails(chat: Chat, *, stream: bool) -> None:
    response = chat.client.post(
        "/chat/completions",
        json={
            "model": "openai/o3-mini",
            "models": ["openai/o3-pro", "openai/o4-mini", "openai/o3"],
            "messages": [user("echo here")],
            "stream": stream,
        },
        headers={"x-openrouter-metadata": "enabled"},
    )
    body = chunks(response.text)[-1] if stream else response.json()
    assert body["model"] == "openai/o4-mini"
    told = body["openrouter_metadata"]
    assert (told["requested"], told["attempt"]) == ("openai/o3-mini", 3)
    assert [(each["model"], each["status"]) for each in told["attempts"]] == [
        ("openai/o3-mini", 503),
        ("openai/o3-pro", 429),
        ("openai/o4-mini", 200),
    ]


def test_the_last_error_tells_of_those_before_it(chat: Chat) -> None:
    error = chat.error("Hello", models=["openai/o3-pro"])
    assert error["code"] == 429
    assert error["metadata"]["previous_errors"] == [
        {"code": 503, "message": "Provider returned error"}
    ]
    alone = chat.error("Hello")
    assert (alone["code"], "previous_errors" in alone["metadata"]) == (503, False)


def test_a_model_that_cannot_take_a_request_is_passed_over(chat: Chat) -> None:
    asked = [{"role": "user", "content": IMAGE}]
    named = {"model": "openai/o3-mini-high", "models": ["openai/o4-mini"]}
    assert chat.answer(asked, **named)["model"] == "openai/o4-mini"
    long = chat.answer("word " * 210_000, model="openai/o3", models=["openai/gpt-4.1-mini"])
    assert long["model"] == "openai/gpt-4.1-mini"
    refused = chat.error(asked, model="openai/o3-mini-high", models=["openai/o3-pro"])
    assert refused["metadata"]["previous_errors"][0]["code"] == 404


def test_a_request_that_no_model_takes_does_not_fail_over(chat: Chat) -> None:
    error = chat.error("Hello", model="openai/o3", models=["openai/o4-mini"], max_tokens=0)
    assert (error["code"], "previous_errors" in error.get("metadata", {})) == (400, False)


@pytest.mark.parametrize("failing", [{"openai/gpt-0": 503}, {"openai/o3": 200}])
def test_what_cannot_fail_is_refused(failing: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="failing: "):
        Emulator(failing=failing)
