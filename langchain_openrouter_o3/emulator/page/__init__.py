"""The page for people at `/`: the exchanges of an emulator as they happen.

The page is three files without a build step. It learns from `/_emulator/events` (server-sent
events) which exchanges changed, and fetches the one that is opened. None of these requests is in
`Emulator.requests`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router

from langchain_openrouter_o3.emulator.page.exchanges import ExchangeLog, Viewer
from langchain_openrouter_o3.emulator.page.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ExchangeLog", "Page"]

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# Changes that come close together are told at once.
_SECONDS_BETWEEN_NEWS = 0.1


class Page:
    """Serves the page and its data; every other request goes on to the emulator."""

    def __init__(self, exchanges: ExchangeLog) -> None:
        """Show the exchanges of a log."""
        self._exchanges = exchanges
        self._view = View()
        # A page that outlived a restart of the emulator sees another run, and starts anew.
        self._run = secrets.token_hex(8)

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application with the page in front of another application."""
        router = Router(
            [
                Route("/", self._file),
                Route("/_emulator/page.{kind}", self._file),
                Route("/_emulator/events", self._events),
                Route("/_emulator/exchanges/{number:int}", self._exchange),
            ],
        )

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            is_ours = scope["path"] == "/" or scope["path"].startswith("/_emulator/")
            chosen = router if is_ours and scope["method"] == "GET" else app
            await chosen(scope, receive, send)

        return served

    async def _file(self, request: Request) -> Response:
        kind = request.path_params.get("kind", "html")
        if kind not in _TYPES:
            return Response("There is no such file.", 404, media_type="text/plain")
        content = files(__name__).joinpath(f"page.{kind}").read_bytes()
        return Response(content, headers=_HEADERS, media_type=_TYPES[kind])

    async def _exchange(self, request: Request) -> Response:
        exchange = self._exchanges.find(request.path_params["number"])
        if exchange is None:
            return Response("This exchange is not kept.", 404, media_type="text/plain")
        text = self._view.details(exchange)
        return Response(text.encode("utf-8", "replace"), 200, _HEADERS, "application/json")

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._news(), 200, _HEADERS, "text/event-stream")

    async def _news(self) -> AsyncIterator[bytes]:
        viewer = Viewer(self._exchanges.numbers())
        self._exchanges.viewers.add(viewer)
        try:
            yield _event("run", json.dumps(self._run))
            while True:
                numbers = await viewer.news()
                yield _event("oldest", json.dumps(self._exchanges.oldest))
                for number in numbers:
                    if exchange := self._exchanges.find(number):
                        yield _event("exchange", self._view.summary(exchange))
                await asyncio.sleep(_SECONDS_BETWEEN_NEWS)
        finally:
            self._exchanges.viewers.discard(viewer)


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode("utf-8", "replace")
