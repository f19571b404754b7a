"""Every informational field of an answer, and values of every JSON type to put there."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage

from tests.helpers import wire

VALUES: tuple[Any, ...] = (
    *(True, False, 0, 3, -1, 1.5, 1e300, 2**70),
    *("", "x", "null", "12", [], ["x"], [None], [3], [{}], [{"a": 1}], [[]]),
    *({}, {"a": 1}, {"a": {"b": [None]}}, {"text": 5}, None),
)
"""Of every JSON type, empty and not."""

SOME: tuple[Any, ...] = (True, 3, "x", {"a": 1})
"""One for each way of receiving an answer."""

NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000)
"""Written without quotes: numbers that JSON or Python does not know."""

TEXT = "Hello"
TOTAL = wire.usage()["total_tokens"]


class Field(NamedTuple):
    """One informational field.

    Attributes:
        place: "top", "choice", "message" (also a delta) or "usage".
        path: The keys below it.
    """

    place: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Name it in reports."""
        return ".".join((self.place, *self.path))


def _fields(place: str, *names: str) -> list[Field]:
    return [Field(place, tuple(name.split("."))) for name in names]


FIELDS = [
    *_fields(
        "top",
        *("id", "object", "created", "model", "provider", "system_fingerprint", "service_tier"),
        *("user_id", "citations", "openrouter_metadata", "usage"),
    ),
    *_fields("choice", "native_finish_reason", "logprobs", "other"),
    *_fields(
        "message",
        *("role", "refusal", "reasoning", "reasoning_content", "reasoning_details"),
        *("annotations", "images", "audio", "tool_calls", "function_call", "other"),
    ),
    *_fields(
        "usage",
        *("prompt_tokens", "completion_tokens", "total_tokens", "cost", "is_byok"),
        *("prompt_tokens_details", "completion_tokens_details", "cost_details"),
        *("prompt_tokens_details.cached_tokens", "prompt_tokens_details.other"),
        *("completion_tokens_details.reasoning_tokens", "cost_details.upstream_inference_cost"),
        *("server_tool_use", "other"),
    ),
]


def answer(field: Field, value: Any, *, streamed: bool) -> bytes:
    """Write a good answer in which one field has this value, as a body or as a stream."""
    written = _answer(field, value, streamed=streamed)
    number = str(value).encode()
    return written.replace(b'"%s"' % number, number) if value in NUMBERS else written


def _answer(field: Field, value: Any, *, streamed: bool) -> bytes:
    if not streamed:
        body = copy.deepcopy(wire.body(TEXT))
        _set(_places(body)[field.place], field.path, value)
        return wire.to_json(body)
    events = copy.deepcopy([wire.chunk("Hel"), wire.chunk("lo"), *wire.ending()])
    chosen = events[-1] if field.place == "usage" or field.path == ("usage",) else events[1]
    _set(_places(chosen)[field.place], field.path, value)
    return wire.sse(*events)


def lost_from(message: AIMessage, field: Field) -> list[str]:
    """Name what is lost of the answer: its text, or counts that the field is not part of."""
    lost = [] if message.text == TEXT else ["text"]
    counts = message.usage_metadata
    total = counts["total_tokens"] if counts is not None else None
    if "usage" not in (field.place, *field.path) and total != TOTAL:
        lost.append("usage")
    if message.tool_calls:
        lost.append("a call was invented")
    return lost


def _places(payload: Any) -> dict[str, Any]:
    choice = payload["choices"][0]
    return {
        "top": payload,
        "choice": choice,
        "message": choice.get("message", choice.get("delta")),
        "usage": payload.get("usage"),
    }


def _set(holder: Any, path: tuple[str, ...], value: Any) -> None:
    *parents, name = path
    for parent in parents:
        holder = holder[parent]
    holder[name] = value
