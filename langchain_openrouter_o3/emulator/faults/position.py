"""Where a fault strikes: at which event, byte or part of an answer; and checks of its arguments."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args

from langchain_openrouter_o3.emulator.json_value import (
    JsonObject,
    encode,
    object_at,
    objects_at,
    parse_object,
    text_at,
)
from langchain_openrouter_o3.emulator.wire.sending import Head, Step, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def check_seconds(name: str, value: object, *, zero: bool = True) -> None:
    """Refuse what is no length of time.

    Raises:
        ValueError: It is negative, infinite or no number, or 0 where that is not allowed.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_long_enough = value >= 0 if zero else value > 0
        if is_long_enough and isfinite(value):
            return
    wanted = "0 or more" if zero else "more than 0"
    raise ValueError(f"{name} is a number of seconds, {wanted}, not {value!r}")


def check_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is no count.

    Raises:
        ValueError: It is no integer or out of bounds.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        highest = value if most is None else most
        if least <= value <= highest:
            return
    bounds = f"{least} or more" if most is None else f"from {least} to {most}"
    raise ValueError(f"{name} is a whole number, {bounds}, not {value!r}")


def check_one_of(name: str, value: str, choices: object) -> None:
    """Refuse a word that is not in a `Literal`.

    Raises:
        ValueError: It is not.
    """
    if value not in get_args(choices):
        raise ValueError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")


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


Where = Literal[
    "before-headers",
    "after-headers",
    "after-events",
    "mid-event",
    "mid-character",
    "before-finish",
    "before-usage",
    "before-done",
]

_ENDINGS: dict[str, Callable[[bytes], bool]] = {
    "before-finish": has_finish_reason,
    "before-usage": has_usage,
    "before-done": lambda data: data.startswith(DONE),
}
_BEGINNING_OF_A_CHARACTER = "€".encode()[:2]
_CONTINUATION = range(0x80, 0xC0)

Split = tuple[list[Step], list[Step]]


@dataclass(frozen=True)
class Place:
    """A place in an answer.

    An answer that is shorter is struck as late as it can be. In a whole JSON body, which is one
    event, every place behind the padding but `after-events` is inside the body.

    Attributes:
        where: Which kind of place.
        events: How many events with content (text or a piece of a tool call) come before it, for
            `after-events`, `mid-event` and `mid-character`; with 0 it is at the first event.
        after_bytes: How many bytes of the body come before it; replaces `where` and `events`.
    """

    where: Where = "mid-event"
    events: int = 1
    after_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no place."""
        check_one_of("at", self.where, Where)
        check_count("events", self.events, 0)
        if self.after_bytes is not None:
            check_count("after_bytes", self.after_bytes, 0)

    def split(self, answer: Sequence[Step]) -> Split:
        """Return the steps before this place and those behind it."""
        if self.after_bytes is not None:
            return _after_bytes(answer, self.after_bytes)
        if self.where == "before-headers":
            return [], [*answer]
        head = next((i for i, step in enumerate(answer) if isinstance(step, Head)), -1)
        if self.where == "after-headers":
            return _cut(answer, head + 1)
        if self.where in _ENDINGS:
            return _before_ending(answer, _ENDINGS[self.where])
        number = _after_content(answer, self.events)
        if self.where == "after-events":
            return _cut(answer, number)
        inside = _inside_event if self.where == "mid-event" else _inside_character
        return inside(answer, number)


def _cut(answer: Sequence[Step], number: int) -> Split:
    return [*answer[:number]], [*answer[number:]]


def _cut_write(answer: Sequence[Step], number: int, first: bytes, rest: bytes) -> Split:
    return [*answer[:number], Write(first)], [Write(rest), *answer[number + 1 :]]


def _writes(answer: Sequence[Step]) -> list[tuple[int, bytes]]:
    return [(number, step.data) for number, step in enumerate(answer) if isinstance(step, Write)]


def _events(answer: Sequence[Step]) -> list[tuple[int, bytes]]:
    """Return the events with their places; a body without any has its last write for one."""
    writes = _writes(answer)
    return [each for each in writes if each[1].startswith(EVENT)] or writes[-1:]


def _after_content(answer: Sequence[Step], count: int) -> int:
    """Return the number of the step that follows so many events with content."""
    events = _events(answer)
    first = events[0][0] if events else len(answer)
    contents = [number for number, data in events if has_content(data)]
    return contents[:count][-1] + 1 if count and contents else first


def _before_ending(answer: Sequence[Step], is_ending: Callable[[bytes], bool]) -> Split:
    found = next((number for number, data in _events(answer) if is_ending(data)), None)
    is_stream = any(data.startswith(EVENT) for _, data in _writes(answer))
    if found is None or not is_stream:
        return _inside_event(answer, 0)
    return _cut(answer, found)


def _inside_event(answer: Sequence[Step], number: int) -> Split:
    writes = _writes(answer)
    events = _events(answer)
    later = [each for each in events if each[0] >= number] or events[-1:]
    if not writes:
        return [*answer], []
    number, data = later[0]
    middle = len(data) // 2
    while middle and data[middle] in _CONTINUATION:
        middle -= 1  # in the middle of an event, but not of a character
    return _cut_write(answer, number, data[:middle], data[middle:])


def _inside_character(answer: Sequence[Step], number: int) -> Split:
    for place, data in _events(answer):
        wide = next((i for i, byte in enumerate(data) if byte in _CONTINUATION), None)
        is_behind = place >= number or not data.startswith(EVENT)
        if wide is not None and is_behind:
            return _cut_write(answer, place, data[:wide], data[wide:])
    before, after = _inside_event(answer, number)
    return [*before, Write(_BEGINNING_OF_A_CHARACTER)], after


def _after_bytes(answer: Sequence[Step], count: int) -> Split:
    left = count
    writes = _writes(answer)
    for number, data in writes:
        if left < len(data):
            return (
                _cut_write(answer, number, data[:left], data[left:])
                if left
                else _cut(answer, number)
            )
        left -= len(data)
    return _cut(answer, writes[-1][0] + 1) if writes else ([*answer], [])
