"""Runs over many rows in programs that end, fork, and are cancelled meanwhile."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import CancelledError
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import OpenRouterError, OpenRouterInputError
from langchain_openrouter_o3.bulk import JournalCache, abulk, bulk, database
from langchain_openrouter_o3.bulk.run import LoopThread
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.processes import Scripts, run_clean

_RUN = """
from langchain_openrouter_o3.bulk import bulk
rows = bulk(model, [f"echo {number}" for number in range(500)], journal=sys.argv[2])
assert next(rows).ok
"""
_JOB = """
from langchain_openrouter_o3.batch import submit_batch
job = submit_batch(model, ["echo a"] * 150, store=sys.argv[2])
job.wait(poll=(0.0, 0.01))
rows = job.results()
assert next(rows).ok
"""
_DAEMON = """
begun = threading.Event()
def take():
    for row in rows:
        begun.set()
        time.sleep(0.01)
threading.Thread(target=take, daemon=True).start()
begun.wait()
"""


_PRELUDE = """
import sys, threading, time
from langchain_openrouter_o3 import ChatOpenRouterO3
model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="any")
"""


@pytest.mark.parametrize("begin", [_RUN, _JOB], ids=["bulk", "results"])
@pytest.mark.parametrize("more", ["", _DAEMON], ids=["of a module", "of a daemon"])
def test_a_program_ends_although_rows_are_left(
    server: Emulator, tmp_path: Path, begin: str, more: str
) -> None:
    # In an interpreter of its own: one that was forked clears its modules in another order.
    run_clean(f"{_PRELUDE}{begin}{more}", server.base_url, str(tmp_path / "run.db"))


def test_there_are_no_more_rows_when_the_program_has_ended(
    scripts: Scripts, server: Emulator, tmp_path: Path
) -> None:
    look = """
@atexit.register
def look():
    try:
        print(len(list(rows)))
    except SystemExit:
        print("none")
"""
    assert scripts.run(look + _RUN, server, str(tmp_path / "run.db")) == "none\n"


def test_a_child_that_is_forked_within_a_run_ends_and_leaves_the_run_to_its_parent(
    scripts: Scripts, server: Emulator, tmp_path: Path
) -> None:
    script = """
from langchain_openrouter_o3 import OpenRouterInputError
def take():
    try:
        list(rows)
    except OpenRouterInputError as error:
        assert "before a fork" in str(error)
    else:
        raise AssertionError
for work in (lambda: None, take, lambda: rows.close()):
    reap(in_child(work, leave=sys.exit))
print(1 + len(list(rows)))
print(len(list(bulk(model, [f"echo {number}" for number in range(500)], journal=sys.argv[2]))))
"""
    told = scripts.run(_RUN + script, server, str(tmp_path / "run.db"))
    assert told == "500\n500\n"
    assert len(server.requests) == 500


def test_a_cache_that_was_made_before_a_fork_is_refused_and_its_file_left_alone(
    scripts: Scripts, server: Emulator, tmp_path: Path
) -> None:
    script = """
from langchain_openrouter_o3.bulk import JournalCache, JournalError
file = sys.argv[2]
def count():
    return [os.path.getsize(each) for each in (file, f"{file}-wal")]
cache = JournalCache(file)
model = ChatOpenRouterO3(base_url=sys.argv[1], cache=cache)
model.invoke("echo a")
def use():
    for use in (lambda: model.invoke("echo a"), lambda: model.invoke("echo b"), cache.clear):
        try:
            use()
        except JournalError as error:
            assert "Open it after the fork" in str(error)
        else:
            raise AssertionError
    cache.close()
before = count()
for work in (lambda: None, use):
    reap(in_child(work, leave=sys.exit))
assert count() == before
model.invoke("echo a")
cache.close()
"""
    scripts.run(script, server, str(tmp_path / "cache.db"))
    assert len(server.requests) == 1


def test_a_child_waits_for_no_lock_that_was_held_when_it_was_forked(
    scripts: Scripts, server: Emulator, tmp_path: Path
) -> None:
    script = """
from langchain_openrouter_o3.bulk import bulk, database
with database._opening:
    child = in_child(lambda: list(bulk(model, ["echo a"], journal=sys.argv[2])))
reap(child)
"""
    scripts.run(script, server, str(tmp_path / "run.db"))


def test_a_connection_from_before_a_fork_is_never_closed(tmp_path: Path) -> None:
    # In this process, whose lines are counted: what a child does after a fork.
    cache = JournalCache(tmp_path / "cache.db")
    cache.update("a", "model", [])
    database._begin_anew()
    cache._database.process -= 1
    cache.close()
    del database._OPEN[str(tmp_path / "cache.db")], cache
    gc.collect()
    assert (tmp_path / "cache.db-wal").stat().st_size > 0


def test_a_thread_of_another_process_or_of_the_past_is_not_waited_for() -> None:
    called: list[int] = []

    async def work() -> int:
        return 1

    thread = LoopThread()
    with thread:
        assert thread.run(work()) == 1
        thread._process -= 1
        with pytest.raises(OpenRouterInputError, match="before a fork"):
            thread.run(work())
        thread.call(lambda: called.append(1))
        thread._process += 1
    with pytest.raises(SystemExit):
        thread.run(work())
    thread.call(lambda: called.append(2))
    assert called == []


def test_who_waits_for_a_thread_that_ends_is_ended_in_silence() -> None:
    begun, ended = threading.Event(), list[type[BaseException]]()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(60)

    def wait() -> None:
        try:
            thread.run(work())
        except SystemExit as error:
            ended.append(type(error))

    with LoopThread() as thread:
        waiting = threading.Thread(target=wait)
        waiting.start()
        begun.wait()
    waiting.join()
    assert ended == [SystemExit]


# --- Cancelled ---

_IS_SLOW = ContextVar("_IS_SLOW", default=False)


async def _cancelled_by_anyio(consume: Any, row: asyncio.Event) -> None:
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await row.wait()
            scope.cancel()


async def _cancelled_twice(consume: Any, row: asyncio.Event) -> None:
    task = asyncio.ensure_future(consume())
    await row.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("cancel", [_cancelled_by_anyio, _cancelled_twice])
async def test_a_run_that_is_cancelled_again_and_again_keeps_what_was_answered(
    cancel: Any, tmp_path: Path
) -> None:
    row, answered = asyncio.Event(), list[int]()
    begin, note = row.set, answered.append  # what changes must be no part of the chain

    async def answer(number: int) -> int:
        if number >= 50 and _IS_SLOW.get():
            begin()
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.01)  # who is cancelled may have more to do
        note(number)
        return number

    def run() -> Any:
        chain: Any = RunnableLambda(int, afunc=answer)
        return abulk(chain, range(300), journal=tmp_path / "run.db", max_concurrency=5)

    async def consume() -> None:
        async for _ in run():
            pass

    _IS_SLOW.set(True)
    await cancel(consume, row)
    done = len(answered)
    _IS_SLOW.set(False)
    rows = [row async for row in run()]
    assert sum(row.from_journal for row in rows) == done >= 40
    assert len(rows) == 300


def test_a_chain_that_cancels_all_tasks_ends_the_run(tmp_path: Path) -> None:
    async def cancel(number: int) -> int:
        for task in asyncio.all_tasks() if number == 5 else ():
            task.cancel()
        return number

    chain: Any = RunnableLambda(int, afunc=cancel)
    for _ in range(2):  # the journal is given back
        with pytest.raises((CancelledError, OpenRouterError)):  # as it waits or works then
            list(bulk(chain, range(100), journal=tmp_path / "run.db", max_concurrency=1))


def test_a_run_under_trio_opens_no_journal(tmp_path: Path) -> None:
    async def main() -> None:
        async for _ in abulk(RunnableLambda(str), range(3), journal=tmp_path / "run.db"):
            pass

    with pytest.raises(RuntimeError, match="no running event loop"):
        trio.run(main)
    assert len(list(bulk(RunnableLambda(str), range(3), journal=tmp_path / "run.db"))) == 3


def test_what_goes_wrong_when_a_run_is_left_is_told(tmp_path: Path) -> None:
    def rows() -> Any:
        try:
            yield from range(100)
        finally:
            raise ValueError("the file cannot be closed")

    chain: Any = RunnableLambda(str)
    run = bulk(chain, rows(), journal=tmp_path / "run.db", max_concurrency=1)
    next(run)
    with pytest.raises(ValueError, match="cannot be closed"):
        run.close()
    assert len(list(bulk(chain, range(3), journal=tmp_path / "run.db"))) == 3
