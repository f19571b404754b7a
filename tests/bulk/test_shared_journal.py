"""A journal that several processes share: a folder with a file of each."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.bulk import (
    BudgetError,
    JournalError,
    SharedJournal,
    bulk,
    shared_journal,
)
from langchain_openrouter_o3.bulk.budget import Share
from langchain_openrouter_o3.emulator import Canned, faults
from tests.helpers import wire
from tests.helpers.bulk import WAYS, by_prompt, model_of, people, prompts
from tests.helpers.bulk_script import WORKERS
from tests.helpers.bulk_server import Plan, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator import Emulator


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[SharedJournal, SharedJournal]]:
    """What two processes have open at the same time."""
    with (
        SharedJournal(tmp_path / "all", "job") as one,
        SharedJournal(tmp_path / "all", "job") as two,
    ):
        yield one, two


def run(chain: Any, rows: Any, journal: SharedJournal, **options: Any) -> list[Any]:
    found = list(bulk(chain, rows, key=by_prompt, journal=journal, **options))
    return sorted(found, key=lambda row: row.number)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_one_process_has_done_another_finds(
    way: Any, model: ChatOpenRouterO3, emulator: Emulator, pair: Any
) -> None:
    one, two = pair
    assert (one.number, two.number) == (0, 1)
    chain, other = people(model), people(model)
    first = way(chain, prompts(10), key=by_prompt, journal=one, ordered=True)
    again = way(other, prompts(15), key=by_prompt, journal=two, ordered=True)  # both still open
    assert len(emulator.requests) == 15
    assert [row.from_journal for row in again] == [True] * 10 + [False] * 5
    assert [row.value for row in again[:10]] == [row.value for row in first]
    assert [row.cost for row in again[:10]] == [row.cost for row in first]
    back = way(chain, prompts(15), key=by_prompt, journal=one, ordered=True)
    assert all(row.from_journal for row in back)
    assert len(emulator.requests) == 15


def test_errors_are_tried_again_and_their_costs_add_up(
    model: ChatOpenRouterO3, emulator: Emulator, pair: Any
) -> None:
    one, two = pair
    emulator.disturb(lambda request: faults.status(400) if b"row-1" in request.raw else None)
    assert [row.ok for row in run(people(model), prompts(3), one)] == [True, False, True]
    emulator.reset()
    kept = run(people(model), prompts(3), two, retry_failed=False)
    assert [row.ok for row in kept] == [True, False, True]
    assert type(kept[1].error).__name__ == "OpenRouterInvalidRequestError"
    better = run(people(model), prompts(3), two)
    assert [row.attempts for row in better] == [1, 2, 1]
    assert all(row.ok for row in run(people(model), prompts(3), one))


@pytest.mark.parametrize("names", ["abc", "cba", "bca"])
def test_costs_of_failed_tries_add_up_in_whatever_order_files_are_read(
    model: ChatOpenRouterO3, emulator: Emulator, tmp_path: Path, names: str
) -> None:
    answer = json.dumps(wire.body("{}", counts=wire.usage(cost=0.1))).encode()
    for number, name in enumerate(names, start=1):
        emulator.play(Canned(pieces=answer))  # it is paid, and no person
        with SharedJournal(tmp_path, name) as journal:
            (row,) = run(people(model), prompts(1), journal)
        assert (row.attempts, row.known_cost) == (number, number * Decimal("0.1"))


def test_a_process_that_is_killed_leaves_what_it_has_done(tmp_path: Path) -> None:
    with Server(Plan(think=0.02)) as server:
        command = [sys.executable, "-m", "tests.helpers.bulk_script", server.base_url]
        process = subprocess.Popen(
            [*command, (tmp_path / "all").as_uri(), "1000", "abulk"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        given = {process.stdout.readline().strip() for _ in range(100)}
        process.kill()
        process.communicate()
        (file,) = (tmp_path / "all").iterdir()
        with file.open("ab") as half:
            half.write(b'["half a li')
        with SharedJournal(tmp_path / "all") as journal:
            rows = run(people(model_of(server)), prompts(300), journal)
        bill = server.bill()
    assert given <= {row.key for row in rows if row.from_journal}
    assert all(row.ok for row in rows)
    assert 0 <= bill.requests - sum(row.attempts for row in rows) <= 2 * WORKERS


def test_another_chain_is_refused_by_the_part_that_differs(
    model: ChatOpenRouterO3, pair: Any
) -> None:
    one, two = pair
    other = ChatOpenRouterO3(base_url=model.base_url, api_key="any", max_tokens=77)
    run(people(model), prompts(1), one)
    for journal in pair:
        with pytest.raises(JournalError, match=r"max_tokens: .*77 now"):
            run(people(other), prompts(1), journal)
    assert len(run(people(model), prompts(1), two)) == 1


def test_a_second_run_of_a_process_and_an_open_journal_after_a_fork_are_refused(
    model: ChatOpenRouterO3, pair: Any
) -> None:
    one, _ = pair
    rows = bulk(model, prompts(5), key=by_prompt, journal=one)
    next(rows)
    with pytest.raises(JournalError, match="another run of this process"):
        run(model, prompts(1), one)
    rows.close()
    one._process -= 1
    with pytest.raises(JournalError, match="before a fork"):
        run(model, prompts(1), one)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "byte 0: this is no line of a journal"),
        ('{"format": 9}', "its format is 9"),
        ('{"format": 1, "parts": {}}', "another chain's"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "other.jsonl").write_text(f"{line}\n")
    with SharedJournal(tmp_path) as journal:
        for _ in range(2):  # it is read again, not skipped
            with pytest.raises(JournalError, match=words):
                list(bulk(RunnableLambda(str), ["row-1"], key=by_prompt, journal=journal))


def test_a_line_that_cannot_be_read_is_told_by_its_place(tmp_path: Path) -> None:
    chain = RunnableLambda(str)
    with SharedJournal(tmp_path, "a") as first:
        list(bulk(chain, ["row-1"], key=by_prompt, journal=first))
    file = tmp_path / "a-0.jsonl"
    start = file.stat().st_size
    with file.open("ab") as more:
        more.write(b"[]\n")
    with (
        SharedJournal(tmp_path) as journal,
        pytest.raises(JournalError, match=f"a-0.jsonl, byte {start}: this is no line"),
    ):
        list(bulk(chain, ["row-1"], key=by_prompt, journal=journal))


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpenRouterInputError, match="Mount a shared folder"):
        SharedJournal("s3://bucket/journal")
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="Choose a folder"):
        SharedJournal(tmp_path / "file")
    with SharedJournal((tmp_path / "a b").as_uri()) as journal:
        assert journal.folder == tmp_path / "a b"
        (journal.folder / "z.jsonl").symlink_to(tmp_path / "nothing")
        with pytest.raises(JournalError, match="Choose a folder"):
            list(bulk(RunnableLambda(str), ["row-1"], key=by_prompt, journal=journal))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path) -> None:
    import resource

    chain: Any = RunnableLambda(lambda text: text * 50)
    with SharedJournal(tmp_path) as journal:
        list(bulk(chain, ["row-1"], key=by_prompt, journal=journal))
        (file,) = tmp_path.iterdir()
        size = file.stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
        try:
            with pytest.raises(JournalError, match="has room"):
                list(bulk(chain, ["row-2"], key=by_prompt, journal=journal))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert file.stat().st_size == size
        assert [row.ok for row in bulk(chain, ["row-2"], key=by_prompt, journal=journal)] == [True]
    for line in file.read_bytes().splitlines():
        json.loads(line)


def test_a_row_that_could_not_be_written_through_is_not_paid_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    chain: Any = RunnableLambda(lambda text: text)
    with SharedJournal(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(shared_journal, "_SYNC_SECONDS", -1.0)
            list(bulk(chain, ["row-1"], key=by_prompt, journal=journal))
            patch.setattr(os, "fsync", broken)
            with pytest.raises(JournalError, match="Input/output error"):
                list(bulk(chain, ["row-2"], key=by_prompt, journal=journal))
        (row,) = bulk(chain, ["row-2"], key=by_prompt, journal=journal)
        assert row.from_journal


# --- Shares of budget and rate ---


def test_a_share_paces_requests_and_divides_the_budget() -> None:
    now = 100.0
    share = Share("4", 2, 4, timer=lambda: now)
    assert share.limit == Decimal(1)
    first, second, third = (_request() for _ in range(3))
    assert [share.admit(each) for each in (first, second, third)] == [0.0, 2.0, 4.0]
    assert share.admit(third) == 4.0  # it keeps its turn
    now = 102.0
    assert share.admit(second) == 0.0
    share.settle(second, Decimal("0.9"))
    now = 104.0
    assert share.admit(third) > 0  # the first one may give money back
    share.settle(first, None)
    with pytest.raises(BudgetError, match="budget=1 USD"):
        share.admit(third)
    unlimited = Share(None, None, 1)
    assert unlimited.admit(first) == 0.0
    unlimited.settle(first, None)


def _request() -> Any:
    from langchain_openrouter_o3._http.request_headers import RequestHeaders
    from langchain_openrouter_o3._http.steps import Request

    body = b'{"model": "openai/o3-mini", "max_tokens": 20000}'
    return Request("http://127.0.0.1", RequestHeaders({}), body)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, 0, 1), "requests_per_second"),
        ((None, None, 0), "actors"),
        (("x", None, 1), "budget"),
    ],
)
def test_a_share_of_nothing_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(OpenRouterInputError, match=words):
        Share(*arguments)


def test_a_budget_of_several_runs_is_spent_once(model: ChatOpenRouterO3, tmp_path: Path) -> None:
    limited = model.bind(max_tokens=1000)
    share = Share("0.01", None, 1)
    with SharedJournal(tmp_path) as journal:
        runs = (
            run(limited, prompts(10, number), journal, budget=share) for number in range(0, 990, 10)
        )
        with pytest.raises(BudgetError):
            list(runs)
