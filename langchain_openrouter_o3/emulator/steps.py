"""What an answer does on the wire, step by step.

A fault bends an answer as plain values: it takes a list of steps and gives another one. Only
`perform` does I/O.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.asgi_messages import HANG_UP, RESET, close_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Message, Send


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
