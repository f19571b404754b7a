"""Runs that end early: killed, interrupted, given up."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3.bulk import BulkInterrupted, abulk, bulk, engine
from langchain_openrouter_o3.bulk.run import interruptible
from tests.helpers.bulk import by_prompt, model_of, paid, people, prompts
from tests.helpers.bulk_script import WORKERS
from tests.helpers.bulk_server import Plan, Server

WAYS = ["bulk", "abulk"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.fixture(scope="module")
def slow() -> Iterator[Server]:
    with Server(Plan(think=0.02)) as server:
        yield server


def begin(server: Server, journal: Path, rows: int, way: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.helpers.bulk_script",
            server.base_url,
            str(journal),
            str(rows),
            way,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def keys_in(journal: Path) -> set[str]:
    with closing(sqlite3.connect(journal)) as connection:
        query = "SELECT key FROM rows WHERE state = 'value'"
        return {key for (key,) in connection.execute(query)}


def test_ten_kills_lose_nothing_and_little_is_paid_twice(tmp_path: Path) -> None:
    journal, rows = tmp_path / "run.db", 1500
    chance = random.Random(11)  # noqa: S311 - it repeats itself
    with Server(Plan(think=0.01)) as server:
        given: list[str] = []
        for number in range(10):
            process = begin(server, journal, rows, WAYS[number % 2])
            # What is in the journal comes first; then some new rows.
            given = read_lines(
                process, len(keys_in(journal) if number else []) + chance.randrange(90)
            )
            process.kill()
            process.communicate()
            assert keys_in(journal) >= {*given}  # in the journal before it is handed out
        finished = list(
            bulk(people(model_of(server)), iter(prompts(rows)), key=by_prompt, journal=journal)
        )
        bill = server.bill()
    assert sorted(int(row.key) for row in finished) == [*range(rows)]
    assert all(row.ok for row in finished)
    twice = sum(bill.answers.values()) - rows
    assert 0 <= twice <= 10 * WORKERS
    # What the killed calls have cost is in no journal; how many there were is known.
    assert 0 <= bill.total - paid(finished) <= sum(bill.charged.values())


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_waits_for_what_is_paid_and_says_how_to_go_on(
    slow: Server, tmp_path: Path, way: str
) -> None:
    journal = tmp_path / "run.db"
    before = slow.bill()
    process = begin(slow, journal, 100_000, way)
    read_lines(process, 50)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.startswith("Interrupted: ")
    assert "rows" in err
    assert "USD" in err
    assert f"Run it again with the journal {journal} to go on." in err
    paid_for = sum(slow.bill().answers.values()) - sum(before.answers.values())
    assert len(keys_in(journal)) == paid_for >= 50


@pytest.mark.parametrize("way", WAYS)
def test_a_second_ctrl_c_ends_at_once(tmp_path: Path, way: str) -> None:
    with Server(Plan(think=60)) as server:
        process = begin(server, tmp_path / "run.db", 100_000, way)
        while server.bill().requests < WORKERS:
            pass
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=8)
        assert process.returncode != 0
        with closing(sqlite3.connect(tmp_path / "run.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("way", WAYS)
def test_rows_in_flight_are_given_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "GRACE_SECONDS", 0.3)
    journal = tmp_path / "run.db"
    with Server(Plan(think=60)) as server:
        model = model_of(server)

        def interrupt() -> None:
            while server.bill().requests < 3:
                pass
            os.kill(os.getpid(), signal.SIGINT)

        def run() -> None:
            if way == "bulk":
                list(bulk(model, prompts(9), journal=journal, max_concurrency=3))
                return

            async def consume() -> None:
                async for _ in abulk(model, prompts(9), journal=journal, max_concurrency=3):
                    pass

            asyncio.run(consume())

        threading.Thread(target=interrupt).start()
        with pytest.raises(BulkInterrupted) as caught:
            run()
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.code == 130
    assert "3 rows in flight were given up" in capsys.readouterr().err
    # What they have cost is unknown, and no later run forgets that.
    with Server() as server:
        rows = list(bulk(model_of(server), prompts(9), journal=journal, ordered=True))
    assert [row.cost is None for row in rows] == [True] * 3 + [False] * 6
    assert [row.attempts for row in rows] == [2] * 3 + [1] * 6


def test_an_interrupt_without_a_journal_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(number: int) -> int:
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return number

    with pytest.raises(BulkInterrupted):
        list(bulk(RunnableLambda(interrupt), range(10_000)))
    assert "Pass journal= to go on" in capsys.readouterr().err


def test_an_interrupt_of_the_callers_own_code_keeps_what_is_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "run.db"
    with Server(Plan(think=0.2)) as server:
        run = bulk(model_of(server), prompts(1000), journal=journal, max_concurrency=5)
        next(run)
        with pytest.raises(BulkInterrupted):
            signal.raise_signal(signal.SIGINT)
        run.close()
        paid_for = sum(server.bill().answers.values())
    assert len(keys_in(journal)) == paid_for > 0
    assert "0 rows in flight were given up" in capsys.readouterr().err


def test_an_interrupt_after_a_run_that_ended_in_another_thread_is_the_programs() -> None:
    before = signal.getsignal(signal.SIGINT)
    run = bulk(RunnableLambda(str), range(1000))
    next(run)
    thread = threading.Thread(target=run.close)
    thread.start()
    thread.join()
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(signal.SIGINT)
    assert type(caught.value) is KeyboardInterrupt
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_program_is_left_alone() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: calls.append(number))
    try:
        with interruptible(lambda: calls.append(-1)):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert len(list(bulk(RunnableLambda(str), range(3)))) == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_in_a_thread_handles_no_signals() -> None:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(bulk(RunnableLambda(str), range(3))))
    thread.start()
    thread.join()
    assert len(got) == 3


def test_a_handler_that_is_set_during_a_run_stays() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        with interruptible(lambda: None):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("step", [False, True])
def test_a_chain_that_exits_ends_the_run(tmp_path: Path, *, step: bool) -> None:
    async def leave(number: int) -> int:
        if number == 5:
            sys.exit(7)
        return number

    chain: Any = RunnableLambda(int, afunc=leave)
    if step:
        chain = chain | RunnableLambda(int)
    for _ in range(2):  # the journal is given back
        with pytest.raises(SystemExit) as caught:
            list(bulk(chain, range(100), journal=tmp_path / "run.db", max_concurrency=2))
        assert caught.value.code == 7
