"""Answers that break off or pause."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.faults.position import (
    EVENT,
    Place,
    Where,
    check_count,
    check_seconds,
    is_stream,
)
from langchain_openrouter_o3.emulator.wire.responses import COMMENT, PADDING
from langchain_openrouter_o3.emulator.wire.sending import (
    ClosePort,
    End,
    Fault,
    HangUp,
    RepeatForever,
    Step,
    Wait,
    Write,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Break(Fault):
    """The real answer up to a place, and then something else.

    Attributes:
        place: How much of the answer is sent.
        then: What is done instead of the rest.
    """

    place: Place
    then: tuple[Step, ...]

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Break the answer off."""
        return [*self.place.split(answer)[0], *self.then]


def reset(at: Where = "mid-event", *, events: int = 1, after_bytes: int | None = None) -> Fault:
    """The connection is reset (RST) in the middle of the answer.

    Args:
        at: The place: before-headers, after-headers, after-events, mid-event, mid-character,
            before-finish, before-usage or before-done.
        events: Events with content before the place after-events, mid-event or mid-character.
        after_bytes: Bytes of the body before the reset; replaces `at` and `events`.

    Raises:
        ValueError: An argument makes no sense.
    """
    return Break(Place(at, events, after_bytes), (HangUp(reset=True),))


def close(at: Where = "mid-event", *, events: int = 1, after_bytes: int | None = None) -> Fault:
    """The connection is closed (FIN) in the middle of the answer.

    Args:
        at: The place, as for reset.
        events: Events with content before the place after-events, mid-event or mid-character.
        after_bytes: Bytes of the body before the close; replaces `at` and `events`.

    Raises:
        ValueError: An argument makes no sense.
    """
    return Break(Place(at, events, after_bytes), (HangUp(),))


def end(at: Where = "before-finish", *, events: int = 1, after_bytes: int | None = None) -> Fault:
    """The body ends too early, but as HTTP wants it: no transport notices.

    Args:
        at: The place, as for reset, but not before-headers.
        events: Events with content before the place after-events, mid-event or mid-character.
        after_bytes: Bytes of the body before its end; replaces `at` and `events`.

    Raises:
        ValueError: An argument makes no sense.
    """
    if at == "before-headers" and after_bytes is None:
        raise ValueError("a body cannot end before the headers")
    return Break(Place(at, events, after_bytes), (End(),))


def refuse(seconds: float) -> Fault:
    """The port is closed: this request is reset before the headers, and then nobody can connect.

    Idle connections are closed; other running answers go on. The same port opens again.

    Args:
        seconds: How long connections are refused.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_seconds("seconds", seconds)
    return Break(Place("before-headers"), (ClosePort(seconds), HangUp(reset=True)))


@dataclass(frozen=True)
class Stall(Fault):
    """A wait at one place."""

    place: Place
    seconds: float

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Wait between the two parts of the answer."""
        before, after = self.place.split(answer)
        return [*before, Wait(self.seconds), *after]


@dataclass(frozen=True)
class SlowEvents(Fault):
    """A wait before each event but the first."""

    seconds: float

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Wait between the events."""
        steps: list[Step] = []
        for step in answer:
            is_event = isinstance(step, Write) and step.data.startswith(EVENT)
            has_waited = any(isinstance(each, Write) for each in steps)
            steps += [Wait(self.seconds), step] if is_event and has_waited else [step]
        return steps


@dataclass(frozen=True)
class Comments(Fault):
    """Signs of life instead of the answer, or before it goes on."""

    place: Place
    every: float
    count: int | None

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Write comments into a stream, and white space into a JSON body."""
        before, after = self.place.split(answer)
        data = COMMENT if is_stream(answer) else PADDING
        if self.count is None:
            return [*before, RepeatForever(data, self.every)]
        return [*before, *[Write(data), Wait(self.every)] * self.count, *after]


@dataclass(frozen=True)
class Trickle(Fault):
    """A body in small pieces."""

    size: int
    pause: float

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Cut each write into pieces."""
        return [*chain.from_iterable(self._pieces(step) for step in answer)]

    def _pieces(self, step: Step) -> Sequence[Step]:
        if not isinstance(step, Write):
            return [step]
        starts = range(0, len(step.data), self.size)
        pieces = [Write(step.data[start : start + self.size]) for start in starts]
        return [*chain.from_iterable((piece, Wait(self.pause)) for piece in pieces)]


def stall(seconds: float, *, at: Where = "before-headers", events: int = 1) -> Fault:
    """The answer stands still once, and then goes on.

    Args:
        seconds: How long.
        at: The place, as for reset.
        events: Events with content before the place after-events, mid-event or mid-character.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_seconds("seconds", seconds)
    return Stall(Place(at, events), seconds)


def pace(seconds: float) -> Fault:
    """The events of the stream come slowly, each whole. A JSON body is not slowed.

    Args:
        seconds: Between two events.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_seconds("seconds", seconds)
    return SlowEvents(seconds)


def comments(
    every: float,
    *,
    count: int | None = None,
    at: Where = "after-headers",
    events: int = 1,
) -> Fault:
    """Comments come instead of the answer; in a JSON body, lines of white space.

    Args:
        every: Seconds after each comment.
        count: How many comments before the answer goes on; by default it never does.
        at: The place, as for reset, but between events: after-headers or after-events.
        events: Events with content before the place after-events.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_seconds("every", every, zero=False)
    if count is not None:
        check_count("count", count, 1)
    if at not in {"after-headers", "after-events"}:
        raise ValueError(f"comments come at after-headers or after-events, not at {at!r}")
    return Comments(Place(at, events), every, count)


def trickle(size: int, *, pause: float = 0.0) -> Fault:
    """The body is written in small pieces, wherever that cuts events and characters.

    Args:
        size: Bytes of a piece.
        pause: Seconds after each piece.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_count("size", size, 1)
    check_seconds("pause", pause)
    return Trickle(size, pause)
