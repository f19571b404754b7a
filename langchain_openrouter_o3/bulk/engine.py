"""The engine of a run: a fixed number of workers, a journal, and rows that wait to be taken.

Workers read rows as they need them, and stop while the caller takes no rows: memory does not grow
with the input, nor with a slow consumer. Finished rows are written together, many in one
transaction, and are handed out only after that. Everything happens on one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from langchain_core.messages.ai import add_usage
from langchain_core.runnables import Runnable, RunnableConfig

from langchain_openrouter_o3._http.meter import METER
from langchain_openrouter_o3._json import encode
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.budget import Budget, RowMeter
from langchain_openrouter_o3.bulk.errors import JournalError
from langchain_openrouter_o3.bulk.journal import Journal, Record, State
from langchain_openrouter_o3.bulk.outbox import AsFinished, InOrder, Outbox
from langchain_openrouter_o3.bulk.rows import Progress, Row
from langchain_openrouter_o3.bulk.source import Item, Source, digest, duplicate
from langchain_openrouter_o3.errors import (
    OpenRouterAuthenticationError,
    OpenRouterCreditsError,
    OpenRouterError,
)

GRACE_SECONDS = 10.0
"""How long a run that is stopped waits for the rows in flight: they are paid."""

_FLUSH_SECONDS = 0.01
_FLUSH_ROWS = 128
_HOPELESS = (OpenRouterAuthenticationError, OpenRouterCreditsError)
_HOPELESS_IN_A_ROW = 5
"""So many rows that fail for want of credit or a key end the run: the others would fail, too."""


@dataclass(frozen=True)
class Options:
    """How a run works.

    Attributes:
        workers: How many rows are worked on at once.
        ordered: Whether rows are handed out in the order of the input.
        raises: Whether the first error ends the run.
        keep_input: Whether rows hold their input.
        retry_failed: Whether rows that failed in an earlier run are tried again.
        budget: What may be spent.
        config: For each call of the chain.
    """

    workers: int
    ordered: bool
    raises: bool
    keep_input: bool
    retry_failed: bool
    budget: Budget | None
    config: RunnableConfig | None


class Engine:
    """One run. Start it, take rows until there are none, and close it."""

    def __init__(
        self, runnable: Runnable[Any, Any], source: Source, journal: Journal, options: Options
    ) -> None:
        """Prepare; nothing is read yet."""
        self.progress = Progress(total=source.total, lost=journal.lost_workers)
        self.is_interrupted = False
        self._runnable, self._source, self._journal = runnable, source, journal
        self._options = options
        make = InOrder if options.ordered else AsFinished
        self._outbox: Outbox = make((4 if options.ordered else 2) * options.workers + 16)
        self._started = self._hopeless = 0
        self._in_hand: dict[str, int] = {}
        self._pending: list[tuple[Record, Row[Any] | None]] = []
        self._seen: list[tuple[int, int, str]] = []
        self._flushing: asyncio.TimerHandle | None = None
        self._is_stopping = self._is_giving_up = False
        self._deadline: asyncio.TimerHandle | None = None
        self._failure: BaseException | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._running = options.workers
        self._news, self._room = _Signal(), _Signal()

    # --- For who takes the rows ---

    def start(self) -> None:
        """Start the workers on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._workers = [
            self._loop.create_task(self._work(), name=f"openrouter-bulk-{number}")
            for number in range(self._options.workers)
        ]

    async def take(self) -> list[Row[Any]]:
        """Wait for finished rows.

        Returns:
            At least one row; none at the end.

        Raises:
            BaseException: What ended the run, after all finished rows have been handed out.
        """
        while True:
            if rows := self._outbox.take():
                self._room.set()
                return rows
            if not self._running and not self._pending:
                if self._failure is not None:
                    raise self._failure
                return []
            await self._news.wait()

    def stop(self) -> None:
        """Begin no more rows; give up those in flight after some seconds."""
        self._is_stopping = True
        self._room.set()
        if self._deadline is None:
            self._deadline = self._loop.call_later(GRACE_SECONDS, self._give_up)

    async def close(self) -> None:
        """Write down what is done, also if it is cancelled.

        What is in flight is given up, but not at once if a person has interrupted the run.
        """
        self._is_stopping = True
        if not self.is_interrupted:
            self._give_up()
        await _to_its_end(self._end())

    async def _end(self) -> None:
        try:
            if self._workers:
                await asyncio.wait(self._workers)
            await self._source.close()
        finally:
            if self._deadline is not None:
                self._deadline.cancel()
            self._flush()
            self._journal.close()

    def interrupt(self) -> None:
        """Stop because a person wants it."""
        self.is_interrupted = True
        self.stop()

    def _give_up(self) -> None:
        self._is_giving_up = True
        for worker in self._workers:
            worker.cancel()

    # --- Workers ---

    async def _work(self) -> None:
        try:
            while (item := await self._next()) is not None:
                await self._run(item)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - of the input or the journal: it ends the run
            self._fail(error)
        finally:
            self._running -= 1
            if not self._running:
                self._flush_soon(0)
                self._news.set()

    async def _next(self) -> Item | None:
        """Wait until another row may be begun, and find the next that is still to do."""
        while not self._is_stopping:
            if not self._outbox.has_room(self._started):
                self._flush()
                await self._room.wait()
                continue
            self._started += 1  # before reading, which may take long
            item = await self._source.next()
            if item is None:
                self._started -= 1
                self._is_stopping = True
                self._room.set()
                return None
            if self._is_stopping:  # meanwhile: it was read, but is not begun
                return None
            if self._journal.is_kept:
                item = item._replace(digest=digest(item.input))
            if not self._is_done(item):
                return item
        return None

    def _is_done(self, item: Item) -> bool:
        """Whether an earlier run has done a row, which is handed out then."""
        if not self._source.has_keys and self._journal.was_empty:
            return False
        if (first := self._in_hand.get(item.key)) is not None:
            raise duplicate(item.key, first, item.number)
        record = self._journal.find(item.key)
        if record is None:
            return False
        if record.run == self._journal.run:
            raise duplicate(item.key, record.number, item.number)
        self._check_input(item, record)
        retry = record.state == "error" and self._options.retry_failed
        if retry or record.state == "given up":
            return False
        row = self._journal.row_of(record, item.number, self._given(item))
        self._in_hand[item.key] = item.number
        self._seen.append((self._journal.run, item.number, item.key))
        self._pending.append((record, row))
        self._flush_soon()
        return True

    def _check_input(self, item: Item, record: Record) -> None:
        if record.input is not None and record.input != item.digest:
            raise JournalError(
                f"rows: the input of row {item.number} (key {item.key!r}) is not what the journal "
                "has under this key. Pass key= if the rows have moved, or use another journal."
            )

    async def _run(self, item: Item) -> None:
        """Work on one row."""
        meter = RowMeter(self._options.budget)
        METER.set(meter)
        self._in_hand[item.key] = item.number
        self.progress.in_flight += 1
        started = time.monotonic()
        value: Any = None
        error: Exception | None = None
        try:
            value = await self._runnable.ainvoke(item.input, self._options.config)
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is this row's
            error = raised
        except BaseException as ended:
            self._put_back(item, meter, time.monotonic() - started)
            if not self._is_giving_up:
                self._fail(_cancelled(ended))
            raise
        finally:
            self.progress.in_flight -= 1
        if meter.refused is not None:  # the chain may have made something else of it
            self._put_back(item, meter, time.monotonic() - started)
            self._fail(meter.refused)
            return
        self._finish(item, meter, time.monotonic() - started, value, error)

    # --- What became of a row ---

    def _finish(
        self, item: Item, meter: RowMeter, seconds: float, value: Any, error: Exception | None
    ) -> None:
        stored = b""
        if self._journal.is_kept:
            try:
                stored = values.dump(value if error is None else error)
            except Exception as problem:
                self._put_back(item, meter, seconds)
                raise problem from error
        state: State = "value" if error is None else "error"
        record = self._record(item, state, meter, seconds, stored)
        cost = Decimal(record.cost)
        row = Row(
            number=item.number,
            key=item.key,
            input=self._given(item),
            value=value,
            error=error,
            cost=None if record.unknown else cost,
            known_cost=cost,
            usage=record.tokens,
            generation_ids=tuple(record.generation_ids),
            attempts=record.attempts,
            seconds=seconds,
        )
        self.progress.pay(meter.cost, is_unknown=bool(meter.unknown))
        raises = error is not None and self._options.raises
        self._pending.append((record, None if raises else row))
        self._flush_soon()
        self._note_error(error)

    def _note_error(self, error: Exception | None) -> None:
        self._hopeless = self._hopeless + 1 if isinstance(error, _HOPELESS) else 0
        if error is not None and (self._options.raises or self._hopeless >= _HOPELESS_IN_A_ROW):
            self._fail(error)

    def _put_back(self, item: Item, meter: RowMeter, seconds: float) -> None:
        """Note what was spent on a row that is not done."""
        self.progress.given_up += 1
        self.progress.pay(meter.cost, is_unknown=bool(meter.unknown))
        record = self._record(item, "given up", meter, seconds, None)
        self._pending.append((record, None))
        self._flush_soon()

    def _record(
        self, item: Item, state: State, meter: RowMeter, seconds: float, stored: bytes | None
    ) -> Record:
        """Write a row down, with what earlier runs have spent on it."""
        kept = self._journal.is_kept
        record = Record(
            key=item.key,
            number=item.number,
            run=self._journal.run,
            state=state,
            input=item.digest,
            value=stored if kept else None,
            cost=str(meter.cost),
            unknown=encode(meter.unknown) if meter.unknown else None,
            usage=encode(meter.usage) if meter.usage else None,
            ids=encode(meter.generation_ids) if meter.generation_ids else None,
            attempts=meter.attempts,
            seconds=seconds,
        )
        before = None if self._journal.was_empty else self._journal.find(item.key)
        return record if before is None else _joined(before, record)

    def _given(self, item: Item) -> Any:
        return item.input if self._options.keep_input else None

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self.stop()

    # --- Writing ---

    def _flush_soon(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Write what is pending, together with what comes within some milliseconds."""
        if len(self._pending) >= _FLUSH_ROWS or not seconds:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._loop.call_later(seconds, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        seen, self._seen = self._seen, []
        records = [record for record, _ in pending if record.run == self._journal.run]
        try:
            self._journal.write(records, seen)
        except JournalError as error:
            self._fail(error)
        else:
            self._hand_out(pending)
        self._news.set()
        self._room.set()

    def _hand_out(self, pending: list[tuple[Record, Row[Any] | None]]) -> None:
        for record, row in pending:
            self._in_hand.pop(record.key, None)
            if row is None:
                self._outbox.skip(record.number)
            else:
                self._outbox.put(row)
                self.progress.count(row)


class _Signal:
    """Wakes all that wait for it."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def set(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Carry something out, although it is cancelled meanwhile; that is told at the end.

    anyio cancels every `await` within a scope that is over. It leaves tasks of their own alone.
    """
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:  # noqa: PERF203 - it goes round as often as that
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def _cancelled(error: BaseException) -> BaseException:
    """Say why a run ends whose worker was cancelled by somebody else; other errors stay."""
    if not isinstance(error, asyncio.CancelledError):
        return error
    return OpenRouterError("A row was cancelled by the chain, or with its event loop.")


def _joined(before: Record, now: Record) -> Record:
    """Add what earlier runs have spent on a row."""
    unknown = [*before.unknown_ids, *now.unknown_ids]
    ids = [*before.generation_ids, *now.generation_ids]
    first, second = before.tokens, now.tokens
    usage = add_usage(first, second) if first and second else first or second
    return now._replace(
        cost=str(Decimal(before.cost) + Decimal(now.cost)),
        unknown=encode(unknown) if unknown else None,
        usage=encode(usage) if usage else None,
        ids=encode(ids) if ids else None,
        attempts=before.attempts + now.attempts,
    )
