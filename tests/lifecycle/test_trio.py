"""The model's own hooks under trio; langchain-core's `ainvoke` and `astream` need asyncio.

`ainvoke` ends in `BaseChatModel.agenerate`, which calls `asyncio.gather`, and `astream` in the
callback manager's `shielded`, which calls `asyncio.create_task`, before any hook is reached.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGenerationChunk

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.connections import PATIENCE, open_connections, story, wait_for_connections
from tests.helpers.factories import build_once, endless, refused

trio: Any = pytest.importorskip("trio")


async def invoke(model: ChatOpenRouterO3, prompt: str) -> str:
    result = await model._agenerate([HumanMessage(prompt)])
    return str(result.generations[0].text)


def listen(model: ChatOpenRouterO3, prompt: str) -> AsyncIterator[ChatGenerationChunk]:
    return model._astream([HumanMessage(prompt)])


async def stream(model: ChatOpenRouterO3, prompt: str) -> str:
    return "".join([chunk.text async for chunk in listen(model, prompt)])


every_hook = pytest.mark.parametrize("hook", [invoke, stream])


@every_hook
def test_a_hook_answers_under_trio(server: Emulator, hook: Any) -> None:
    model = build_once(server)

    async def main() -> None:
        for number in range(5):
            assert str(number + 1000) in await hook(model, f"What is {number}+1000?")

    trio.run(main)
    assert len(server.requests) == 5


@every_hook
def test_pools_end_with_their_trio_run(server: Emulator, hook: Any) -> None:
    model = build_once(server)
    for _ in range(5):
        assert trio.run(hook, model, "repeat 3 words") == story(3)
        wait_for_connections(server, 0)


@every_hook
def test_a_trio_run_uses_its_connection_again(server: Emulator, hook: Any) -> None:
    async def main() -> None:
        model = build_once(server)
        for _ in range(5):
            await hook(model, "Hi")
        assert open_connections(server) == 1
        await model.aclose()
        with trio.fail_after(PATIENCE):
            while open_connections(server):
                await trio.sleep(0.005)

    trio.run(main)


@every_hook
def test_a_retry_waits_under_trio(server: Emulator, hook: Any) -> None:
    server.play(refused(), refused())
    assert trio.run(hook, build_once(server, max_retries=2), "repeat 3 words") == story(3)
    assert len(server.requests) == 3


@every_hook
def test_tasks_of_trio_mix_nothing_up(server: Emulator, hook: Any) -> None:
    model = build_once(server)
    texts: dict[int, str] = {}

    async def ask(number: int) -> None:
        texts[number] = await hook(model, f"What is {number}+1000?")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(16):
                nursery.start_soon(ask, number)

    trio.run(main)
    assert len(texts) == 16
    assert all(str(number + 1000) in text for number, text in texts.items())
    wait_for_connections(server, 0)


def test_a_stream_closed_early_under_trio_hangs_up(server: Emulator) -> None:
    server.play(endless())

    async def main() -> None:
        model = build_once(server)
        async with aclosing(listen(model, "Hi")) as chunks:  # type: ignore[type-var]
            async for _ in chunks:
                break
        assert await trio.to_thread.run_sync(server.requests[-1].wait_disconnected, PATIENCE)
        assert await invoke(model, "repeat 3 words") == story(3)

    trio.run(main)
    wait_for_connections(server, 0)


def test_a_stream_abandoned_under_trio_hangs_up_at_the_end(server: Emulator) -> None:
    server.play(endless())
    kept: list[Any] = []

    async def main() -> None:
        kept.append(listen(build_once(server), "Hi"))
        await anext(kept[0])

    trio.run(main)
    assert server.requests[-1].wait_disconnected(PATIENCE)
    wait_for_connections(server, 0)


class Cancellation:
    """An instrument that cancels a scope after so many steps of the scope's task."""

    def __init__(self, moment: int, scope: Any) -> None:
        self._left = moment
        self._scope = scope
        self._task = trio.lowlevel.current_task()

    def after_task_step(self, task: Any) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


@every_hook
@pytest.mark.parametrize("retry", [False, True], ids=["at once", "after a retry"])
def test_a_hook_cancelled_at_any_step_leaves_no_busy_connection(
    server: Emulator,
    hook: Any,
    retry: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def cancelled_at(moment: int) -> bool:
        model = build_once(server, max_retries=1)
        if retry:
            server.play(refused())
        with trio.CancelScope() as scope:
            instrument = Cancellation(moment, scope)
            trio.lowlevel.add_instrument(instrument)
            await hook(model, "repeat 1 words")
        trio.lowlevel.remove_instrument(instrument)
        server.reset()
        assert "1007" in await hook(model, "What is 7+1000?")
        with trio.fail_after(PATIENCE):
            while open_connections(server) != 1:
                await trio.sleep(0.002)
        return not scope.cancelled_caught

    for moment in itertools.count(1):
        if trio.run(cancelled_at, moment):
            break
    assert moment > 1  # it paused to connect, at least


@every_hook
def test_trio_and_asyncio_may_take_turns(server: Emulator, hook: Any) -> None:
    import asyncio

    model = build_once(server)
    for number in range(3):
        assert str(number + 1000) in trio.run(hook, model, f"What is {number}+1000?")
        assert str(number + 2000) in asyncio.run(hook(model, f"What is {number}+2000?"))
        assert str(number + 3000) in model.invoke(f"What is {number}+3000?").text
    model.close()
    wait_for_connections(server, 0)
