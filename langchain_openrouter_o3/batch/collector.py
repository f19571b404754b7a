"""Collecting: the chain runs for each row up to its call, and the request is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig

from langchain_openrouter_o3.batch.chain import JobChain, Run
from langchain_openrouter_o3.batch.ledger import Ledger, NewRow, StoredRow
from langchain_openrouter_o3.batch.transport import Collected
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.errors import JournalError, StorageError
from langchain_openrouter_o3.bulk.rows import Progress
from langchain_openrouter_o3.bulk.source import Item, Source, duplicate

_WRITTEN_AT_ONCE = 256


@dataclass(frozen=True)
class Options:
    """How rows are collected.

    Attributes:
        workers: How many are worked on at once.
        keeps_errors: Whether a row whose chain fails before its call is kept with its error.
        config: For each run of the chain.
    """

    workers: int
    keeps_errors: bool
    config: RunnableConfig | None


@dataclass
class Collector:
    """Collects the requests of rows, several at once, and writes them down in lots.

    Attributes:
        chain: Runs for each row.
        check: Takes a row's key and a call, and raises if it cannot be in the job.
        progress: Counts the rows.
        ledger: The job's file.
        number: Of this `submit_batch`, by which rows that it has seen are told.
        options: How rows are collected.
    """

    chain: JobChain
    check: Callable[[str, Collected], None]
    progress: Progress
    ledger: Ledger
    number: int
    options: Options
    new: list[NewRow] = field(default_factory=list[NewRow])
    seen: list[StoredRow] = field(default_factory=list[StoredRow])
    in_hand: dict[str, int] = field(default_factory=dict[str, int])

    async def collect(self, source: Source) -> None:
        """Read the rows to their end.

        Raises:
            OpenRouterError: A row cannot be in a batch, or its chain has failed.
        """
        workers = [
            asyncio.create_task(self._work(source), name=f"openrouter-batch-{number}")
            for number in range(self.options.workers)
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            await source.close()
        self._write()

    async def _work(self, source: Source) -> None:
        while (item := await source.next()) is not None:
            if (first := self.in_hand.get(item.key)) is not None:
                raise duplicate(item.key, first, item.number)
            self.in_hand[item.key] = item.number
            given = _written(item)
            if not self._is_known(item, given):
                row = await self._collect_row(item, given)  # meanwhile the list may be another
                self.new.append(row)
            self.progress.done += 1
            if len(self.new) + len(self.seen) >= _WRITTEN_AT_ONCE:
                self._write()

    def _write(self) -> None:
        self.ledger.add(self.number, self.new, self.seen)
        for key in [*(row.key for row in self.new), *(row.key for row in self.seen)]:
            self.in_hand.pop(key, None)
        self.new, self.seen = [], []

    def _is_known(self, item: Item, given: bytes) -> bool:
        row = self.ledger.find(item.key)
        if row is None:
            return False
        if row.run == self.number:
            raise duplicate(item.key, row.number, item.number)
        if row.input != given:
            raise JournalError(
                f"rows: the input of row {item.number} (key {item.key!r}) is not what the job has "
                "under this key. Pass key= if the rows have moved, or use another file."
            )
        self.seen.append(row)
        return True

    async def _collect_row(self, item: Item, given: bytes) -> NewRow:
        transport = self.chain.new_transport(item.key, [], is_last=False)
        config: Any = {**(self.options.config or {}), "callbacks": None}
        _, error = await self.chain.run(transport, item.input, Run(config=config))
        if error is not None and not self.options.keeps_errors:
            raise error
        for call in transport.collected:
            self.check(item.key, call)
        return NewRow(item.number, item.key, given, transport.collected)


def _written(item: Item) -> bytes:
    try:
        return values.dump(item.input)
    except StorageError as error:
        raise StorageError(
            f"row {item.key!r}: its input cannot be written down: {error} Give rows of texts, "
            "numbers, dictionaries, messages or dataclasses."
        ) from error
