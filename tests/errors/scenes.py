"""What the tests of this folder share: failures to play, and what a caller gets of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3._http.exchange import Sources
from langchain_openrouter_o3.emulator import Canned
from tests import wire
from tests.conftest import KEY
from tests.replay.players import MODES

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
STREAM = {"content-type": "text/event-stream"}
NOW = 1_785_000_000.0

every_mode = pytest.mark.parametrize("mode", MODES)


def build(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    """Make a model that tries once, without chance and with a clock that stands still."""
    arguments = {"base_url": emulator.base_url, "api_key": KEY, "max_retries": 0, **arguments}
    model = ChatOpenRouterO3(**arguments)
    model._sources = Sources(jitter=lambda: 0.0, clock=lambda: NOW)
    return model


def failed(status: int, body: Any, **headers: str) -> Canned:
    """Answer with a status and a body: bytes as they are, anything else as JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    pieces = body if isinstance(body, bytes) else wire.to_json(body)
    return Canned(status=status, headers={**JSON, **named}, pieces=pieces)


def hello() -> Canned:
    """Answer "Hello"."""
    return Canned(headers=JSON, pieces=wire.to_json(wire.body("Hello")))


def failure(emulator: Emulator, mode: str, canned: Canned, **arguments: Any) -> OpenRouterError:
    """Play an answer and return the error that a caller gets."""
    emulator.play(canned)
    with build(emulator, **arguments) as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    return caught.value
