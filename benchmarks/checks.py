"""Whether a contestant gave what the server sent. A fast wrong answer is no result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.answers import PROMPT_TOKENS, TOOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.answers import Answer


class WrongAnswerError(Exception):
    """What came back is not what the server sent."""


def expect(what: str, found: object, sent: object) -> None:
    """Compare.

    Raises:
        WrongAnswerError: They differ.
    """
    if found != sent:
        raise WrongAnswerError(f"{what} differs: {str(found)[:60]!r} instead of {str(sent)[:60]!r}")


def check_message(message: Any, answer: Answer) -> None:
    """Check a whole message."""
    expect("text", message.text, answer.text)
    expect("tokens", _tokens([message]), (PROMPT_TOKENS, answer.completion_tokens))
    expect("reasoning", message.additional_kwargs.get("reasoning_content", ""), answer.reasoning)
    if answer.arguments:
        (call,) = message.tool_calls
        expect("tool", call["name"], TOOL)
        expect("arguments", call["args"], json.loads(answer.arguments))


def check_chunks(chunks: Sequence[Any], answer: Answer) -> None:
    """Check the chunks of a stream without summing them, which would cost more than they did."""
    expect("text", "".join(chunk.text for chunk in chunks), answer.text)
    thoughts = [chunk.additional_kwargs.get("reasoning_content") or "" for chunk in chunks]
    expect("reasoning", "".join(thoughts), answer.reasoning)
    calls = [call for chunk in chunks for call in chunk.tool_call_chunks]
    expect("arguments", "".join(call["args"] or "" for call in calls), answer.arguments)
    if answer.arguments:
        expect("tool", "".join(call["name"] or "" for call in calls), TOOL)
    expect("tokens", _tokens(chunks), (PROMPT_TOKENS, answer.completion_tokens))


def check_payloads(payloads: Sequence[Any], sent: Sequence[Any]) -> None:
    """Check the JSON objects that bare httpx received."""
    expect("payloads", list(payloads), list(sent))


def check_events(events: Iterable[Any], answer: Answer) -> None:
    """Check protocol events by their text."""
    deltas = [event["delta"] for event in events if event["event"] == "content-block-delta"]
    expect("text", "".join(delta.get("text", "") for delta in deltas), answer.text)


def _tokens(messages: Sequence[Any]) -> tuple[int, int]:
    counts = [message.usage_metadata for message in messages if message.usage_metadata]
    return (
        sum(count["input_tokens"] for count in counts),
        sum(count["output_tokens"] for count in counts),
    )
