"""The floor's half that talks: bare httpx with `json`. And a raw socket, to judge the server."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from benchmarks.machine import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.answers import Answer
    from benchmarks.contestants import Subject

HEADERS = {"authorization": f"Bearer {KEY}"}
PROMPT: list[dict[str, Any]] = [{"role": "user", "content": "How many sheep are left?"}]
TIMEOUT = 600.0

# As many connections as there are calls, like a client that limits nothing.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


class Bare:
    """Calls the way one writes them by hand."""

    def __init__(
        self, subject: Subject, answer: Answer, messages: list[dict[str, Any]] | None = None
    ) -> None:
        """Open both clients; nothing is sent yet."""
        self._url = f"{subject.base_url(answer)}/chat/completions"
        self._body = {
            "model": "openai/o3-mini",
            "messages": messages or PROMPT,
            "stream": answer.streamed,
        }
        self._client = httpx.Client(timeout=TIMEOUT, limits=LIMITS)
        self._async_client = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS)

    def invoke(self) -> Any:
        """Send a request and decode the JSON body."""
        response = self._client.post(self._url, json=self._body, headers=HEADERS)
        response.raise_for_status()
        return response.json()

    async def ainvoke(self) -> Any:
        """Send a request and decode the JSON body."""
        response = await self._async_client.post(self._url, json=self._body, headers=HEADERS)
        response.raise_for_status()
        return response.json()

    def send(self, attempts: int) -> int:
        """Send a request, encoded once, this many times; return the last status."""
        content = json.dumps(self._body, ensure_ascii=False).encode()
        status = 0
        for _ in range(attempts):
            status = self._client.post(self._url, content=content, headers=HEADERS).status_code
        return status

    def stream(self) -> Iterator[Any]:
        """Send a request and decode the event stream."""
        with self._client.stream("POST", self._url, json=self._body, headers=HEADERS) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield json.loads(line[6:])

    async def astream(self) -> AsyncIterator[Any]:
        """Send a request and decode the event stream."""
        async with self._async_client.stream(
            "POST", self._url, json=self._body, headers=HEADERS
        ) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield json.loads(line[6:])


class RawSocket:
    """Reads a response without looking at it: what the server alone would allow."""

    def __init__(self, subject: Subject, answer: Answer) -> None:
        """Connect."""
        url = urlsplit(subject.base_url(answer))
        self._address = (str(url.hostname), url.port or 80)
        self._socket = socket.create_connection(self._address)
        self._request = (
            f"POST {url.path}/chat/completions HTTP/1.1\r\nhost: {url.netloc}\r\n"
            "content-length: 2\r\n\r\n{}"
        ).encode()

    def invoke(self) -> bytes:
        """Send a request and return all bytes of the response."""
        self._socket.sendall(self._request)
        received = bytearray()
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += self._socket.recv(1024 * 1024)
        return bytes(received)

    async def ainvoke(self) -> bytes:
        """Do the same on an event loop, over a connection of its own."""
        reader, writer = await asyncio.open_connection(*self._address)
        writer.write(self._request)
        received = bytearray()
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += await reader.read(1024 * 1024)
        writer.close()
        return bytes(received)
