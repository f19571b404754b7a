"""Event loops of every kind and number, and how they may end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.connections import (
    LOOPS,
    PATIENCE,
    needs_signals,
    run_on,
    settle,
    story,
    uvloop,
    wait_for_connections,
)
from tests.helpers.factories import build_once, endless
from tests.helpers.processes import Scripts

pytestmark = pytest.mark.usefixtures("silence")

every_loop = pytest.mark.parametrize("loop", LOOPS)


@every_loop
def test_fifty_loops_in_turn_leave_no_connection(server: Emulator, loop: str) -> None:
    model = build_once(server)

    async def ask(number: int) -> str:
        text = "".join([chunk.text async for chunk in model.astream("repeat 3 words")])
        assert text == story(3)
        return (await model.ainvoke(f"What is {number}+1000?")).text

    for number in range(50):
        assert str(number + 1000) in run_on(loop, ask(number))
    wait_for_connections(server, 0)


@every_loop
def test_sixteen_loops_at_once_mix_nothing_up(server: Emulator, loop: str) -> None:
    if loop == "uvloop":
        uvloop()  # here, because a skip cannot leave a thread
    model = build_once(server)

    async def ask(number: int) -> str:
        prompts = [f"What is {number}+{1000 * place}?" for place in range(1, 5)]
        answers = await asyncio.gather(*map(model.ainvoke, prompts))
        return " ".join(answer.text for answer in answers)

    with ThreadPoolExecutor(16) as threads:
        texts = list(threads.map(lambda number: run_on(loop, ask(number)), range(16)))
    for number, text in enumerate(texts):
        assert all(str(number + 1000 * place) in text for place in range(1, 5))
    wait_for_connections(server, 0)


def test_a_loop_in_a_thread_inside_a_loop_has_its_own_connections(server: Emulator) -> None:
    model = build_once(server)

    async def ask(depth: int) -> str:
        stream = model.astream("repeat 20 words")
        first = (await anext(stream)).text
        inner = ""
        if depth:
            inner = await asyncio.to_thread(lambda: asyncio.run(ask(depth - 1)))
        rest = "".join([chunk.text async for chunk in stream])
        assert (await model.ainvoke(f"What is {depth}+1000?")).text.count(str(depth + 1000))
        return first + rest + inner

    assert asyncio.run(ask(3)) == story(20) * 4
    wait_for_connections(server, 0)


def test_a_loop_stopped_in_the_middle_of_a_stream_can_go_on(server: Emulator) -> None:
    model = build_once(server)
    loop = asyncio.new_event_loop()
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in model.astream("repeat 30 words"):
            heard.append(chunk.text)
            if len(heard) == 3:
                loop.stop()

    task = loop.create_task(listen())
    loop.run_forever()
    assert not task.done()
    assert model.invoke("Hi").text
    loop.run_until_complete(task)
    assert "".join(heard) == story(30)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    model.close()
    wait_for_connections(server, 0)


@every_loop
def test_a_loop_stopped_for_good_hangs_up(server: Emulator, loop: str) -> None:
    server.play(endless())
    model = build_once(server)

    async def listen() -> None:
        async with aclosing(model.astream("Hi")) as stream:  # type: ignore[type-var]
            async for _ in stream:
                asyncio.get_running_loop().stop()

    stopped = asyncio.new_event_loop() if loop == "asyncio" else uvloop().new_event_loop()
    task = stopped.create_task(listen())
    stopped.run_forever()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        stopped.run_until_complete(task)
    stopped.run_until_complete(stopped.shutdown_asyncgens())
    stopped.close()
    assert server.requests[-1].wait_disconnected(PATIENCE)
    wait_for_connections(server, 0)


@needs_signals
@pytest.mark.parametrize("call", ["slow.ainvoke('Hi')", "anext(slow.astream('Hi'))"])
def test_an_interrupted_loop_hangs_up(server: Emulator, scripts: Scripts, call: str) -> None:
    script = """
    slow = ChatOpenRouterO3(base_url=sys.argv[2])

    async def main():
        def interrupt():
            os.kill(os.getpid(), signal.SIGINT)
        await aask(0)
        asyncio.get_running_loop().call_later(0.2, interrupt)
        await eval(sys.argv[3])

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        asyncio.run(aask(1))
    else:
        raise AssertionError
    """
    with Emulator(think_time=60) as other:
        scripts.run(script, server, other.base_url, call)
        assert all(request.wait_disconnected(PATIENCE) for request in other.requests)


def test_system_exit_in_the_middle_of_a_call_hangs_up(server: Emulator) -> None:
    server.play(endless())
    model = build_once(server)

    async def main() -> None:
        def leave() -> None:
            raise SystemExit

        async for _ in model.astream("Hi"):
            asyncio.get_running_loop().call_soon(leave)

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert server.requests[-1].wait_disconnected(PATIENCE)
    assert asyncio.run(model.ainvoke("Hi")).text
    wait_for_connections(server, 0)


@every_loop
def test_a_model_serves_threads_and_loops_at_the_same_time(server: Emulator, loop: str) -> None:
    model = build_once(server)
    texts: dict[int, str] = {}

    def talk(number: int) -> None:
        texts[number] = model.invoke(f"What is {number}+1000?").text

    async def main() -> None:
        threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        prompts = [f"What is {number}+5000?" for number in range(8)]
        for number, answer in enumerate(await asyncio.gather(*map(model.ainvoke, prompts))):
            assert str(number + 5000) in answer.text
        for thread in threads:
            await asyncio.to_thread(thread.join)
        model.close()
        await settle(server, model, 8)

    run_on(loop, main())
    assert all(str(number + 1000) in text for number, text in texts.items())
    assert len(texts) == 8
