"""Rare moments of runs, their progress, and Parquet."""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3._cli.bulk_rows import RowsOfFile
from langchain_openrouter_o3.bulk import JournalError, Progress, bulk, export, progress
from langchain_openrouter_o3.bulk.database import close_database, open_database
from langchain_openrouter_o3.bulk.engine import Engine, Options
from langchain_openrouter_o3.bulk.progress import line_of
from langchain_openrouter_o3.bulk.run import open_engine
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.bulk import WAYS, people
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
    database.process += 1
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


_ARROW = """
def string(): return "string"
def int64(): return "int64"
def float64(): return "float64"
def decimal128(precision, scale): return f"decimal128({precision}, {scale})"
def list_(kind): return f"list<{kind}>"
def schema(fields): return dict(fields)
class Table:
    @staticmethod
    def from_pylist(rows, schema):
        assert all(row.keys() == schema.keys() for row in rows)
        return rows
"""
_PARQUET = """
import json, types
class ParquetWriter:
    def __init__(self, path, schema): self.path, self.rows = path, []
    def __enter__(self): return self
    def __exit__(self, *_):
        with open(self.path, "w") as file: json.dump(self.rows, file, default=str)
    def write_table(self, table): self.rows += table
class ParquetFile:
    def __init__(self, path):
        with open(path) as file: self.rows = json.load(file)
        self.metadata = types.SimpleNamespace(num_rows=len(self.rows))
    def iter_batches(self, batch_size):
        rows = self.rows
        yield types.SimpleNamespace(to_pylist=lambda: rows)
"""


@pytest.fixture
def _arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = tmp_path / "packages" / "pyarrow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_ARROW)
    (package / "parquet.py").write_text(_PARQUET)
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    yield
    for name in ("pyarrow", "pyarrow.parquet"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("_arrow")
def test_a_journal_is_exported_as_parquet(model: ChatOpenRouterO3, tmp_path: Path) -> None:
    texts = [f"Ada-{number} was born in 1815" for number in range(3)]
    rows = list(bulk(people(model), texts, journal=tmp_path / "run.db", ordered=True))
    out = tmp_path / "people.parquet"
    assert export(tmp_path / "run.db", out) == 3
    written: list[dict[str, Any]] = [*RowsOfFile(str(out))]
    assert len(RowsOfFile(str(out))) == 3
    assert json.loads(written[0]["value"]) == {"name": "Ada-0", "born": 1815}
    assert Decimal(written[0]["cost"]) == rows[0].cost


def test_parquet_without_pyarrow_is_refused(
    model: ChatOpenRouterO3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(bulk(model, ["echo a"], journal=tmp_path / "run.db"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OpenRouterInputError, match="pip install pyarrow"):
        export(tmp_path / "run.db", tmp_path / "out.parquet")
