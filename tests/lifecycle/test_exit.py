"""A used process keeps no files and threads, and ends in silence."""

from __future__ import annotations

import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.connections import open_connections, wait_for_connections
from tests.helpers.factories import build_once, endless
from tests.helpers.processes import Scripts

ENDINGS = {
    "a warm pool": "model.invoke('Hi')",
    "a warm pool of a finished loop": "asyncio.run(model.ainvoke('Hi'))",
    "open streams": """
        streams = [model.stream(STORY) for _ in range(3)]
        for stream in streams:
            next(stream)
        """,
    "an open stream of objects": """
        schema = {"title": "Story", "type": "object", "properties": {"told": {"type": "string"}}}
        stream = model.with_structured_output(schema, strict=False).stream("Tell a story")
        next(stream)
        """,
    "an open stream in a cycle": """
        gc.disable()
        circle = [model.stream(STORY)]
        next(circle[0])
        circle.append(circle)
        del circle
        """,
    "a stream begun and never advanced": "stream = model.stream(STORY)",
    "a loop that was never closed": """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(model.ainvoke("Hi"))
        """,
    "a loop closed without its generators": """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(model.ainvoke("Hi"))
        loop.close()
        """,
    "a loop that still runs in a daemon thread": """
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(model.ainvoke("Hi"), loop).result()
        """,
    "async streams held to the end of their loop": """
        streams = []

        async def main():
            for _ in range(8):
                streams.append(model.astream(STORY))
                await anext(streams[-1])

        asyncio.run(main())
        """,
    "async streams dropped in cycles": """
        async def main():
            for _ in range(8):
                circle = [model.astream(STORY)]
                await anext(circle[0])
                circle.append(circle)
            del circle
            gc.collect()
            await asyncio.sleep(0.05)

        asyncio.run(main())
        """,
    "a call at exit, after the pools were closed": """
        atexit.register(ask, 2)
        ask(1)
        asyncio.run(aask(1))
        """,
}
# What the garbage collector does with a loop that nobody closed is Python's own complaint.
_PYTHONS_OWN = {"a loop that was never closed", "a loop closed without its generators"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_in_silence_with(server: Emulator, scripts: Scripts, ending: str) -> None:
    quiet = "import warnings; warnings.simplefilter('ignore', ResourceWarning)\n"
    own = textwrap.dedent(ENDINGS[ending])
    scripts.run(quiet + own if ending in _PYTHONS_OWN else own, server)


@pytest.mark.parametrize(
    "work",
    ["model.invoke('Hi')", "list(model.stream('Hi'))", "asyncio.run(model.ainvoke('Hi'))"],
    ids=["invoke", "stream", "ainvoke"],
)
def test_a_process_ends_in_silence_while_a_daemon_thread_waits(scripts: Scripts, work: str) -> None:
    script = """
    threading.Thread(target=lambda: eval(sys.argv[2]), daemon=True).start()
    time.sleep(0.3)
    """
    with Emulator(think_time=30) as slow:
        scripts.run(script, slow, work)


def test_a_process_ends_in_silence_while_daemon_threads_stream(
    server: Emulator, scripts: Scripts
) -> None:
    """Other work at exit gives the threads time to notice what was done to their connections."""
    script = """
    begun = threading.Semaphore(0)

    def listen():
        for _ in model.stream("Hi"):
            begun.release()

    for _ in range(3):
        threading.Thread(target=listen, daemon=True).start()
    for _ in range(30):
        begun.acquire()
    """
    server.play(*[endless()] * 3)
    scripts.run(script, server)


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
