"""Connections: shared, lazy, per loop, fork-safe, and gone when nobody listens."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterNotFoundError,
)
from langchain_openrouter_o3._http import pool_manager, transport
from langchain_openrouter_o3._http.pool_reference import PoolReference
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.shared_clients import origin_of
from langchain_openrouter_o3._http.steps import Receive, Request, Send, TransportFailure
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES
from tests.helpers.raw_server import Peer, RawServer, response

TIMEOUT = httpx.Timeout(5).as_dict()
NO_HEADERS = RequestHeaders({})


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator of its own, so that its pools belong to one test."""
    with Emulator() as emulator:
        # The kernel may give it the port of an earlier one, whose pool a model left open.
        if (left := pool_manager.POOLS._sync.pop(origin_of(emulator.base_url), None)) is not None:
            left.client.close()
        yield emulator


def build(server: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, max_retries=0, **arguments)


def connections(server: Emulator) -> int:
    """Count this process's established connections to the server, as the kernel lists them."""
    port = urlsplit(server.base_url).port
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    established = "01"
    return sum(row[2].endswith(f":{port:04X}") and row[3] == established for row in rows)


def pool_of(server: Emulator) -> Any:
    return pool_manager.POOLS._sync.get(origin_of(server.base_url))


def endless() -> Canned:
    words = [wire.sse(wire.chunk(f"{n} "), done=False) for n in range(1_000)]
    return Canned(headers={"content-type": "text/event-stream"}, pieces=words, pause=0.01)


def test_a_thousand_models_open_no_socket(server: Emulator) -> None:
    models = [build(server) for _ in range(1_000)]
    assert len(models) == 1_000
    assert pool_of(server) is None
    assert connections(server) == 0


def test_models_share_one_pool_which_closes_with_the_last(server: Emulator) -> None:
    first, second = build(server), build(server)
    first.invoke("Hello")
    second.invoke("Hello")
    client = pool_of(server).client
    first.close()
    assert pool_of(server).client is client
    second.invoke("Hello")
    assert connections(server) == 1
    second.close()
    assert pool_of(server) is None
    assert connections(server) == 0


def test_base_urls_of_one_server_share_its_connections() -> None:
    """Gateways have a path for each of their customers."""

    def answer(peer: Peer) -> None:
        while peer.read_request():
            peer.write(response(wire.to_json(wire.body("Hello"))))

    async def ask(models: list[ChatOpenRouterO3]) -> None:
        for model in models:
            assert (await model.ainvoke("Hello")).text == "Hello"

    with RawServer(answer) as server:
        urls = [f"{server.base_url}/customer/{number}" for number in range(5)]
        models = [ChatOpenRouterO3(base_url=url, api_key=KEY) for url in urls]
        for model in models:
            assert model.invoke("Hello").text == "Hello"
        assert len(server.peers) == 1
        asyncio.run(ask(models))
        assert len(server.peers) == 2
        for model in models:
            model.close()


def test_a_closed_model_can_be_used_again(server: Emulator) -> None:
    with build(server) as model:
        model.invoke("Hello")
    assert model.invoke("Hello").text
    model.close()
    model.close()


async def test_an_async_model_gives_its_loops_connections_back(server: Emulator) -> None:
    async with build(server) as model:
        await model.ainvoke("Hello")
        assert connections(server) == 1
    assert connections(server) == 0
    assert (await model.ainvoke("Hello")).text
    await model.aclose()


def test_many_event_loops_in_turn_leave_nothing_behind(server: Emulator) -> None:
    model = build(server)
    for _ in range(5):
        assert asyncio.run(model.ainvoke("Hello")).text
    assert not [loop for loop in pool_manager.POOLS._async if pool_manager._is_closed(loop)]
    assert connections(server) == 0


def test_a_loop_that_ends_without_shutting_down_is_forgotten_later(server: Emulator) -> None:
    model = build(server)
    abandoned = asyncio.new_event_loop()
    abandoned.run_until_complete(model.ainvoke("Hello"))
    abandoned.run_until_complete(model.aclose())
    abandoned.close()
    assert abandoned in pool_manager.POOLS._async
    asyncio.run(model.ainvoke("Hello"))
    assert abandoned not in pool_manager.POOLS._async


def test_event_loops_in_eight_threads(server: Emulator) -> None:
    model = build(server)

    def ask(number: int) -> str:
        return asyncio.run(model.ainvoke(f"repeat {number + 1} words")).text

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert len(set(answers)) == 8


def test_threads_share_the_blocking_pool_without_mixing_answers(server: Emulator) -> None:
    model = build(server)
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda n: model.invoke(f"What is {n}+1000?").text, range(64)))
    assert [str(number + 1000) in text for number, text in enumerate(texts)] == [True] * 64


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_never_crosses_answers() -> None:
    """Warm connections are shared with a child by the kernel; using them would mix answers.

    In a process of its own, because pytest and the emulator's thread do not survive a fork.
    """
    with Emulator() as server:
        script = textwrap.dedent(
            """
            import asyncio, os, sys
            from langchain_openrouter_o3 import ChatOpenRouterO3
            model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k", max_retries=0)
            model.invoke("warm")
            loop = asyncio.new_event_loop()
            loop.run_until_complete(model.ainvoke("warm"))
            child = os.fork()
            offset = 1000 if child else 5000
            for number in range(15):
                text = model.invoke(f"What is {number}+{offset}?").text
                assert str(number + offset) in text, (child, number, text)
            assert str(offset + 7) in asyncio.run(model.ainvoke(f"What is 7+{offset}?")).text
            if child:
                again = loop.run_until_complete(model.ainvoke(f"What is 8+{offset}?")).text
                assert str(offset + 8) in again
                assert os.waitpid(child, 0)[1] == 0
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()
            else:
                sys.stdout.flush()
                os._exit(0)
            """
        )
        run_clean(script, server.base_url)


def test_a_process_ends_without_a_sound(server: Emulator) -> None:
    script = textwrap.dedent(
        """
        import asyncio, sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k")
        model.invoke("Hello")
        next(model.stream("Hello"))
        async def main():
            await model.ainvoke("Hello")
            async for chunk in model.astream("Hello"):
                break
        asyncio.run(main())
        stream = model.stream("Hello")
        next(stream)
        """
    )
    run_clean(script, server.base_url)


def test_a_spawned_process_gets_a_working_model(server: Emulator) -> None:
    script = textwrap.dedent(
        """
        import pickle, sys
        model = pickle.loads(bytes.fromhex(sys.argv[2]))
        assert model.invoke("Hello").text
        """
    )
    model = build(server)
    model.invoke("Hello")
    pickled = pickle.dumps(model).hex()
    run_clean(script, server.base_url, pickled, OPENROUTER_API_KEY="k")


def run_clean(script: str, *arguments: str, **environment: str) -> None:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_breaking_out_of_a_stream_hangs_up(server: Emulator) -> None:
    server.play(endless())
    for _ in build(server).stream("Hello"):
        break
    gc.collect()
    assert server.requests[-1].wait_disconnected(30)


def test_a_stop_sequence_hangs_up(server: Emulator) -> None:
    server.play(endless())
    chunks = list(build(server, stop=["7"]).stream("Hello"))
    assert "".join(str(chunk.text) for chunk in chunks) == "0 1 2 3 4 5 6 "
    assert chunks[-1].response_metadata["stop_sequence"] == "7"
    assert server.requests[-1].wait_disconnected(30)


async def test_leaving_an_async_stream_hangs_up(server: Emulator) -> None:
    server.play(endless())
    async with aclosing(build(server).astream("Hello")) as stream:  # type: ignore[type-var]
        async for _ in stream:
            break
    assert await asyncio.to_thread(server.requests[-1].wait_disconnected, 30)


@pytest.mark.parametrize("streaming", [True, False])
async def test_cancelling_a_task_hangs_up(server: Emulator, streaming: bool) -> None:  # noqa: FBT001 - a parameter of the test
    server.play(endless() if streaming else Canned(delay=30))
    model = build(server)
    started = asyncio.Event()

    async def consume() -> None:
        started.set()
        if not streaming:
            await model.ainvoke("Hello")
        async for _ in model.astream("Hello"):
            started.set()

    task = asyncio.create_task(consume())
    await started.wait()
    while not server.requests:  # noqa: ASYNC110 - the server is another thread
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.requests[-1].wait_disconnected, 30)
    assert (await model.ainvoke("Hello")).text


def test_http_client_and_http_async_client_are_used_and_left_open(server: Emulator) -> None:
    headers = {"x-from": "my-client"}
    with httpx.Client(headers=headers) as client:
        model = build(server, http_client=client)
        model.invoke("Hello")
        model.close()
        assert not client.is_closed
    assert server.requests[-1].headers["x-from"] == "my-client"
    assert pool_of(server) is None
    with pytest.raises(OpenRouterInputError, match="closed"):
        model.invoke("Hello")

    async def ask() -> None:
        async with httpx.AsyncClient(headers=headers) as own:
            await build(server, http_async_client=own).ainvoke("Hello")
            assert not own.is_closed

    asyncio.run(ask())
    assert server.requests[-1].headers["x-from"] == "my-client"


def test_ones_own_client_with_a_broken_header_is_named_without_its_value(server: Emulator) -> None:
    with (
        httpx.Client(headers={"x-secret": "s3cret\n"}) as client,
        pytest.raises(OpenRouterInputError, match="header") as caught,
    ):
        build(server, http_client=client).invoke("Hello")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_url_that_httpx_refuses_is_an_input_error() -> None:
    model = ChatOpenRouterO3(base_url="http://☃☃.example/api", api_key=KEY)
    with pytest.raises(OpenRouterInputError, match="base_url"):
        model.invoke("Hello")


async def test_models_share_the_pool_of_their_loop(server: Emulator) -> None:
    first, second = build(server), build(server)
    await asyncio.gather(first.ainvoke("Hello"), second.ainvoke("Hello"))
    await first.aclose()
    assert (await second.ainvoke("Hello")).text
    assert connections(server) >= 1
    await second.aclose()
    assert connections(server) == 0


def test_exit_closes_open_streams_and_pools(server: Emulator) -> None:
    pools = pool_manager.PoolManager()
    performer = pools.performer(server.base_url, PoolReference(), None, TIMEOUT)
    server.play(endless())
    body = b'{"model":"openai/o3-mini","messages":[]}'
    performer.perform(Send(Request(f"{server.base_url}/chat/completions", NO_HEADERS, body)))
    idle = pools.performer(server.base_url, PoolReference(), None, TIMEOUT)
    idle.perform(Send(Request(f"{server.base_url}/models", NO_HEADERS, b"")))
    while idle.perform(Receive()):
        pass
    idle.close()
    assert connections(server) == 2
    pools.close_all()
    assert connections(server) == 0
    assert server.requests[0].wait_disconnected(30)
    read_on = performer.perform(Receive())  # as langchain-core does with a generator that it closes
    assert isinstance(read_on, TransportFailure)
    assert isinstance(read_on.error, OpenRouterConnectionError)


async def test_a_model_that_never_called_has_nothing_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "langchain_openrouter_o3._http.pool_manager")
    model = ChatOpenRouterO3(api_key=KEY)
    model.close()
    await model.aclose()
    assert "langchain_openrouter_o3._http.pool_manager" not in sys.modules


def test_a_child_process_starts_with_empty_pools_and_closes_nothing(server: Emulator) -> None:
    pools = pool_manager.PoolManager()
    pools.performer(server.base_url, PoolReference(), None, TIMEOUT)
    client = pools._sync[origin_of(server.base_url)].client
    pools.forget()
    pools.performer(server.base_url, PoolReference(), None, TIMEOUT)
    assert pools._sync[origin_of(server.base_url)].client is not client
    client.close()
    pools.close_all()


def test_a_connection_that_the_server_closed_is_not_used_again(server: Emulator) -> None:
    model = build(server)
    server.play(Canned(pieces=wire.to_json(wire.body("Hello")), headers={"connection": "close"}))
    assert model.invoke("Hello").text == "Hello"
    assert model.invoke("Hello").text
    assert connections(server) == 1


async def test_a_connection_that_the_server_closes_meanwhile_is_not_used_again(
    server: Emulator,
) -> None:
    model = build(server)
    for blocking in (True, False):
        for _ in range(3):
            answer = model.invoke("Hello") if blocking else await model.ainvoke("Hello")
            assert answer.text
            for opened in server._server.connections():
                opened.loop.call_soon_threadsafe(opened.transport.close)
            await asyncio.sleep(0.1)
    await model.aclose()


def test_exit_leaves_the_streams_of_other_threads_alone(server: Emulator) -> None:
    pools = pool_manager.PoolManager()
    body = b'{"model":"openai/o3-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
    headers = RequestHeaders({"authorization": "Bearer any"})
    performer = pools.performer(server.base_url, PoolReference(), None, TIMEOUT)
    asked, ended = threading.Event(), threading.Event()
    pieces: list[Any] = []

    def read() -> None:
        performer.perform(Send(Request(f"{server.base_url}/chat/completions", headers, body)))
        asked.set()
        ended.wait(30)
        while piece := performer.perform(Receive()):
            pieces.append(piece)
        performer.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert asked.wait(30)
    pools.close_all()
    ended.set()
    reader.join(30)
    assert b"[DONE]" in b"".join(pieces)
    assert connections(server) == 0


def test_a_stream_of_the_parent_process_is_not_read(server: Emulator) -> None:
    performer = pool_manager.PoolManager().performer(
        server.base_url, PoolReference(), None, TIMEOUT
    )
    performer._process = -1
    with pytest.raises(OpenRouterInputError, match="before a fork"):
        performer.perform(Receive())


def test_idle_connections_are_used_again_and_the_surplus_is_closed(
    server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_IDLE", 2)
    model = build(server)
    streams = [model.stream("repeat 50 words") for _ in range(5)]
    for stream in streams:
        next(stream)
    assert connections(server) == 5
    for stream in streams:
        assert len(list(stream)) > 1
    assert connections(server) == 2
    model.invoke("Hello")
    assert connections(server) == 2


def test_idle_connections_expire(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.0)
    model = build(server)
    assert [model.invoke("Hello").text for _ in range(3)]
    assert connections(server) <= 1


async def test_idle_connections_of_a_loop_expire(
    server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "IDLE_SECONDS", 0.0)
    model = build(server)
    assert [(await model.ainvoke("Hello")).text for _ in range(3)]
    assert connections(server) <= 1
    await model.aclose()


@pytest.mark.parametrize("mode", MODES)
def test_a_proxy_of_the_environment_is_used(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/api/v1"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    base_url = "http://openrouter.invalid/api/v1"
    model = ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0)
    with model, pytest.raises(OpenRouterNotFoundError):  # the emulator is no proxy
        MODES[mode](model)
    assert server.requests[-1].path == f"{base_url}/chat/completions"


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = textwrap.dedent(
        """
        import sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        heavy = {"openai", "tiktoken", "starlette", "uvicorn", "rich", "httpx", "langchain_openai"}
        assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
        """
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_sockets_close_when_a_pool_is_released(server: Emulator) -> None:
    model = build(server)
    threads = [threading.Thread(target=model.invoke, args=("Hello",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connections(server) >= 1
    model.close()
    assert connections(server) == 0
