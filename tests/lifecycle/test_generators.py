"""Streams that somebody stops listening to, in every way Python knows."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.connections import PATIENCE, settle, story, wait_for_connections
from tests.helpers.factories import build_once, endless
from tests.helpers.processes import Scripts

pytestmark = pytest.mark.usefixtures("silence")


class StopListeningError(Exception):
    """What a caller throws into a stream."""


def into_a_cycle(kept: list[Any]) -> None:
    kept.append(kept[:])
    kept[-1].append(kept[-1])
    kept[:] = []


def collect(kept: list[Any]) -> None:
    into_a_cycle(kept)
    gc.collect()


def close_twice(kept: list[Any]) -> None:
    kept[0].close()
    kept[0].close()


def throw_into(kept: list[Any]) -> None:
    with pytest.raises(StopListeningError):
        kept[0].throw(StopListeningError())


def collect_elsewhere(kept: list[Any]) -> None:
    gc.disable()
    try:
        into_a_cycle(kept)
        collector = threading.Thread(target=gc.collect)
        collector.start()
        collector.join()
    finally:
        gc.enable()


# Each gets a list with the only reference to the stream.
WAYS_OUT: dict[str, Callable[[list[Any]], None]] = {
    "dropped": lambda kept: kept.clear(),
    "collected in a cycle": collect,
    "collected in another thread": collect_elsewhere,
    "closed": lambda kept: kept[0].close(),
    "closed twice": close_twice,
    "thrown into": throw_into,
}


@pytest.mark.parametrize("heard", [0, 2])
@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_stream_hangs_up_when_it_is(server: Emulator, way: str, heard: int) -> None:
    server.play(endless())
    model = build_once(server)
    kept = [model.stream("Hi")]
    for _ in range(heard):
        next(kept[0])
    WAYS_OUT[way](kept)
    if heard:
        assert server.requests[-1].wait_disconnected(PATIENCE)
    else:
        assert server.requests == []
        server.reset()
    assert "1007" in model.invoke("What is 7+1000?").text
    wait_for_connections(server, 1)
    model.close()
    wait_for_connections(server, 0)


def test_a_stream_collected_at_any_moment_of_another_call_cannot_block_it(
    server: Emulator, scripts: Scripts
) -> None:
    """The collector runs wherever memory is allocated, also where the HTTP client holds a lock."""
    script = """
    lower = ("httpcore", "httpx", os.sep + "_http" + os.sep)

    def abandon():
        circle = [model.stream(STORY)]
        next(circle[0])
        circle.append(circle)

    def collect_at(moment):
        calls = 0
        def trace(frame, event, argument):
            nonlocal calls
            calls += any(name in frame.f_code.co_filename for name in lower)
            if calls == moment:
                sys.settrace(None)
                gc.collect()
        return trace

    ask(0)
    gc.disable()
    gc.freeze()
    for moment in range(1, 1000):
        abandon()
        sys.settrace(collect_at(moment))
        ask(moment)
        if sys.gettrace() is not None:
            break
    sys.settrace(None)
    gc.collect()
    print(moment)
    """
    assert int(scripts.run(script, server, seconds=120)) > 50


def test_threads_that_share_a_stream_are_told_so_and_lose_nothing(server: Emulator) -> None:
    words = [wire.sse(wire.chunk(f"{number} "), done=False) for number in range(3)]
    last = wire.sse(*wire.ending())
    header = {"content-type": "text/event-stream"}
    server.play(Canned(headers=header, pieces=[*words, last], pause=0.3))
    stream: Any = build_once(server).stream("Hi")
    heard = [next(stream).text]
    listener = threading.Thread(target=lambda: heard.append(next(stream).text))
    listener.start()
    while not stream.gi_running:
        pass
    with pytest.raises(ValueError, match="already executing"):
        next(stream)
    listener.join()
    heard += [chunk.text for chunk in stream]
    assert "".join(heard) == "0 1 2 "


def test_a_stream_may_go_from_thread_to_thread(server: Emulator) -> None:
    model = build_once(server)
    stream = model.stream("repeat 40 words")

    def hear(_: int) -> str:
        chunk = next(stream, None)
        return "" if chunk is None else str(chunk.text)

    heard = ""
    for number in range(200):
        with ThreadPoolExecutor(1) as thread:
            heard += thread.submit(hear, number).result()
    assert heard == story(40)
    assert next(stream, None) is None
    wait_for_connections(server, 1)
    model.close()


async def adrop(kept: list[Any]) -> None:
    kept.clear()


async def acollect(kept: list[Any]) -> None:
    into_a_cycle(kept)
    gc.collect()


async def acollect_elsewhere(kept: list[Any]) -> None:
    await asyncio.to_thread(collect_elsewhere, kept)


async def aclose(kept: list[Any]) -> None:
    await kept[0].aclose()


async def aclose_twice(kept: list[Any]) -> None:
    await kept[0].aclose()
    await kept[0].aclose()


async def athrow(kept: list[Any]) -> None:
    with pytest.raises(StopListeningError):
        await kept[0].athrow(StopListeningError())


async def akeep(kept: list[Any]) -> None:
    """Leave it to the end of the loop."""
    assert kept


every_async_way = pytest.mark.parametrize(
    "way", [adrop, acollect, acollect_elsewhere, aclose, aclose_twice, athrow]
)


@pytest.mark.parametrize("heard", [0, 2])
@every_async_way
def test_an_async_stream_hangs_up_by(server: Emulator, way: Any, heard: int) -> None:
    async def main() -> None:
        server.play(endless())
        model = build_once(server)
        kept = [model.astream("Hi")]
        for _ in range(heard):
            await anext(kept[0])
        await way(kept)
        if heard:
            request = server.requests[-1]
            assert await asyncio.to_thread(request.wait_disconnected, PATIENCE)
        server.reset()
        await settle(server, model)

    asyncio.run(main())
    wait_for_connections(server, 0)


@pytest.mark.parametrize("way", [akeep, adrop, acollect])
def test_async_streams_end_with_their_loop_after(server: Emulator, way: Any) -> None:
    kept: list[Any] = []

    async def main() -> None:
        model = build_once(server)
        for _ in range(6):
            kept.append(model.astream("Hi"))
            await anext(kept[-1])
        await way(kept)

    server.play(*[endless()] * 6)
    asyncio.run(main())
    assert all(request.wait_disconnected(PATIENCE) for request in server.requests)
    wait_for_connections(server, 0)


async def test_tasks_that_share_a_stream_are_told_so_and_lose_nothing(server: Emulator) -> None:
    stream: Any = build_once(server).astream("repeat 20 words")
    heard = (await anext(stream)).text

    async def hear() -> str:
        return str((await anext(stream)).text)

    first, second = await asyncio.gather(hear(), hear(), return_exceptions=True)
    assert isinstance(first, str)
    if isinstance(second, RuntimeError):  # it came while the first one waited
        assert "already running" in str(second)
        second = ""
    heard += f"{first}{second}" + "".join([chunk.text async for chunk in stream])
    assert heard == story(20)


def test_many_abandoned_streams_leave_no_connection(server: Emulator) -> None:
    model = build_once(server)
    for _ in range(50):
        next(model.stream("repeat 50 words"))
    gc.collect()
    model.invoke("Hi")
    wait_for_connections(server, 1)
    model.close()
    wait_for_connections(server, 0)
