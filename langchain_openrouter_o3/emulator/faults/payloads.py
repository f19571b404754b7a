"""Reading the payloads of a real answer, and writing errors in OpenRouter's shapes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    JsonObject,
    encode,
    object_at,
    objects_at,
    parse_object,
    text_at,
)
from langchain_openrouter_o3.emulator.steps import Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_openrouter_o3.emulator.steps import Step

EVENT = b"data: "
DONE = b"data: [DONE]"
_EVENT_END = b"\n\n"
_HEAD = ("id", "object", "created", "model", "provider")


def payload_of(data: bytes) -> JsonObject | None:
    """Return the JSON object of an event or of a whole body; None if there is none."""
    return parse_object(data.removeprefix(EVENT))


def event(payload: JsonObject) -> bytes:
    """Write an event."""
    return EVENT + encode(payload) + _EVENT_END


def is_stream(answer: Sequence[Step]) -> bool:
    """Whether an answer consists of events."""
    return any(isinstance(step, Write) and step.data.startswith(EVENT) for step in answer)


def has_content(data: bytes) -> bool:
    """Whether an event has text, a refusal or a piece of a tool call; a JSON body always has."""
    if not data.startswith(EVENT):
        return bool(data.strip())
    delta = object_at(_choice(data), "delta")
    return any(delta.get(key) for key in ("content", "refusal", "tool_calls"))


def has_finish_reason(data: bytes) -> bool:
    """Whether an event says why the answer ended."""
    return _choice(data).get("finish_reason") is not None


def has_usage(data: bytes) -> bool:
    """Whether an event has the usage."""
    return "usage" in (payload_of(data) or {})


@dataclass(frozen=True)
class RealAnswer:
    """What is known of a real answer when an error takes its place.

    Attributes:
        head: The keys that every chunk begins with.
        text: The whole text.
        usage: The usage.
    """

    head: JsonObject
    text: str
    usage: JsonObject

    @classmethod
    def read(cls, answer: Sequence[Step]) -> RealAnswer:
        """Read the steps of an answer."""
        found = (payload_of(step.data) for step in answer if isinstance(step, Write))
        payloads = [payload for payload in found if payload is not None]
        first: JsonObject = payloads[0] if payloads else {"created": int(time.time())}
        choices = [choice for each in payloads for choice in objects_at(each, "choices")]
        spoken = [object_at(each, "message") or object_at(each, "delta") for each in choices]
        usages = [object_at(each, "usage") for each in payloads]
        return cls(
            head={key: first[key] for key in _HEAD if key in first},
            text="".join(text_at(each, "content") for each in spoken),
            usage=usages[-1] if usages else {},
        )


def _choice(data: bytes) -> JsonObject:
    choices = objects_at(payload_of(data) or {}, "choices")
    return choices[0] if choices else {}
