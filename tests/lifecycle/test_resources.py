"""A thousand models and hundreds of calls cost no sockets, threads or memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.helpers.connections import open_connections, wait_for_connections
from tests.helpers.factories import build_once

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator
    from tests.helpers.processes import Scripts


def test_a_thousand_models_used_once_share_their_connections(server: Emulator) -> None:
    def use(number: int) -> str:
        return build_once(server).invoke(f"What is {number}+1000?").text

    with ThreadPoolExecutor(4) as threads:
        texts = list(threads.map(use, range(1000)))
    assert all(str(number + 1000) in text for number, text in enumerate(texts))
    assert open_connections(server) <= 4
    with build_once(server) as last:
        last.invoke("Hi")
    wait_for_connections(server, 0)


def test_a_used_process_has_no_more_files_and_threads_than_before(
    server: Emulator, scripts: Scripts
) -> None:
    script = """
    def counts():
        gc.collect()
        return len(os.listdir("/dev/fd")), threading.active_count()

    async def talk(start):
        models = [ChatOpenRouterO3(base_url=sys.argv[1]) for _ in range(10)]
        await asyncio.gather(*(each.ainvoke("Hi") for each in models))
        await anext(models[0].astream(STORY))

    model.invoke("Hi")
    asyncio.run(talk(0))
    model.close()
    before = counts()
    for number in range(10):
        ask(number)
        next(model.stream(STORY))
        asyncio.run(talk(number))
    model.close()
    assert counts() == before, (counts(), before)
    """
    scripts.run(script, server)


def test_five_hundred_calls_cost_no_memory(server: Emulator, scripts: Scripts) -> None:
    script = """
    import tracemalloc

    async def talk(number):
        for each in range(number):
            await aask(each)
            async for chunk in model.astream("repeat 3 words"):
                break

    def work(number):
        for each in range(number):
            ask(each)
            next(model.stream("repeat 3 words"))
        asyncio.run(talk(number))
        gc.collect()

    work(10)
    tracemalloc.start()
    work(10)
    before, _ = tracemalloc.get_traced_memory()
    work(125)  # 500 calls
    after, _ = tracemalloc.get_traced_memory()
    assert after - before < 300_000, after - before
    print(after - before)
    """
    scripts.run(script, server, seconds=100)
