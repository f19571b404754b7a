"""Clients without any mapping that could hide the wire: one of httpx, one of a bare socket."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from langchain_openrouter_o3.emulator import Emulator

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def user(text: str) -> dict[str, Any]:
    """Return a user message."""
    return {"role": "user", "content": text}


def closed(**properties: Any) -> dict[str, Any]:
    """Return a strict object schema."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def tool(name: str, description: str = "", /, **properties: Any) -> dict[str, Any]:
    """Return a function tool that requires all its parameters."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def strict(schema: dict[str, Any], name: str = "Answer") -> dict[str, Any]:
    """Return a strict response format."""
    json_schema = {"name": name, "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": json_schema}


def chunks(text: str) -> list[dict[str, Any]]:
    """Return the chunks of a stream."""
    data = [event[6:] for event in text.split("\n\n") if event.startswith("data: ")]
    return [json.loads(each) for each in data if each != "[DONE]"]


def deltas(text: str) -> list[dict[str, Any]]:
    """Return the deltas of a stream."""
    return [chunk["choices"][0]["delta"] for chunk in chunks(text)]


class Chat:
    """Asks the emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.client = httpx.Client(
            base_url=emulator.base_url, headers={"authorization": "Bearer sk-or-test"}, timeout=30
        )

    def post(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> httpx.Response:
        """Send a chat request."""
        messages = [user(prompt)] if isinstance(prompt, str) else prompt
        body = {"model": "openai/o3-mini", "messages": messages, **parameters}
        return self.client.post("/chat/completions", json=body)

    def answer(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Return the body of a good answer."""
        response = self.post(prompt, **parameters)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def message(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Return the message of a good answer."""
        message: dict[str, Any] = self.answer(prompt, **parameters)["choices"][0]["message"]
        return message

    def text(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> str:
        """Return the text of a good answer."""
        return str(self.message(prompt, **parameters)["content"])

    def calls(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> list[tuple[str, Any]]:
        """Return the names and arguments of the calls in a good answer."""
        calls = self.message(prompt, **parameters).get("tool_calls", [])
        functions = [call["function"] for call in calls]
        return [(each["name"], json.loads(each["arguments"])) for each in functions]

    def extract(self, schema: dict[str, Any], prompt: str) -> Any:
        """Return the JSON of an answer bound to a schema."""
        return json.loads(self.text(prompt, response_format=strict(schema)))

    def stream(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> str:
        """Return the text of a whole stream."""
        response = self.post(prompt, stream=True, **parameters)
        assert response.status_code == 200, response.text
        return response.text

    def error(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Return the error of a refusal."""
        response = self.post(prompt, **parameters)
        assert response.status_code >= 400, response.text
        error: dict[str, Any] = response.json()["error"]
        assert error["code"] == response.status_code
        return error

    def upstream(self, prompt: str | list[dict[str, Any]], **parameters: Any) -> dict[str, Any]:
        """Return what the provider said in a refusal that OpenRouter passed on."""
        error = self.error(prompt, **parameters)
        assert error["message"] == "Provider returned error"
        assert error["metadata"]["provider_name"] == "OpenAI"
        assert error["metadata"]["is_byok"] is False
        said: dict[str, Any] = json.loads(error["metadata"]["raw"])["error"]
        assert list(said) == ["message", "type", "param", "code"]
        return said


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
