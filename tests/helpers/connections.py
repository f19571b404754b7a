"""Event loops to call on, and the connections that a server sees."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator

T = TypeVar("T")

LOOPS = ["asyncio", "uvloop"]
PATIENCE = 30.0
"""Seconds until a test gives up; only a failing test waits that long."""

needs_signals = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def run_on(kind: str, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, on a loop of this kind."""
    if kind == "asyncio":
        return asyncio.run(coroutine)
    loop: asyncio.AbstractEventLoop = uvloop().new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def uvloop() -> Any:
    """Return the module, or skip visibly; it does not exist for Windows."""
    return pytest.importorskip("uvloop")


def story(words: int) -> str:
    """Return the emulator's answer to `repeat … words`."""
    return " ".join(f"word{number}" for number in range(1, words + 1))


def open_connections(server: Emulator) -> int:
    """Count the connections that the server sees."""
    return len(server._server.server_state.connections)


def wait_for_connections(server: Emulator, expected: int) -> None:
    """Wait until the server sees so many connections."""
    end = time.monotonic() + PATIENCE
    while open_connections(server) != expected:
        assert time.monotonic() < end, f"{open_connections(server)} connections, not {expected}"
        time.sleep(0.002)


async def settle(server: Emulator, model: ChatOpenRouterO3, calls: int = 1) -> None:
    """Make so many calls at once and wait until there are no more connections than they need.

    What was idle is used by these calls; a connection beyond them is of no use to anybody.

    Raises:
        AssertionError: There are more, or an answer is somebody else's.
    """
    prompts = [f"What is {number}+7000?" for number in range(calls)]
    answers = await asyncio.gather(*map(model.ainvoke, prompts))
    assert all(str(number + 7000) in answer.text for number, answer in enumerate(answers))
    end = time.monotonic() + PATIENCE
    while open_connections(server) > calls:
        assert time.monotonic() < end, f"{open_connections(server)} open, {calls} needed"
        await asyncio.sleep(0.002)
