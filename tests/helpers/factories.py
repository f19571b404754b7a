"""Models to ask and answers to play, as most tests need them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import pytest
from langchain_core.messages import AIMessageChunk

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3._http.exchange import Sources
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
STREAM = {"content-type": "text/event-stream"}
NOW = 1_785_000_000.0


class HasURL(Protocol):
    """A server that models can ask."""

    @property
    def base_url(self) -> str: ...


def build(server: HasURL, **arguments: Any) -> ChatOpenRouterO3:
    """Make a model with its default settings, but for what a test names."""
    return ChatOpenRouterO3(**{"base_url": server.base_url, "api_key": KEY, **arguments})


def build_once(server: HasURL, **arguments: Any) -> ChatOpenRouterO3:
    """Make a model that never tries again, unless told otherwise."""
    return build(server, **{"max_retries": 0, **arguments})


def build_at_rest(server: HasURL, **arguments: Any) -> ChatOpenRouterO3:
    """Make a model that tries once, without jitter and with a clock that stands still."""
    model = build_once(server, **arguments)
    model._sources = Sources(jitter=lambda: 0.0, clock=lambda: NOW)
    return model


def streamed(*payloads: wire.Json | str, done: bool = True) -> Canned:
    """Answer with a stream of these events."""
    return Canned(headers=STREAM, pieces=wire.sse(*payloads, done=done))


def whole(payload: Any) -> Canned:
    """Answer with a JSON body behind the usual padding."""
    return Canned(headers=JSON, pieces=wire.PADDING * 2 + wire.to_json(payload))


def answer(mode: str, body: wire.Json) -> Canned:
    """Answer with a body, in the form that a mode asks for."""
    if "stream" not in mode:
        return whole(body)
    (choice,) = body["choices"]
    message = {key: value for key, value in choice["message"].items() if value is not None}
    chunk = {key: value for key, value in body.items() if key != "usage"}
    event = {**choice, "delta": message, "finish_reason": None, "native_finish_reason": None}
    del event["message"]
    last = {**choice, "delta": {}}
    del last["message"]
    kind = "chat.completion.chunk"
    ending = {**chunk, "object": kind, "choices": [last], "usage": body["usage"]}
    return streamed({**chunk, "object": kind, "choices": [event]}, ending)


def hello(mode: str = "invoke") -> Canned:
    """Answer "Hello" in the form that a mode asks for."""
    if "stream" in mode:
        return streamed(wire.chunk("Hello"), *wire.ending())
    return whole(wire.body("Hello"))


def error_answer(status: int, body: Any, **headers: str) -> Canned:
    """Answer with a status and a body: bytes as they are, anything else as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    pieces = body if isinstance(body, bytes) else wire.to_json(body)
    return Canned(status=status, headers={**JSON, **named}, pieces=pieces)


def failed(status: int, body: wire.Json | None = None, **headers: str) -> Canned:
    """Answer with an error status that asks for a wait of a millisecond, unless told otherwise."""
    body = wire.error(status, "No") if body is None else body
    return error_answer(status, body, **(headers or {"retry_after_ms": "1"}))


def refused() -> Canned:
    """Ask for another attempt, after a millisecond."""
    return failed(429)


def endless() -> Canned:
    """Answer with a slow stream of numbers that nobody hears to its end."""
    words = [wire.sse(wire.chunk(f"{number} "), done=False) for number in range(10_000)]
    return Canned(headers=STREAM, pieces=words, pause=0.01)


def failure(emulator: Emulator, mode: str, canned: Canned, **arguments: Any) -> OpenRouterError:
    """Play an answer to a model at rest and return the error that a caller gets."""
    emulator.play(canned)
    with build_at_rest(emulator, **arguments) as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    return caught.value


def sent(emulator: Emulator, position: int = -1) -> dict[str, Any]:
    """Return the body of a request that reached the emulator."""
    body = emulator.requests[position].body
    assert body is not None
    return body


def sum_up(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    """Add up a stream, as LangChain does."""
    first, *others = chunks
    total = first
    for chunk in others:
        total += chunk
    return total


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}."
