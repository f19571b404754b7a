"""The steps in which an answer goes over the wire, and faults, which change them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from starlette.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Send

OWN_MESSAGES = "emulator."
"""How the type of each begins."""

# Close the connection without finishing the answer.
HANG_UP: Message = {"type": "emulator.hang_up", "reset": False}
RESET: Message = {"type": "emulator.hang_up", "reset": True}


def close_port(seconds: float) -> Message:
    """Return the message that refuses connections for so many seconds."""
    return {"type": "emulator.close_port", "seconds": seconds}


class Step(ABC):
    """One thing that the server does."""

    @abstractmethod
    async def perform(self, send: Send) -> None:
        """Do it."""


@dataclass(frozen=True)
class Head(Step):
    """Send the status line and the headers. Without a `content-length` the body is chunked."""

    status: int
    headers: tuple[tuple[str, str], ...]

    async def perform(self, send: Send) -> None:
        """Send them."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})


@dataclass(frozen=True)
class Write(Step):
    """Send a piece of the body, in one write to the socket."""

    data: bytes

    async def perform(self, send: Send) -> None:
        """Send it."""
        await send(_piece(self.data))
        # Other answers get their turn, and a client that left is noticed.
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Wait(Step):
    """Do nothing for so many seconds."""

    seconds: float

    async def perform(self, send: Send) -> None:
        """Wait."""
        del send
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class RepeatForever(Step):
    """Send the same piece every so many seconds until the client leaves."""

    data: bytes
    every: float

    async def perform(self, send: Send) -> None:
        """Send and wait in turn; the request log cancels this."""
        while True:
            await send(_piece(self.data))
            await asyncio.sleep(self.every)


@dataclass(frozen=True)
class End(Step):
    """End the body as HTTP wants it."""

    async def perform(self, send: Send) -> None:
        """End it."""
        await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True)
class HangUp(Step):
    """Close the connection with the answer unfinished: politely (FIN), or with a reset (RST)."""

    reset: bool = False

    async def perform(self, send: Send) -> None:
        """Close it."""
        await send(RESET if self.reset else HANG_UP)


@dataclass(frozen=True)
class ClosePort(Step):
    """Refuse connections for so many seconds, idle ones included; running answers go on."""

    seconds: float

    async def perform(self, send: Send) -> None:
        """Close the port now; it opens again by itself."""
        await send(close_port(self.seconds))


async def perform(steps: Iterable[Step], send: Send) -> None:
    """Do all steps of an answer."""
    for step in steps:
        await step.perform(send)


def joined(steps: Iterable[Step], most: int) -> Iterator[Step]:
    """Return the steps with up to so many pieces that follow each other in one write.

    The first piece stands alone, so that a client sees it before the others are made.
    """
    is_first = True
    pieces: list[bytes] = []
    for step in steps:
        if isinstance(step, Write):
            pieces.append(step.data)
        if pieces and (is_first or len(pieces) == most or not isinstance(step, Write)):
            yield Write(b"".join(pieces))
            pieces.clear()
            is_first = False
        if not isinstance(step, Write):
            yield step


def _piece(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


class Fault(ABC):
    """What happens to one answer. A fault is immutable and may be played any number of times."""

    needs_answer: ClassVar[bool] = True
    """Whether the rules have to answer first; a fault that replaces the answer says no."""

    @abstractmethod
    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Return what is to be done instead of the real answer.

        Args:
            answer: The steps of the real answer; none for a fault that replaces it.

        Returns:
            Steps that end with `End`, `HangUp` or `RepeatForever`.
        """


@dataclass(frozen=True)
class Together(Fault):
    """Several faults on one answer, each disturbing what the one before it has left."""

    faults: tuple[Fault, ...]

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Pass the answer through all of them."""
        for fault in self.faults:
            answer = fault.script(answer)
        return answer


def _json_headers() -> Mapping[str, str]:
    return {"content-type": "application/json"}


@dataclass(frozen=True)
class Canned(Fault):
    """An answer to the next request, whatever that request is.

    Attributes:
        status: The HTTP status; with None the connection is closed before a single byte.
        headers: The headers. Without a `content-length` the body is chunked, as OpenRouter's is.
        pieces: The body; each piece is one write to the socket.
        delay: Seconds before the headers.
        pause: Seconds between two pieces.
        cut: Whether the connection is closed after the last piece, with the body unfinished.
    """

    needs_answer: ClassVar[bool] = False

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=_json_headers)
    pieces: bytes | Sequence[bytes] = b""
    delay: float = 0.0
    pause: float = 0.0
    cut: bool = False

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Return the answer, whatever the real one is."""
        del answer
        if self.status is None:
            return [Wait(self.delay), HangUp()]
        steps: list[Step] = [Wait(self.delay), Head(self.status, tuple(self.headers.items()))]
        pieces = [self.pieces] if isinstance(self.pieces, bytes) else self.pieces
        for number, piece in enumerate(pieces):
            steps += [Wait(self.pause if number else 0), Write(piece)]
        return [*steps, HangUp() if self.cut else End()]
