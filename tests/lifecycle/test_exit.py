"""The interpreter ends in silence, whatever was open."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.factories import endless

if TYPE_CHECKING:
    from tests.helpers.processes import Scripts

ENDINGS = {
    "a warm pool": "model.invoke('Hi')",
    "a warm pool of a finished loop": "asyncio.run(model.ainvoke('Hi'))",
    "open streams": """
        streams = [model.stream(STORY) for _ in range(3)]
        for stream in streams:
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
