"""A client without manners: it shows the bytes of an answer, and how the connection ended."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .chat import user

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

SECONDS = 30


@dataclass
class RawAnswer:
    """An answer as it came.

    Attributes:
        head: The status line and the headers; empty if none came.
        body: The body, without the sizes of its chunks.
        is_whole: Whether the body ended as HTTP wants it.
        is_reset: Whether the connection ended with a reset.
    """

    head: str
    body: bytes
    is_whole: bool
    is_reset: bool

    @property
    def status(self) -> int:
        """The HTTP status; 0 if no head came."""
        return int(self.head.split()[1]) if self.head else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case."""
        pairs = (line.split(": ", 1) for line in self.head.split("\r\n")[1:])
        return {name.lower(): value for name, value in pairs}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        """The events, comments among them; the last one may be broken."""
        return self.body.decode("utf-8", "replace").split("\n\n")

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The JSON of all whole events."""
        return [json.loads(each[6:]) for each in self.events[:-1] if each.startswith("data: {")]

    @property
    def words(self) -> list[str]:
        """The words of the text in all whole events."""
        choices = [choice for payload in self.payloads for choice in payload.get("choices", [])]
        return "".join(choice["delta"]["content"] or "" for choice in choices).split()


def address(emulator: Emulator) -> tuple[str, int]:
    """Return where the emulator listens."""
    url = urlsplit(emulator.base_url)
    return str(url.hostname), int(url.port or 0)


def ask(emulator: Emulator, prompt: str = "echo a b c d", *, stream: bool = True) -> RawAnswer:
    """Send a chat request on a connection of its own and take everything that comes back."""
    return ask_at(address(emulator), prompt, stream=stream)


def ask_at(where: tuple[str, int], prompt: str, *, stream: bool) -> RawAnswer:
    """Do the same with a server that is known by its address."""
    body = {"model": "openai/o3-mini", "messages": [user(prompt)], "stream": stream}
    raw = json.dumps(body).encode()
    head = (
        "POST /api/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
        f"connection: close\r\ncontent-length: {len(raw)}\r\n\r\n"
    )
    received, is_reset = b"", False
    with socket.create_connection(where, timeout=SECONDS) as connection:
        connection.sendall(head.encode() + raw)
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            is_reset = True
    start, _, rest = received.partition(b"\r\n\r\n")
    is_chunked = b"transfer-encoding: chunked" in start.lower()
    content, is_whole = _unchunked(rest) if is_chunked else (rest, bool(start))
    return RawAnswer(start.decode(), content, is_whole, is_reset)


def _unchunked(rest: bytes) -> tuple[bytes, bool]:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return body, True
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body, False
