"""`abulk`, and its blocking twin `bulk`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from types import FrameType
from typing import Any, Literal, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import Self

from langchain_openrouter_o3.bulk.budget import Budget, check_budget
from langchain_openrouter_o3.bulk.engine import Engine, Options
from langchain_openrouter_o3.bulk.errors import BulkInterrupted
from langchain_openrouter_o3.bulk.fingerprint import Chain, read_chain
from langchain_openrouter_o3.bulk.journal import Journal
from langchain_openrouter_o3.bulk.progress import Display, Watcher, summary
from langchain_openrouter_o3.bulk.rows import Row
from langchain_openrouter_o3.bulk.shared_journal import SharedJournal
from langchain_openrouter_o3.bulk.source import Key, Source
from langchain_openrouter_o3.errors import OpenRouterInputError

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def interruptible(stop: Callable[[], object]) -> Generator[None]:
    """Let the first Ctrl-C stop a run within the block, and the second end it at once.

    Only where Python's own handler, or asyncio's, would be called: in the main thread, and not
    where a program handles the signal itself.

    Args:
        stop: Called by the first one, within the signal handler.
    """
    before = signal.getsignal(signal.SIGINT)
    if not _is_ours_to_handle(before):
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) in (handle, signal.default_int_handler):
            signal.signal(signal.SIGINT, before)


def _is_ours_to_handle(handler: Any) -> bool:
    if threading.current_thread() is not threading.main_thread():
        return False
    if handler is signal.default_int_handler:
        return True
    # Runner.run() of asyncio has a handler of its own, which cancels the main task. It is a
    # partial of a bound method.
    method = getattr(handler, "func", handler)
    return getattr(method, "__qualname__", "") == "Runner._on_sigint"


def say(text: str) -> None:
    """Write a line to the standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


V = TypeVar("V")
T = TypeVar("T")
_Rows = Iterable[Any] | AsyncIterable[Any]


async def abulk(  # noqa: PLR0913 - each is a documented choice, by name
    runnable: Runnable[Any, V],
    rows: Iterable[Any] | AsyncIterable[Any],
    *,
    key: Key = None,
    journal: str | os.PathLike[str] | SharedJournal | None = None,
    max_concurrency: int = 100,
    budget: Decimal | float | str | Budget | None = None,
    on_error: Literal["row", "raise"] = "row",
    ordered: bool = False,
    progress: bool | Watcher = False,
    keep_input: bool = True,
    retry_failed: bool = True,
    config: RunnableConfig | None = None,
) -> AsyncGenerator[Row[V], None]:
    """Run a chain over many rows; what is done is in a journal, and never paid twice.

    Args:
        runnable: A model, a chain, structured output, an agent.
        rows: Their inputs: any iterable, read as rows are needed.
        key: What identifies a row in the journal: the name of a field, or a function of the row.
            By default it is the row's number, and its input must not change.
        journal: A file, or a `SharedJournal` of several processes. With it the same call goes on
            where it was stopped or killed.
        max_concurrency: How many rows are worked on at once.
        budget: USD, or a `Budget` of several runs. The run ends before the call that could exceed
            it.
        on_error: "row" gives the error in its row; "raise" ends the run.
        ordered: Give the rows in the order of the input.
        progress: Show how far it is on the standard error; or a function that is told twice a
            second.
        keep_input: Whether rows hold their input.
        retry_failed: Whether rows that failed in an earlier run are tried again.
        config: For each call of the chain.

    Yields:
        A row as soon as it is done and in the journal.

    Raises:
        OpenRouterInputError: An argument or a row cannot be used.
        DuplicateKeyError: Two rows have one key; the second has not been sent.
        JournalError: The journal is another chain's, or another process works with it.
        BudgetError: The budget is spent; all rows that are done have been given.
        BulkInterrupted: Ctrl-C; all rows that were paid are in the journal.
        OpenRouterError: Five rows in a row failed for want of a key or credit.
    """
    choices = _choices(
        max_concurrency,
        on_error,
        ordered=ordered,
        keep_input=keep_input,
        retry_failed=retry_failed,
        budget=budget,
        config=config,
    )
    display = Display(progress)
    engine = open_engine(runnable, rows, key, journal, choices)
    loop = asyncio.get_running_loop()
    try:
        with interruptible(partial(loop.call_soon_threadsafe, engine.interrupt)):
            await _astart(engine, display)
            while batch := await engine.take():
                for row in batch:
                    yield row
    finally:
        await _aclose(engine, display)
    if engine.is_interrupted:
        raise interrupted(engine, journal)


def bulk(  # noqa: PLR0913 - see `abulk`
    runnable: Runnable[Any, V],
    rows: Iterable[Any] | AsyncIterable[Any],
    *,
    key: Key = None,
    journal: str | os.PathLike[str] | SharedJournal | None = None,
    max_concurrency: int = 100,
    budget: Decimal | float | str | Budget | None = None,
    on_error: Literal["row", "raise"] = "row",
    ordered: bool = False,
    progress: bool | Watcher = False,
    keep_input: bool = True,
    retry_failed: bool = True,
    config: RunnableConfig | None = None,
) -> Generator[Row[V], None, None]:
    """Do the same as `abulk` without `async`, also where an event loop runs already (Jupyter).

    The rows are read, and the chain is called, in a thread of their own.

    Args:
        runnable: See `abulk`.
        rows: See there.
        key: See there.
        journal: See there.
        max_concurrency: See there.
        budget: See there.
        on_error: See there.
        ordered: See there.
        progress: See there.
        keep_input: See there.
        retry_failed: See there.
        config: See there.

    Yields:
        A row as soon as it is done and in the journal.

    Raises:
        OpenRouterError: See `abulk`.
    """
    choices = _choices(
        max_concurrency,
        on_error,
        ordered=ordered,
        keep_input=keep_input,
        retry_failed=retry_failed,
        budget=budget,
        config=config,
    )
    display = Display(progress)
    with LoopThread() as thread:
        engine = thread.run(_aopen(runnable, rows, key, journal, choices))
        try:
            thread.run(_astart(engine, display))
            with interruptible(lambda: thread.call(engine.interrupt)):
                while batch := thread.run(engine.take()):
                    yield from batch
        finally:
            thread.run(_aclose(engine, display))
    if engine.is_interrupted:
        raise interrupted(engine, journal)


def open_engine(
    runnable: Runnable[Any, Any], rows: _Rows, key: Key, journal: Any, options: Options
) -> Engine:
    """Check everything that can be checked before a row is sent.

    Raises:
        OpenRouterInputError: See `abulk`.
    """
    source = Source(rows, key)
    return Engine(runnable, source, _opened(journal, runnable, options.workers), options)


def _opened(journal: Any, runnable: Runnable[Any, Any], workers: int) -> Journal:
    if isinstance(journal, SharedJournal):
        return journal.begin(runnable, workers)
    return Journal(journal, Chain() if journal is None else read_chain(runnable), workers)


def interrupted(engine: Engine, journal: Any) -> BulkInterrupted:
    """Print what was done, and how to go on."""
    go_on = (
        "There is no journal: the next run begins anew. Pass journal= to go on."
        if journal is None
        else f"Run it again with the journal {_place(journal)} to go on."
    )
    say(summary(engine.progress, go_on))
    return BulkInterrupted()


def _place(journal: Any) -> str:
    return os.fspath(journal.folder if isinstance(journal, SharedJournal) else journal)


def _choices(  # noqa: PLR0913 - `abulk`'s
    max_concurrency: Any,
    on_error: Any,
    *,
    ordered: bool,
    keep_input: bool,
    retry_failed: bool,
    budget: Any,
    config: RunnableConfig | None,
) -> Options:
    if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int):
        raise OpenRouterInputError(f"max_concurrency={max_concurrency!r} is no whole number.")
    if max_concurrency < 1:
        raise OpenRouterInputError(f"max_concurrency={max_concurrency}: at least 1 row at once.")
    if on_error not in ("row", "raise"):
        raise OpenRouterInputError(f"on_error={on_error!r} is neither 'row' nor 'raise'.")
    return Options(
        workers=max_concurrency,
        ordered=ordered,
        raises=on_error == "raise",
        keep_input=keep_input,
        retry_failed=retry_failed,
        budget=check_budget(budget),
        config=config,
    )


async def _aopen(
    runnable: Runnable[Any, Any], rows: _Rows, key: Key, journal: Any, options: Options
) -> Engine:
    return open_engine(runnable, rows, key, journal, options)


async def _astart(engine: Engine, display: Display) -> None:
    engine.start()
    display.start(engine.progress)


async def _aclose(engine: Engine, display: Display) -> None:
    try:
        await engine.close()
    finally:
        display.stop()


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        """Start the thread when the block is entered."""
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="openrouter-bulk", daemon=True)

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End what is left, and the thread."""
        self.call(self._over.set)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry a coroutine out, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def call(self, function: Callable[[], object]) -> None:
        """Have a function called."""
        self._loop.call_soon_threadsafe(function)

    def _work(self) -> None:
        self._run(self._over.wait())
        rest = asyncio.all_tasks(self._loop)
        for task in rest:
            task.cancel()
        self._run(_end(rest))
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run the loop until something is done, although a task exits (`sys.exit()`).

        asyncio lets such an exit end the loop under all other tasks; here it ends the run.
        """
        task = self._loop.create_task(work)
        while not task.done():
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_until_complete(task)


async def _end(rest: set[asyncio.Task[Any]]) -> None:
    """Do what `asyncio.run` does at its end."""
    await asyncio.gather(*rest, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
