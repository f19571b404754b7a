"""The journal of a run: what each row came to, and what it cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from langchain_core.messages.ai import UsageMetadata

from langchain_openrouter_o3._json import decode
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.database import Database, close_database, open_database
from langchain_openrouter_o3.bulk.errors import JournalError
from langchain_openrouter_o3.bulk.fingerprint import Chain, differences
from langchain_openrouter_o3.bulk.rows import Row

State = Literal["value", "error", "given up"]
_COLUMNS = "key, number, run, state, input, value, cost, unknown, usage, ids, attempts, seconds"
_FIND = f"SELECT {_COLUMNS} FROM rows WHERE key = ?"  # noqa: S608 - our own names
_WRITE = (
    f"INSERT INTO rows ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - names of our own
    "ON CONFLICT (key) DO UPDATE SET number = excluded.number, run = excluded.run, "
    "state = excluded.state, input = excluded.input, value = excluded.value, "
    "cost = excluded.cost, unknown = excluded.unknown, usage = excluded.usage, "
    "ids = excluded.ids, attempts = excluded.attempts, seconds = excluded.seconds"
)
IMPORT = (
    f"{_WRITE} WHERE rows.state <> 'value' "
    "AND (excluded.state = 'value' OR excluded.attempts >= rows.attempts)"
)
"""Adds what another process came to; a value is final, and of tries the last has the most attempts.

Each try counts those before it, whose file may be read after its own.
"""

_SEEN = "UPDATE rows SET run = ?, number = ? WHERE key = ?"
_SHOWN = 5


class Record(NamedTuple):
    """One row as the file holds it; the names are those of its columns.

    Attributes:
        key: Of the row.
        number: Of the row in the input of the run that worked on it last.
        run: That run.
        state: What it came to.
        input: A digest of the input; None if it has none.
        value: The value or the error, as `values.dump` writes it.
        cost: USD that is known.
        unknown: JSON: the ids of the answers whose cost is unknown; None if there are none.
        usage: JSON: tokens.
        ids: JSON: generation ids.
        attempts: How many requests were sent.
        seconds: How long it took.
    """

    key: str
    number: int
    run: int
    state: State
    input: bytes | None
    value: bytes | None
    cost: str
    unknown: bytes | None
    usage: bytes | None
    ids: bytes | None
    attempts: int
    seconds: float

    @property
    def unknown_ids(self) -> list[str | None]:
        """The answers whose cost is unknown; None for those without an id."""
        return decode(self.unknown) if self.unknown else []

    @property
    def generation_ids(self) -> list[str]:
        """The ids of all answers."""
        return decode(self.ids) if self.ids else []

    @property
    def tokens(self) -> UsageMetadata | None:
        """The tokens of all answers."""
        return decode(self.usage) if self.usage else None


class Journal:
    """A journal that a run writes; it is empty and temporary if the caller wants none.

    Attributes:
        is_kept: Whether it outlives the run.
        was_empty: Whether no run has written to it before.
        run: The number of this run.
        lost_workers: How many rows may have been in flight when earlier runs were killed.
    """

    def __init__(self, path: str | os.PathLike[str] | None, chain: Chain, workers: int) -> None:
        """Open it.

        Args:
            path: Of the file; None for a temporary one, which keeps the keys alone.
            chain: Whose journal it must be.
            workers: How many rows are worked on at once.

        Raises:
            JournalError: It is another chain's, or in use, or cannot be opened.
        """
        self.is_kept = path is not None
        self._classes = chain.classes
        self._has_claimed = False
        self._database = Database("") if path is None else open_database(path)
        try:
            self._claim(chain)
            self.was_empty = not self._count()
            self.lost_workers = self._lost()
            self.run = self._begin(workers)
        except BaseException:
            self._give_back()
            raise

    def _claim(self, chain: Chain) -> None:
        with self._database.lock:
            if self._database.has_run:
                raise JournalError(
                    f"{self._database.path}: another run of this process works with this journal."
                )
            self._database.has_run = self._has_claimed = True
        self._check(chain)

    def _check(self, chain: Chain) -> None:
        before = dict(self._database.execute("SELECT name, value FROM parts"))
        if not before:
            with self._database.writing():
                self._database.execute_many(
                    "INSERT INTO parts VALUES (?, ?)", [*chain.parts.items()]
                )
        else:
            check_parts(self._database.path, before, chain.parts)

    def _count(self) -> int:
        found: int = self._database.execute("SELECT count(*) FROM rows").fetchone()[0]
        return found

    def _lost(self) -> int:
        query = "SELECT coalesce(sum(workers), 0) FROM runs WHERE ended IS NULL"
        found: int = self._database.execute(query).fetchone()[0]
        return found

    def _begin(self, workers: int) -> int:
        with self._database.writing():
            cursor = self._database.execute(
                "INSERT INTO runs (started, workers) VALUES (?, ?)", (time.time(), workers)
            )
        assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
        return cursor.lastrowid

    def find(self, key: str) -> Record | None:
        """Look a row up."""
        with self._database.lock:
            found = self._database.execute(_FIND, (key,)).fetchone()
        return None if found is None else Record._make(found)

    def write(self, records: list[Record], seen: list[tuple[int, int, str]]) -> None:
        """Write rows down, all or none.

        Args:
            records: Rows that this run has worked on.
            seen: Run, number and key of rows that an earlier run has done.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._database.writing():
            self._database.execute_many(_WRITE, records)
            if seen:
                self._database.execute_many(_SEEN, seen)

    def row_of(self, record: Record, number: int, given: Any) -> Row[Any]:
        """Make a row of what an earlier run has written.

        Raises:
            StorageError: The value cannot be read.
        """
        loaded = values.load(record.value, self._classes) if record.value is not None else None
        failed = record.state == "error"
        return Row(
            number=number,
            key=record.key,
            input=given,
            value=None if failed else loaded,
            error=loaded if failed else None,
            cost=None if record.unknown else Decimal(record.cost),
            known_cost=Decimal(record.cost),
            usage=record.tokens,
            generation_ids=tuple(record.generation_ids),
            attempts=record.attempts,
            from_journal=True,
        )

    def close(self) -> None:
        """Note that the run has ended, and give the file back in any case.

        Raises:
            JournalError: It cannot be noted.
        """
        try:
            with self._database.writing():
                self._database.execute(
                    "UPDATE runs SET ended = ? WHERE id = ?", (time.time(), self.run)
                )
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self.is_kept:
            if self._has_claimed:
                self._database.has_run = False
            close_database(self._database)
        else:
            self._database.close()


def check_parts(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Compare the chain of a journal with the one that is to use it.

    Raises:
        JournalError: They differ; the text names the parts.
    """
    if changed := differences(before, now):
        more = f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise JournalError(
            f"{path}: the journal is another chain's. {'; '.join(changed[:_SHOWN])}{more}. Use the "
            "chain that began it, or another journal."
        )


def read_records(database: Database) -> Iterator[Record]:
    """Read all rows in the order of the input, a few at a time."""
    last = (-1, -1)
    while True:
        with database.lock:
            found = database.execute(
                f"SELECT id, {_COLUMNS} FROM rows WHERE (number, id) > (?, ?) "  # noqa: S608 - names of our own
                "ORDER BY number, id LIMIT 500",
                last,
            ).fetchall()
        if not found:
            return
        for identity, *columns in found:
            record = Record._make(columns)
            last = (record.number, identity)
            yield record
