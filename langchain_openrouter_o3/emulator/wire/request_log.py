"""The requests that reached the emulator, and whether each client stayed for its answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langchain_openrouter_o3.emulator.json_value import parse_object, text_at
from langchain_openrouter_o3.emulator.wire import chat_request
from langchain_openrouter_o3.emulator.wire.sending import HANG_UP, OWN_MESSAGES, Fault

Breaker = Callable[[Scope, Message], Awaitable[None]]

REQUEST = "emulator.request"
"""Where the scope has the `ReceivedRequest`."""


class ReceivedRequest:
    """A request as it came over the wire.

    Attributes:
        method: The HTTP method.
        path: The path, without a query.
        headers: The headers, names in lower case.
        raw: The bytes of the body.
        body: The body as JSON; None if it is no object.
        fault: What was played instead of the answer or upon it; None if nothing was.
        outcome: In words, what the answer says; empty until there is one.
    """

    def __init__(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        """Keep the parts of a request; header names are in lower case."""
        self.method = method
        self.path = path
        self.headers = headers
        self.raw = raw
        self.body: dict[str, Any] | None = parse_object(raw)
        self.fault: Fault | None = None
        self.outcome = ""
        self._disconnected = threading.Event()

    def __repr__(self) -> str:
        """Show the request without its headers, which hold the key."""
        return f"<ReceivedRequest {self.method} {self.path} with {len(self.raw)} bytes>"

    @property
    def model(self) -> str:
        """The slug of the model; empty if there is none."""
        return text_at(self.body or {}, "model")

    @property
    def messages(self) -> tuple[chat_request.Message, ...]:
        """The messages of the conversation."""
        return chat_request.messages_of(self.body or {})

    @property
    def text(self) -> str:
        """The text of the last message: the newest prompt, or the result of a tool."""
        return self.messages[-1].text if self.messages else ""

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the functions that the model may call."""
        return tuple(
            text_at(function, "name") for function in chat_request.function_tools(self.body or {})
        )

    @property
    def is_stream(self) -> bool:
        """Whether the answer is to be streamed."""
        return (self.body or {}).get("stream") is True

    @property
    def disconnected(self) -> bool:
        """Whether the client hung up before its answer was complete."""
        return self._disconnected.is_set()

    def wait_disconnected(self, timeout: float) -> bool:
        """Wait until the client has hung up; return whether it has, after so many seconds."""
        return self._disconnected.wait(timeout)

    def mark_disconnected(self) -> None:
        """Note that the client hung up."""
        self._disconnected.set()


class RequestLog:
    """An ASGI layer that keeps every request and notices clients that leave.

    Starlette looks for that only while it streams; the emulator also has to notice it while an
    answer waits, so this layer watches the connection and cancels the answer.
    """

    def __init__(self, app: ASGIApp, break_: Breaker) -> None:
        """Wrap an application, with a way to carry out our own messages: to break things."""
        self.requests: list[ReceivedRequest] = []
        self._app = app
        self._break = break_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raw = await _whole_body(receive)
        if raw is None:
            return
        request = _received(scope, raw)
        self.requests.append(request)
        answer = _Answer(send, lambda message: self._break(scope, message))
        answered = self._app({**scope, REQUEST: request}, _replayed(raw), answer.send)
        answering = asyncio.ensure_future(answered)
        # After the whole body there is only one thing left to receive: `http.disconnect`.
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not answer.is_over:
                request.mark_disconnected()
            else:
                await answering
            if answer.hung_up:
                # Uvicorn complains of an unfinished answer unless the connection is gone by then.
                await leaving
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)


class _Answer:
    """The sending side of one request, which knows when the answer is over."""

    def __init__(self, send: Send, break_: Callable[[Message], Awaitable[None]]) -> None:
        self.is_over = False
        self.hung_up = False
        self._send = send
        self._break = break_

    async def send(self, message: Message) -> None:
        if message["type"] == HANG_UP["type"]:
            self.is_over = self.hung_up = True
        elif not message["type"].startswith(OWN_MESSAGES):
            self.is_over = message["type"] == "http.response.body" and not message.get("more_body")
            await self._send(message)
            return
        await self._break(message)


async def _whole_body(receive: Receive) -> bytes | None:
    """Return the body, or None if the client left while it was sending."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replayed(raw: bytes) -> Receive:
    """Return a `receive` that gives the body again and then waits: leaving is seen elsewhere."""
    messages: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def _received(scope: Scope, raw: bytes) -> ReceivedRequest:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    return ReceivedRequest(scope["method"], scope["path"], named, raw)
