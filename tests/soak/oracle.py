"""What the documentation promises for a sequence of faults, worked out anew.

It shares no code with the client: docs/decisions.md ("What is repeated, and what not") and
docs/quickstart.md are its sources.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.soak.fault_kinds import CLOSED, DOOR, KINDS, TRIED_AGAIN, Failure
from tests.soak.plan import Call

LONGEST_WAIT = 60


class Promise(NamedTuple):
    """What must come of a call that its caller does not leave.

    Attributes:
        attempts: How many requests the server sees.
        failure: How the last one fails; None if it is answered.
        kind: The fault that the last one met.
    """

    attempts: int
    failure: Failure | None
    kind: str | None


def promise(call: Call) -> Promise:
    """Say how many attempts a call makes and how it ends."""
    if call.caller == "door":
        return _at_the_door(call.kinds[0])
    for number, kind in enumerate(call.kinds, 1):
        failure = _failure_of(kind, stream=call.stream)
        is_last = number > call.max_retries
        if failure is None or is_last or not is_tried_again(failure, stream=call.stream):
            return Promise(number, failure, kind)
    raise AssertionError("a call has a fault, or none, for each attempt")


def is_tried_again(failure: Failure, *, stream: bool) -> bool:
    """Whether another attempt may follow, as far as the failure decides it."""
    if stream and failure.arrived not in {0, "half"}:
        return False  # content was delivered; half a text in an error's own body never is
    if failure.wait > LONGEST_WAIT:
        return False
    if failure.word is not None:
        return failure.word
    return failure.status in TRIED_AGAIN


def arrived(call: Call, failure: Failure) -> str | None:
    """Return what the error's `partial` must say; None if that cannot be foretold."""
    if failure.arrived == "some":
        return None
    if failure.arrived == "all":
        return call.answer
    if failure.arrived == "half":
        return "" if call.shape == "tool" else call.answer[: len(call.answer) // 2]
    return call.beginning(int(failure.arrived))


def _failure_of(kind: str | None, *, stream: bool) -> Failure | None:
    if kind is None:
        return None
    return KINDS[kind].stream if stream else KINDS[kind].whole


def _at_the_door(kind: str | None) -> Promise:
    """A refused connection is tried again, and the server never sees it; a lost one is not."""
    if kind == CLOSED:
        return Promise(1, None, kind)
    return Promise(0 if kind == "tls-handshake" else 1, DOOR, kind)
