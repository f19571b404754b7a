"""Answers that a test wrote, played to the letter instead of the rules' answers."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.request_log import HANG_UP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

CHAT_PATH = "/api/v1/chat/completions"


def _json_headers() -> Mapping[str, str]:
    return {"content-type": "application/json"}


@dataclass(frozen=True)
class Canned:
    """An answer to the next request, whatever that request is.

    Attributes:
        status: The HTTP status; with None the connection is closed before a single byte.
        headers: The headers. Without a `content-length` the body is chunked, as OpenRouter's is.
        pieces: The body; each piece is one write to the socket.
        delay: Seconds before the headers.
        pause: Seconds between two pieces.
        cut: Whether the connection is closed after the last piece, with the body unfinished.
    """

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=_json_headers)
    pieces: bytes | Sequence[bytes] = b""
    delay: float = 0.0
    pause: float = 0.0
    cut: bool = False

    async def play(self, send: Send) -> None:
        """Send the answer."""
        await asyncio.sleep(self.delay)
        if self.status is None:
            await send(HANG_UP)
            return
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        pieces = [self.pieces] if isinstance(self.pieces, bytes) else self.pieces
        for number, piece in enumerate(pieces):
            await asyncio.sleep(self.pause if number else 0)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send(HANG_UP if self.cut else {"type": "http.response.body", "body": b""})


class CannedAnswers:
    """An ASGI layer that plays the queued answers to chat requests, and then steps aside."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.queue: deque[Canned] = deque()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Play the next answer if there is one for this request."""
        if self.queue and (scope["method"], scope["path"]) == ("POST", CHAT_PATH):
            await self.queue.popleft().play(send)
        else:
            await self._app(scope, receive, send)
