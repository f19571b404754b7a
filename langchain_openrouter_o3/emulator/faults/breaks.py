"""Answers that break off, in three ways: with a reset, with a plain close, with a regular end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.fault import Fault
from langchain_openrouter_o3.emulator.faults.checks import check_seconds
from langchain_openrouter_o3.emulator.faults.place import Place, Where
from langchain_openrouter_o3.emulator.steps import ClosePort, End, HangUp, Step

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
