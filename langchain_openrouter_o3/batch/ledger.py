"""The ledger of a job: its rows, their calls, and the batches that carry them, in one SQLite file.

What is about to be sent is written first, so that a lost answer, or the death of the process,
leaves a trace. A commit survives a loss of power. The state of a call is "open", "answered",
"failed" (its result is an error), or "missing" (its batch has ended without a result for it).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from langchain_openrouter_o3._json import decode, encode, is_object
from langchain_openrouter_o3.batch import requests, responses
from langchain_openrouter_o3.batch.transport import Collected, Known, missing
from langchain_openrouter_o3.bulk.budget import share_out
from langchain_openrouter_o3.bulk.database import (
    Database,
    Layout,
    application_of,
    close_database,
    open_database,
)
from langchain_openrouter_o3.bulk.errors import JournalError, JournalInUseError

_TABLES = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE parts(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rows(
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, input BLOB NOT NULL,
    run INTEGER NOT NULL, is_over INTEGER NOT NULL DEFAULT 0, was_read INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX rows_in_order ON rows(number, id);
CREATE TABLE calls(
    id INTEGER PRIMARY KEY, row INTEGER NOT NULL, round INTEGER NOT NULL, digest BLOB NOT NULL,
    frame BLOB NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, size INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1, batch INTEGER, state TEXT NOT NULL DEFAULT 'open',
    cost TEXT, share TEXT, input_tokens INTEGER, output_tokens INTEGER
);
CREATE TABLE bodies(call INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE outcomes(call INTEGER PRIMARY KEY, outcome BLOB NOT NULL);
CREATE INDEX calls_of_rows ON calls(row, round, id);
CREATE INDEX calls_of_batches ON calls(batch);
CREATE INDEX calls_to_send ON calls(id) WHERE batch IS NULL;
CREATE TABLE batches(
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
    total INTEGER NOT NULL, size INTEGER NOT NULL, id TEXT UNIQUE, sent REAL, status TEXT,
    completed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, created REAL,
    expires REAL, cost TEXT, error TEXT
);
CREATE TABLE strangers(id TEXT PRIMARY KEY);
"""
JOB = Layout("job", 0x4F334254, 1, _TABLES, survives="FULL")

PATIENCE: float = 10.0
"""Seconds to wait for another process, which holds the file only while it works with it."""

_COLUMNS = (
    "number, state, model, provider, total, size, id, sent, status, completed, failed, created, "
    "expires, cost, error"
)
_ROW = "id, number, key, input, run, was_read"


class Batch(NamedTuple):
    """One batch of a job; the names are those of the file's columns.

    Attributes:
        number: In the job, from 1.
        state: "planned"; "sending" before each submission, and as long as nobody knows whether
            there is a batch; "sent"; "fetched", when its results are here; "deleted".
        model: The slug.
        provider: JSON of its provider preferences, or empty.
        total: How many requests it has.
        size: Bytes of its requests.
        id: OpenRouter's, once it is known.
        sent: When its submission began, and then when its last byte went, by this computer's clock.
        status: OpenRouter's, as it was seen last.
        completed: Requests that were answered then.
        failed: Requests that had failed then.
        created: When OpenRouter has stored it, by its clock.
        expires: When it expires, by OpenRouter's clock.
        cost: USD that it has cost, if it is told.
        error: Why it has failed.
    """

    number: int
    state: str
    model: str
    provider: str
    total: int
    size: int
    id: str | None
    sent: float | None
    status: str | None
    completed: int
    failed: int
    created: float | None
    expires: float | None
    cost: str | None
    error: str | None


class StoredRow(NamedTuple):
    """One row of a job.

    Attributes:
        id: In the file.
        number: In the input, from 1.
        key: As text.
        input: As `values.dump` writes it.
        run: The number of the `submit_batch` that has seen it last.
        was_read: Whether it was given to the caller.
    """

    id: int
    number: int
    key: str
    input: bytes
    run: int
    was_read: bool


class NewRow(NamedTuple):
    """A row that was collected: see `StoredRow`, and the calls of its first round."""

    number: int
    key: str
    input: bytes
    calls: Sequence[Collected]


class Ledger:
    """The file of a job, while it is open."""

    def __init__(self, database: Database) -> None:
        """Take an open file; `opened` gives it."""
        self._database = database
        self.path = database.path

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """Keep other threads from collecting or submitting meanwhile; other processes cannot.

        Raises:
            JournalError: Another thread does so.
        """
        with self._database.lock:
            if self._database.has_run:
                raise JournalError(f"{self.path}: another thread of this process submits this job.")
            self._database.has_run = True
        try:
            yield
        finally:
            self._database.has_run = False

    @property
    def is_submitting(self) -> bool:
        """Whether somebody in this process collects or submits at this moment."""
        return self._database.has_run

    # --- Facts and parts of the chain ---

    def facts(self) -> dict[str, str]:
        """Return what was noted of the job."""
        return dict(self._all("SELECT name, value FROM facts"))

    def note(self, **facts: str) -> None:
        """Note something of the job."""
        with self._database.writing():
            self._many("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def parts(self) -> dict[str, str]:
        """Return the parts of the chain whose job it is."""
        return dict(self._all("SELECT name, value FROM parts"))

    def begin(self, parts: Mapping[str, str], facts: Mapping[str, str]) -> None:
        """Begin a job: the parts of its chain, and what is known of it."""
        with self._database.writing():
            self._many("INSERT INTO parts VALUES (?, ?)", parts.items())
            self._many("INSERT INTO facts VALUES (?, ?)", facts.items())

    # --- Rows and their calls ---

    def find(self, key: str) -> StoredRow | None:
        """Look a row up."""
        found = self._one(f"SELECT {_ROW} FROM rows WHERE key = ?", key)  # noqa: S608 - our own names
        return None if found is None else StoredRow._make(found)

    def add(self, run: int, rows: Iterable[NewRow], seen: Iterable[StoredRow]) -> None:
        """Write down the new rows that a run has read, and those that it has seen again."""
        with self._database.writing():
            for new in rows:
                row = self._database.execute(
                    "INSERT INTO rows (number, key, input, run, is_over) VALUES (?, ?, ?, ?, ?)",
                    (new.number, new.key, new.input, run, not new.calls),
                ).lastrowid
                self._add_calls(row, 1, new.calls)
            self._many("UPDATE rows SET run = ? WHERE id = ?", [(run, row.id) for row in seen])

    def go_on(self, steps: Iterable[tuple[int, int, Sequence[Collected]]]) -> None:
        """Write down what came of further runs: row, round, and the calls that it has made."""
        with self._database.writing():
            for row, number, calls in steps:
                self._add_calls(row, number, calls)
                if not calls:
                    self._database.execute("UPDATE rows SET is_over = 1 WHERE id = ?", (row,))

    def _add_calls(self, row: int | None, number: int, calls: Sequence[Collected]) -> None:
        for call in calls:
            part = call.part
            identity = self._database.execute(
                "INSERT INTO calls (row, round, digest, frame, model, provider, size) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row, number, call.digest, call.frame, part.model, part.provider, len(part.body)),
            ).lastrowid
            self._database.execute("INSERT INTO bodies VALUES (?, ?)", (identity, part.body))

    def rows(self, *, only_open: bool = False) -> Iterator[list[StoredRow]]:
        """Read rows in the order of the input, some at a time.

        Args:
            only_open: Only those that may make more calls, and wait for no answer: a row that was
                gone on with just before a kill would make, and pay for, the same call again.
        """
        last = (-1, -1)
        waits = "SELECT 1 FROM calls WHERE calls.row = rows.id AND state = 'open'"
        still = f"AND is_over = 0 AND NOT EXISTS ({waits}) " if only_open else ""
        while found := self._all(
            f"SELECT {_ROW} FROM rows WHERE (number, id) > (?, ?) "  # noqa: S608 - our own words
            f"{still}ORDER BY number, id LIMIT 64",
            *last,
        ):
            chunk = [StoredRow._make(each) for each in found]
            last = (chunk[-1].number, chunk[-1].id)
            yield chunk

    def calls_of(self, row: int) -> list[Known]:
        """Read the calls of a row in their order; all have an outcome."""
        found = self._all(
            "SELECT round, digest, frame, outcome, cost, share FROM calls "
            "JOIN outcomes ON outcomes.call = calls.id WHERE row = ? ORDER BY round, id",
            row,
        )
        return [Known._make(each) for each in found]

    def are_answered(self, rows: Sequence[StoredRow]) -> bool:
        """Whether every call of these rows has an outcome."""
        marks = ", ".join("?" for _ in rows)
        waiting = f"SELECT count(*) FROM calls WHERE state = 'open' AND row IN ({marks})"  # noqa: S608 - marks alone
        return not self._one(waiting, *(row.id for row in rows))[0]

    def mark_read(self, rows: Sequence[StoredRow]) -> None:
        """Note that rows were given to the caller."""
        with self._database.writing():
            self._many("UPDATE rows SET was_read = 1 WHERE id = ?", [(row.id,) for row in rows])

    def count(self, what: str) -> int:
        """Count rows or calls; `what` is the rest of a statement."""
        found = self._one(f"SELECT count(*) FROM {what}")  # noqa: S608 - our own words
        return int(found[0])

    # --- Batches ---

    def release(self) -> None:
        """Take calls out of batches that are not stored, so that they are planned anew.

        A batch that was too large for the server (413) can be cut smaller only so.
        """
        planned = "SELECT number FROM batches WHERE state = 'planned'"
        with self._database.writing():
            self._database.execute(f"UPDATE calls SET batch = NULL WHERE batch IN ({planned})")  # noqa: S608 - names of our own
            self._database.execute("DELETE FROM batches WHERE state = 'planned'")

    def plan(self, job: str, limit: int) -> None:
        """Assign every call that has no batch to one, by model and provider, within the limits."""
        with self._database.writing():
            groups = self._all("SELECT DISTINCT model, provider FROM calls WHERE batch IS NULL")
            for model, provider in groups:
                self._plan_group(job, limit, model, provider)

    def _plan_group(self, job: str, limit: int, model: str, provider: str) -> None:
        calls = self._all(
            "SELECT id, attempt, size FROM calls WHERE batch IS NULL AND model = ? "
            "AND provider = ? ORDER BY id",
            model,
            provider,
        )
        number, total, size = self._next_number(), 0, 0
        for call, attempt, length in calls:
            more = requests.size_of(requests.custom_id(job, call, attempt), length)
            if total and not requests.has_room(total, size, more, limit):
                self._add_batch(number, model, provider, total, size)
                number, total, size = number + 1, 0, 0
            self._database.execute("UPDATE calls SET batch = ? WHERE id = ?", (number, call))
            total, size = total + 1, size + more
        self._add_batch(number, model, provider, total, size)

    def _next_number(self) -> int:
        return int(self._one("SELECT coalesce(max(number), 0) + 1 FROM batches")[0])

    def _add_batch(self, number: int, model: str, provider: str, total: int, size: int) -> None:
        self._database.execute(
            "INSERT INTO batches (number, state, model, provider, total, size) "
            "VALUES (?, 'planned', ?, ?, ?, ?)",
            (number, model, provider, total, size),
        )

    def batches(self, *states: str) -> list[Batch]:
        """Read the batches that are in one of these states; all without any."""
        marks = ", ".join("?" for _ in states)
        where = f"WHERE state IN ({marks}) " if states else ""
        found = self._all(f"SELECT {_COLUMNS} FROM batches {where}ORDER BY number", *states)  # noqa: S608 - names of our own
        return [Batch._make(each) for each in found]

    def update(self, number: int, **columns: Any) -> None:
        """Write columns of a batch; the commit comes before this returns."""
        self.update_all({number: columns})

    def update_all(self, batches: Mapping[int, Mapping[str, Any]]) -> None:
        """Write columns of several batches, by their numbers, all or none."""
        with self._database.writing():
            for number, columns in batches.items():
                named = ", ".join(f"{name} = ?" for name in columns)
                self._database.execute(
                    f"UPDATE batches SET {named} WHERE number = ?",  # noqa: S608 - our own names
                    (*columns.values(), number),
                )

    def lines(self, job: str, batch: Batch) -> Iterator[bytes]:
        """Read the requests of a batch as its submission has them, some at a time."""
        last = -1
        while found := self._all(
            "SELECT id, attempt, body FROM calls JOIN bodies ON bodies.call = calls.id "
            "WHERE batch = ? AND id > ? ORDER BY id LIMIT 50",
            batch.number,
            last,
        ):
            for call, attempt, body in found:
                yield requests.request_line(requests.custom_id(job, call, attempt), body)
            last = found[-1][0]

    def holds(self, batch: Batch, call: tuple[int, int] | None) -> bool:
        """Whether a batch carries a call in this attempt."""
        if call is None:
            return False
        found = self._one("SELECT batch, attempt FROM calls WHERE id = ?", call[0])
        return found is not None and tuple(found) == (batch.number, call[1])

    def known_ids(self) -> set[str]:
        """Return the ids of all batches that need no looking at: ours, and strangers' ones."""
        query = "SELECT id FROM batches WHERE id IS NOT NULL UNION SELECT id FROM strangers"
        return {each for (each,) in self._all(query)}

    def note_stranger(self, identity: str) -> None:
        """Note that a batch is somebody else's."""
        with self._database.writing():
            self._database.execute("INSERT OR IGNORE INTO strangers VALUES (?)", (identity,))

    # --- Results ---

    def keep(self, job: str, batch: Batch, results: Iterable[Any]) -> list[str]:
        """Write results down.

        Returns:
            The ids of those that belong to no request of the batch.
        """
        foreign: list[str] = []
        with self._database.writing():
            for result in results:
                name = result.get("custom_id") if is_object(result) else None
                call = requests.read_custom_id(job, name)
                if call is None or not self.holds(batch, call):
                    foreign.append(str(name))
                else:
                    self._keep(call[0], result)
        return foreign

    def _keep(self, call: int, result: dict[str, Any]) -> None:
        """Write a result down, unless it is an error and there is an answer already."""
        usage, is_answered = responses.usage_of(result), responses.is_answered(result)
        is_news = self._database.execute(
            "UPDATE calls SET state = ?, cost = ?, input_tokens = ?, output_tokens = ? "
            "WHERE id = ? AND (state != 'answered' OR ?)",
            (
                "answered" if is_answered else "failed",
                None if usage.cost is None else str(usage.cost),
                usage.input_tokens,
                usage.output_tokens,
                call,
                is_answered,
            ),
        ).rowcount
        if is_news:
            self._database.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?)",
                (call, responses.write_json(result)),
            )

    def count_withheld(self, batch: Batch) -> int:
        """Count the answers that OpenRouter says a batch has, and that did not come."""
        found = "SELECT state, count(*) FROM calls WHERE batch = ? GROUP BY state"
        calls: dict[str, int] = dict(self._all(found, batch.number))
        # Whether `completed` counts the failed ones is not told.
        answers = min(batch.completed, batch.total - batch.failed)
        return max(0, min(calls.get("open", 0), answers - calls.get("answered", 0)))

    def close_batch(self, batch: Batch, status: str, error: str | None = None) -> None:
        """Note that no more results of a batch will come, and share its cost out."""
        with self._database.writing():
            of_batch = "batch = ? AND state = 'open'"
            self._database.execute(
                f"INSERT INTO outcomes SELECT id, ? FROM calls WHERE {of_batch}",  # noqa: S608 - names of our own
                (missing(status, error), batch.number),
            )
            self._database.execute(
                f"UPDATE calls SET state = 'missing' WHERE {of_batch}",  # noqa: S608 - our own words
                (batch.number,),
            )
            if batch.cost is not None:
                self._share_out(batch, Decimal(batch.cost))
            self._database.execute(
                "UPDATE batches SET state = 'fetched' WHERE number = ?", (batch.number,)
            )

    def _share_out(self, batch: Batch, cost: Decimal) -> None:
        """Share out what the batch has cost beside the rows that tell their own cost."""
        told = self._all(
            "SELECT cost FROM calls WHERE batch = ? AND cost IS NOT NULL", batch.number
        )
        left = cost - sum((Decimal(each) for (each,) in told), Decimal(0))
        found = self._all(
            "SELECT id, input_tokens, output_tokens FROM calls WHERE batch = ? AND cost IS NULL "
            "AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL ORDER BY id",
            batch.number,
        )
        shares = share_out(left, batch.model, [(i, o) for _, i, o in found])
        self._many(
            "UPDATE calls SET share = ? WHERE id = ?",
            [(str(share), call) for share, (call, _, _) in zip(shares, found, strict=True)],
        )

    def send_again(self, *, failed: bool) -> int:
        """Take calls without an answer out of their batches, so that they are sent again.

        Args:
            failed: Also those that were answered with an error.

        Returns:
            How many there are.
        """
        which = "state IN ('missing', 'failed')" if failed else "state = 'missing'"
        with self._database.writing():
            rows = f"SELECT row FROM calls WHERE {which}"  # noqa: S608 - our own words
            calls = f"SELECT id FROM calls WHERE {which}"  # noqa: S608 - same
            again = "UPDATE rows SET is_over = 0, was_read = 0"
            self._database.execute(f"{again} WHERE id IN ({rows})")
            self._database.execute(f"DELETE FROM outcomes WHERE call IN ({calls})")  # noqa: S608 - names of our own
            told = "cost = NULL, share = NULL, input_tokens = NULL, output_tokens = NULL"
            reset = f"batch = NULL, state = 'open', {told}"
            again = f"UPDATE calls SET {reset}, attempt = attempt + 1 WHERE {which}"  # noqa: S608 - names of our own
            return self._database.execute(again).rowcount

    # --- SQLite ---

    def _all(self, statement: str, *values: Any) -> list[Any]:
        with self._database.lock:
            return self._database.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: Any) -> Any:
        with self._database.lock:
            return self._database.execute(statement, values).fetchone()

    def _many(self, statement: str, values: Iterable[Any]) -> None:
        self._database.execute_many(statement, [*values])


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], *, must_exist: bool = True) -> Generator[Ledger]:
    """Open the file of a job, and give it back.

    Raises:
        JournalInUseError: Another process works with it, for longer than `PATIENCE`.
        JournalError: There is no such job, or it is something else.
    """
    until = time.monotonic() + PATIENCE
    while (database := _try_to_open(path, until, must_exist=must_exist)) is None:
        time.sleep(_pause())
    with _given_back(database) as ledger:
        yield ledger


@contextlib.asynccontextmanager
async def aopened(
    path: str | os.PathLike[str], *, must_exist: bool = True
) -> AsyncGenerator[Ledger]:
    """Do the same as `opened`, and let the event loop run while another process has the file."""
    until = time.monotonic() + PATIENCE
    while (database := _try_to_open(path, until, must_exist=must_exist)) is None:  # noqa: ASYNC110 - another process tells of no event
        await asyncio.sleep(_pause())
    with _given_back(database) as ledger:
        yield ledger


def _try_to_open(
    path: str | os.PathLike[str], until: float, *, must_exist: bool
) -> Database | None:
    """Open a file; None while another process works with it and there is time to wait."""
    if must_exist and not Path(path).is_file():
        raise JournalError(f"{os.fspath(path)}: there is no such job. Give the file of one.")
    try:
        return open_database(path, JOB)
    except JournalInUseError:
        if time.monotonic() >= until:
            raise
        return None


def _pause() -> float:
    return random.uniform(0.02, 0.1)  # noqa: S311 - no secret; two who wait must not meet again


@contextlib.contextmanager
def _given_back(database: Database) -> Generator[Ledger]:
    try:
        yield Ledger(database)
    finally:
        close_database(database)


def is_job(path: Path) -> bool:
    """Whether a file is a job's; nobody is disturbed, and no lock is taken.

    SQLite reads its head: on POSIX, a process that closes a file which it has opened otherwise
    loses all of its locks on it, and another process could submit the job beside this one.
    """
    return application_of(path) == JOB.application


def read_metadata(facts: Mapping[str, str]) -> Any:
    """Read what the caller has noted of a job."""
    return decode(facts["metadata"])


def write_metadata(metadata: Any) -> str:
    """Write what the caller notes of a job."""
    return encode(metadata).decode()
