"""Rare moments of a run and of its journal."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3.bulk import JournalError
from langchain_openrouter_o3.bulk.database import close_database, open_database
from langchain_openrouter_o3.bulk.engine import Engine, Options
from langchain_openrouter_o3.bulk.run import open_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def engine_of(rows: Any, workers: int = 1) -> Engine:
    options = Options(
        workers=workers,
        ordered=False,
        raises=False,
        keep_input=True,
        retry_failed=True,
        budget=None,
        config=None,
    )
    return open_engine(RunnableLambda(str), rows, None, None, options)


def test_a_run_that_never_started_can_be_closed() -> None:
    async def main() -> None:
        await engine_of([1]).close()

    asyncio.run(main())


def test_a_row_that_was_read_while_the_run_stopped_is_not_begun() -> None:
    async def main() -> list[Any]:
        asked, go = asyncio.Event(), asyncio.Event()

        async def rows() -> AsyncIterator[int]:
            asked.set()
            await go.wait()
            yield 1

        engine = engine_of(rows())
        engine.start()
        await asked.wait()
        engine.stop()
        go.set()
        taken = await engine.take()
        await engine.close()
        return taken

    assert asyncio.run(main()) == []


def test_who_no_longer_waits_for_rows_is_not_woken() -> None:
    async def main() -> list[Any]:
        go = asyncio.Event()

        async def rows() -> AsyncIterator[int]:
            await go.wait()
            yield 7

        engine = engine_of(rows())
        engine.start()
        taker = asyncio.ensure_future(engine.take())
        await asyncio.sleep(0)
        taker.cancel()
        go.set()
        taken = await engine.take()
        await engine.close()
        return [row.value for row in taken]

    assert asyncio.run(main()) == ["7"]


def test_what_fails_while_it_is_written_is_not_written(tmp_path: Path) -> None:
    database = open_database(tmp_path / "run.db")

    def fail() -> None:
        with database.writing():
            database.execute("CREATE TABLE half (a)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    found = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()
    close_database(database)
    assert found[0] == 0


def test_a_journal_that_another_connection_has_locked_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    close_database(open_database(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="another process works with this journal"):
            open_database(path)


def test_a_journal_that_was_opened_before_a_fork_is_the_parents(tmp_path: Path) -> None:
    database = open_database(tmp_path / "run.db")
    database.process -= 1
    with pytest.raises(JournalError, match="before a fork"):
        open_database(tmp_path / "run.db")
    database.process += 1
    close_database(database)
