"""The emulator as an httpx transport: no socket, truly streaming, on every kind of client."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator, Fault, faults, say
from langchain_openrouter_o3.emulator.wire.sending import Step
from tests.helpers.emulator_client import user

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

URL = "https://openrouter.ai/api/v1/chat/completions"
KEY = {"authorization": "Bearer k"}


def asked(prompt: str = "echo a b c", *, stream: bool = True) -> dict[str, Any]:
    body = {"model": "openai/o3-mini", "messages": [user(prompt)], "stream": stream}
    return {"method": "POST", "url": URL, "json": body, "headers": KEY}


def fetch(emulator: Emulator, **request: Any) -> str:
    with httpx.Client(transport=emulator.transport(), timeout=5) as client:
        return client.request(**request).text


def fetch_on(backend: str) -> Callable[..., str]:
    def fetch_async(emulator: Emulator, **request: Any) -> str:
        async def work() -> str:
            transport = emulator.transport()
            async with httpx.AsyncClient(transport=transport, timeout=5) as client:
                return (await client.request(**request)).text

        return anyio.run(work, backend=backend)

    return fetch_async


FETCH = {"sync": fetch, "asyncio": fetch_on("asyncio"), "trio": fetch_on("trio")}

FAULTS: list[tuple[Fault, type[Exception]]] = [
    (faults.reset("mid-event"), httpx.ReadError),
    (faults.close("before-headers"), httpx.RemoteProtocolError),
    (Canned(status=None), httpx.RemoteProtocolError),
]


@pytest.mark.parametrize("way", FETCH)
def test_faults_are_what_httpx_calls_them(way: str) -> None:
    emulator = Emulator()
    for fault, error in FAULTS:
        emulator.play(fault)
        with pytest.raises(error):
            FETCH[way](emulator, **asked())
    emulator.play(faults.compress("gzip"), faults.stall(60))
    assert "[DONE]" in FETCH[way](emulator, **asked())
    with pytest.raises(httpx.ReadTimeout):
        FETCH[way](emulator, **(asked() | {"timeout": 0.05}))
    assert emulator.requests[-1].wait_disconnected(30)
    assert '"content":"a b c"' in FETCH[way](emulator, **asked(stream=False))
    emulator.play(faults.refuse(3600))
    with pytest.raises(httpx.ReadError):
        FETCH[way](emulator, **asked())
    with pytest.raises(httpx.ConnectError):
        FETCH[way](emulator, **asked())
    emulator.stop()
    with pytest.raises(httpx.ConnectError):
        FETCH[way](emulator, **asked())


class Counted(Fault):
    """The real answer in steps that tell how many of them are done."""

    def __init__(self) -> None:
        self.made = 0

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Give the steps one by one."""

        class Steps(list[Step]):
            def __iter__(steps) -> Any:  # noqa: N805 - the fault is self
                for step in answer:
                    self.made += 1
                    yield step

        return Steps()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_first_event_is_seen_before_the_last_is_made(way: str) -> None:
    counted = Counted()
    emulator = Emulator()
    emulator.play(counted)
    request = asked(f"echo {' '.join('w' * 500)}")
    seen: list[int] = []

    def sync() -> None:
        with (
            httpx.Client(transport=emulator.transport()) as client,
            client.stream(**request) as got,
        ):
            seen.extend(counted.made for _ in got.iter_raw())

    async def asynchronous() -> None:
        transport = emulator.transport()
        async with (
            httpx.AsyncClient(transport=transport) as client,
            client.stream(**request) as got,
        ):
            seen.extend([counted.made async for _ in got.aiter_raw()])

    sync() if way == "sync" else asyncio.run(asynchronous())
    assert seen[0] < 5
    assert len(seen) > 500
    assert all(made <= number + 5 for number, made in enumerate(seen))
    emulator.stop()


def test_a_client_that_leaves_is_noticed_and_a_stop_ends_what_is_open() -> None:
    emulator = Emulator(script=[say("a b c"), say("d")])
    with httpx.Client(transport=emulator.transport()) as client:
        with client.stream(**asked()) as answer:
            next(answer.iter_raw())
        assert emulator.requests[0].wait_disconnected(30)
        with client.stream(**asked()) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            emulator.stop()
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)


def test_a_port_and_transports_share_one_emulator_and_its_thread_ends_with_it() -> None:
    with Emulator(script=[say("over the port"), say("without it")]) as emulator:
        over = httpx.request(**(asked() | {"url": f"{emulator.base_url}/chat/completions"}))
        assert "over" in over.text
        assert "without" in fetch(emulator, **asked())
    before = set(threading.enumerate())
    forgotten = Emulator()
    fetch(forgotten, **asked())
    (thread,) = set(threading.enumerate()) - before
    gone = weakref.ref(forgotten)
    del forgotten
    while gone() is not None:  # the exchange may be ending still
        gc.collect()
        thread.join(0.01)
    thread.join(30)
    assert not thread.is_alive()


def test_many_exchanges_at_once_do_not_mix() -> None:
    emulator = Emulator()

    async def work() -> list[str]:
        transport = emulator.transport()
        async with httpx.AsyncClient(transport=transport) as client:
            answers = (client.request(**asked(f"echo tag-{n}", stream=False)) for n in range(50))
            return [each.json() for each in await asyncio.gather(*answers)]

    found: Any = asyncio.run(work())
    texts = [each["choices"][0]["message"]["content"] for each in found]
    assert texts == [f"tag-{number}" for number in range(50)]
    emulator.stop()
