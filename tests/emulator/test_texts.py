"""Answers in plain text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.emulator_client import Chat, user


def test_a_plain_answer_says_what_it_is_and_quotes_the_prompt(chat: Chat) -> None:
    text = chat.text("Hello there")
    assert "emulator" in text
    assert "no language model" in text
    assert "“Hello there”" in text
    assert "…" in chat.text("very " * 100)


@pytest.mark.parametrize(
    ("prompt", "result"),
    [
        ("2+2", "2+2 = 4"),
        ("What is 1 + 2", "1 + 2 = 3"),
        ("What's (2+3)*4.5?", "(2+3)*4.5 = 22.5"),
        ("How much is 0.1+0.2?", "0.1+0.2 = 0.3"),
        ("Calculate: 7/2.", "7/2 = 3.5"),
        ("What is 6 × 7?", "6 × 7 = 42"),  # noqa: RUF001 - as a user may write it
        ("compute -5 - -3", "-5 - -3 = -2"),
    ],
)
def test_arithmetic_is_right(chat: Chat, prompt: str, result: str) -> None:
    assert chat.text(prompt).startswith(f"{result}.")


@pytest.mark.parametrize(
    "prompt",
    ["What is 42?", "1/0", "2**9", "What is 2025-01-31?", "compute (1", "What is 1+" + "1" * 300],
)
def test_what_is_no_arithmetic_is_left_alone(chat: Chat, prompt: str) -> None:
    assert "You said" in chat.text(prompt)


def test_writing_takes_some_sentences(chat: Chat) -> None:
    text = chat.text("Write me 2 haikus. Only include the haikus.")
    assert text.count(". ") == 2
    assert "2 haikus" in text


def test_words_can_be_had_by_number(chat: Chat) -> None:
    assert chat.text("repeat 3 words") == "word1 word2 word3"


@pytest.mark.parametrize(
    ("messages", "quoted"),
    [
        ([user("one"), user("two")], "two"),
        ([user("one"), {"role": "assistant", "content": "a"}, user("two")], "two"),
        ([{"role": "user", "content": [{"type": "text", "text": "part"}]}], "part"),
        ([{"role": "system", "content": "alone"}], "alone"),
    ],
)
def test_the_last_user_message_is_the_prompt(
    chat: Chat, messages: list[dict[str, Any]], quoted: str
) -> None:
    assert f"“{quoted}”" in chat.text(messages)
