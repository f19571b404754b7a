"""A small client for the emulator: plain httpx, no mapping that could hide the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
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
            base_url=emulator.base_url,
            headers={"authorization": "Bearer sk-or-test"},
            timeout=30,
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
