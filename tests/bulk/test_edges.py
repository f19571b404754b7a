"""Rare moments of runs, and their progress."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import JournalError, Progress, bulk, progress
from langchain_openrouter_o3.bulk.database import close_database, open_database
from langchain_openrouter_o3.bulk.engine import Engine, Options
from langchain_openrouter_o3.bulk.progress import line_of
from langchain_openrouter_o3.bulk.run import open_engine
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.bulk import WAYS
from tests.helpers.commands import Screen


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
    database.close()
    database.process += 1
    assert database.execute("SELECT 1").fetchone() == (1,)  # it is still open
    close_database(database)


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_LIVE_SECONDS", 0.05)


def test_a_function_is_told(run: Any, model: ChatOpenRouterO3, emulator: Emulator) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"row-7" in request.raw else None)
    told: list[tuple[int, int, int]] = []

    def tell(now: Progress) -> None:
        told.append((now.done, now.failed, now.in_flight))

    rows = run(model, [f"echo row-{n}" for n in range(40)], progress=tell, max_concurrency=2)
    assert len(rows) == 40
    assert told == sorted(told, key=lambda each: each[:2])
    assert told[-1] == (40, 1, 0)


def test_plain_lines_are_written(
    run: Any, model: ChatOpenRouterO3, capsys: pytest.CaptureFixture[str], emulator: Emulator
) -> None:
    emulator.disturb(lambda _: faults.stall(0.03))
    run(model, [f"echo row-{n}" for n in range(20)], progress=True, max_concurrency=2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert lines[-1].startswith("20 of 20 rows, ")
    assert "USD" in lines[-1]


def test_a_line_moves_on_a_terminal(
    model: ChatOpenRouterO3, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.disturb(lambda _: faults.stall(0.03))
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = bulk(model, (f"echo row-{n}" for n in range(20)), progress=True, max_concurrency=2)
    assert len(list(rows)) == 20
    assert "20 rows, " in screen.getvalue()


def _progress(**figures: Any) -> Progress:
    return Progress(**{"started": time.monotonic() - 100, **figures})


@pytest.mark.parametrize(
    ("figures", "texts"),
    [
        ({}, ["0 rows, 0.0/s, 0.0000 USD"]),
        ({"total": 1000, "done": 100}, ["100 of 1,000 rows, 1.0/s, 15 min left"]),
        ({"total": 110, "done": 100}, ["10 s left"]),
        ({"total": 10_000, "done": 100}, ["2.8 h left"]),
        (
            {"total": 300, "done": 200, "from_journal": 100, "cost": Decimal(2)},
            ["1.0/s", "2.0000 USD (4.0000 USD in all)", "100 from the journal"],
        ),
        ({"lost": 20}, ["up to 20 lost by kills"]),
        ({"unknown": 3}, ["0.0000 USD + 3 rows of unknown cost"]),
    ],
)
def test_a_line_tells_what_is_known(figures: Any, texts: list[str]) -> None:
    line = line_of(_progress(**figures))
    assert all(text in line for text in texts), line


def test_errors_are_told_by_class() -> None:
    now = _progress(failed=3)
    now.errors.update({"ValueError": 1, "OpenRouterAPIError": 2})
    assert "3 failed (2 OpenRouterAPIError, 1 ValueError)" in line_of(now)
