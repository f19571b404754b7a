"""What the tests of this folder share: answers to play, models to ask, bodies to look at."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Canned
from tests import wire
from tests.conftest import KEY
from tests.replay.players import MODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import AIMessageChunk

    from langchain_openrouter_o3.emulator import Emulator

JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream"}

every_mode = pytest.mark.parametrize("mode", MODES)
streamed_modes = pytest.mark.parametrize("mode", ["stream", "astream"])


def build(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    """Make a model with its default settings, but for what a test names."""
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, **arguments)


def streamed(*payloads: wire.Json | str, done: bool = True) -> Canned:
    """Answer with a stream of these events."""
    return Canned(headers=STREAM, pieces=wire.sse(*payloads, done=done))


def whole(payload: Any) -> Canned:
    """Answer with a JSON body behind the usual padding."""
    return Canned(headers=JSON, pieces=wire.PADDING * 2 + wire.to_json(payload))


def hello(mode: str = "invoke") -> Canned:
    """Answer "Hello" in the form that a mode asks for."""
    if "stream" in mode:
        return streamed(wire.chunk("Hello"), *wire.ending())
    return whole(wire.body("Hello"))


def failed(status: int, payload: wire.Json | None = None, **headers: str) -> Canned:
    """Answer with an error status that asks for a wait of a millisecond, unless told otherwise."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = wire.error(status, "No") if payload is None else payload
    return Canned(
        status=status,
        headers={**JSON, **(named or {"retry-after-ms": "1"})},
        pieces=wire.to_json(body),
    )


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


def run_clean(script: str, *arguments: str, **environment: str) -> str:
    """Run a script in a process of its own, which must not write to stderr; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
