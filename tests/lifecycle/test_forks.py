"""Processes that come from one another never share a connection."""

from __future__ import annotations

import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.processes import Scripts


def test_threads_that_fork_while_others_talk_mix_nothing_up(
    server: Emulator, scripts: Scripts
) -> None:
    script = """
    ask(0)  # imports what is imported lazily: a lock on a module would be held in the child
    done = threading.Event()
    wrong = []

    def talk(number):
        try:
            while not done.is_set():
                ask(number := number + 1)
        except BaseException as error:
            wrong.append(error)

    def fork():
        for number in range(5):
            start = 100_000 * (number + 2)
            children.append(in_child(lambda: [ask(start + each) for each in range(5)]))

    children = []
    talkers = [threading.Thread(target=talk, args=(1000 * each,)) for each in range(3)]
    forker = threading.Thread(target=fork)
    for thread in (*talkers, forker):
        thread.start()
    forker.join()
    for child in children:
        reap(child)
    done.set()
    for thread in talkers:
        thread.join()
    assert not wrong, wrong
    """
    scripts.run(script, server)


@pytest.mark.parametrize(
    "child",
    [
        "ask(2); asyncio.run(aask(3))",
        "stream.close(); ask(2)",
        "globals().pop('stream'); gc.collect(); ask(2)",
        "model.close(); ask(2)",
    ],
    ids=["talks", "closes the stream", "drops the stream", "closes the model"],
)
def test_a_stream_goes_on_in_the_parent_whatever_the_child_does(
    server: Emulator, scripts: Scripts, child: str
) -> None:
    script = """
    stream = model.stream(STORY)
    text = next(stream).text
    child = in_child(lambda: exec(sys.argv[2], globals()))
    ask(1)
    reap(child)
    assert text + "".join(chunk.text for chunk in stream) == TOLD
    """
    scripts.run(script, server, child)


def test_a_child_that_reads_the_parents_stream_is_told_so(
    server: Emulator, scripts: Scripts
) -> None:
    """Reading on would take the bytes away from the parent, which then waits for ever."""
    script = """
    stream = model.stream(STORY)
    text = next(stream).text

    def steal():
        try:
            stolen = "".join(chunk.text for chunk in stream)
        except Exception as error:
            assert "process" in str(error), error
        else:
            raise AssertionError(f"the child read {len(stolen)} characters")

    reap(in_child(steal))
    assert text + "".join(chunk.text for chunk in stream) == TOLD
    """
    scripts.run(script, server)


def test_a_child_with_open_streams_ends_without_a_sound(server: Emulator, scripts: Scripts) -> None:
    """It does not leave with `os._exit`: its interpreter collects the parent's streams."""
    script = """
    model.invoke("Hi")
    stream = model.stream(STORY)
    text = next(stream).text
    reap(in_child(lambda: ask(2), leave=sys.exit))
    assert text + "".join(chunk.text for chunk in stream) == TOLD
    """
    scripts.run(script, server)


def test_a_fork_in_a_running_loop_disturbs_neither_side(server: Emulator, scripts: Scripts) -> None:
    script = """
    async def main():
        await aask(1)
        stream = model.astream(STORY)
        text = (await anext(stream)).text

        def talk():
            ask(2)
            asyncio.run(aask(3))

        talker = in_child(talk)
        for number in range(4, 10):
            await aask(number)
        reap(talker)
        assert text + "".join([chunk.text async for chunk in stream]) == TOLD

    asyncio.run(main())
    asyncio.run(aask(11))
    """
    scripts.run(script, server)


def test_the_child_of_a_child_has_its_own_connections(server: Emulator, scripts: Scripts) -> None:
    script = """
    def work(depth):
        ask(100 * depth)
        asyncio.run(aask(100 * depth + 1))
        child = in_child(lambda: work(depth + 1)) if depth < 4 else None
        for number in range(2, 10):
            ask(100 * depth + number)
        if child is not None:
            reap(child)

    work(1)
    """
    scripts.run(script, server)


@pytest.mark.parametrize(("way", "processes"), [("fork", "3"), ("forkserver", "1"), ("spawn", "1")])
def test_pools_of_processes_take_pickled_models(
    server: Emulator, scripts: Scripts, way: str, processes: str
) -> None:
    script = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    ask(1)
    asyncio.run(aask(2))
    questions = [f"What is {number}+1000000?" for number in range(6)]
    context = multiprocessing.get_context(sys.argv[2])
    with ProcessPoolExecutor(int(sys.argv[3]), mp_context=context) as workers:
        answers = [answer.text for answer in workers.map(model.invoke, questions)]
    right = [str(number + 1000000) in text for number, text in enumerate(answers)]
    assert right == [True] * 6, answers
    ask(3)
    """
    scripts.run(script, server, way, processes)
