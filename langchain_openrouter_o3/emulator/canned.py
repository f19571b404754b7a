"""Answers that a test wrote, played to the letter instead of the rules' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from langchain_openrouter_o3.emulator.fault import Fault
from langchain_openrouter_o3.emulator.steps import End, HangUp, Head, Step, Wait, Write


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
