"""`abulk`, and its blocking twin `bulk`."""

from __future__ import annotations

import asyncio
import atexit
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
from concurrent.futures import CancelledError, ThreadPoolExecutor
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
    before: Any = signal.getsignal(signal.SIGINT)
    if not _is_ours_to_handle(before):
        yield
        return
    is_over = False

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before if is_over else signal.default_int_handler)
        if is_over:
            before(number, frame)
        else:
            stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        is_over = True  # in another thread that is all that can be done; `handle` does the rest
        is_ours = signal.getsignal(signal.SIGINT) in (handle, signal.default_int_handler)
        if is_ours and threading.current_thread() is threading.main_thread():
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
    loop = asyncio.get_running_loop()  # first: without one (trio), no journal is opened
    engine = open_engine(runnable, rows, key, journal, choices)
    with (
        _told(engine, journal),
        interruptible(partial(loop.call_soon_threadsafe, engine.interrupt)),
    ):
        try:
            _start(engine, display)
            while batch := await engine.take():
                for row in batch:
                    yield row
        finally:
            await _close(engine, display)


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
        with _told(engine, journal), interruptible(partial(_interrupt, engine, thread)):
            yield from thread.iterate(_batches(engine, display))


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


@contextmanager
def _told(engine: Engine, journal: Any) -> Generator[None]:
    """Say behind a run that was interrupted what was done, and how to go on."""
    try:
        yield
    finally:
        if engine.is_interrupted:
            go_on = (
                "There is no journal: the next run begins anew. Pass journal= to go on."
                if journal is None
                else f"Run it again with the journal {_place(journal)} to go on."
            )
            say(summary(engine.progress, go_on))
    if engine.is_interrupted:
        raise BulkInterrupted


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


def _interrupt(engine: Engine, thread: LoopThread) -> None:
    """Stop a run; if the caller's own code works meanwhile, it is interrupted, too."""
    thread.call(engine.interrupt)
    if not thread.is_waited_for:
        raise BulkInterrupted


async def _aopen(
    runnable: Runnable[Any, Any], rows: _Rows, key: Key, journal: Any, options: Options
) -> Engine:
    return open_engine(runnable, rows, key, journal, options)


def _start(engine: Engine, display: Display) -> None:
    engine.start()
    display.start(engine.progress)


async def _close(engine: Engine, display: Display) -> None:
    try:
        await engine.close()
    finally:
        display.stop()


async def _batches(engine: Engine, display: Display) -> AsyncGenerator[list[Row[Any]], None]:
    try:
        _start(engine, display)
        while batch := await engine.take():
            yield batch
    finally:
        await _close(engine, display)


class LoopThread:
    """An event loop in a thread of its own, which ends before the program does.

    A child process that was forked from this one has no such thread, and waits for none.

    Attributes:
        is_waited_for: Whether somebody waits within `run`.
    """

    def __init__(self) -> None:
        """Start the thread when the block is entered."""
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._is_over = self.is_waited_for = False
        self._thread = threading.Thread(target=self._work, name="openrouter-bulk", daemon=True)
        self._iterated: Any = None  # an asynchronous generator
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        # Daemons still run when these functions are called. Later they stand still, and who waits
        # for one (a generator that is collected with its module) waits for ever.
        atexit.register(self._end)
        return self

    def __exit__(self, *_: object) -> None:
        """End what is left, and the thread."""
        self._end()

    def _end(self) -> None:
        if not self._is_here():
            return
        self._is_over = True
        atexit.unregister(self._end)
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _is_here(self) -> bool:
        return self._process == os.getpid() and not self._is_over

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry a coroutine out, and wait for it.

        Raises:
            OpenRouterInputError: The thread is that of the process from which this one was forked.
            SystemExit: The program is at its end; another thread ends in silence by it.
        """
        if self._process != os.getpid():
            work.close()
            raise OpenRouterInputError(
                "This was begun before a fork, by the parent process. Begin anew in the child."
            )
        if self._is_over:
            work.close()
            raise SystemExit
        self.is_waited_for = True
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except CancelledError:
            if self._is_over:
                raise SystemExit from None
            raise
        finally:
            self.is_waited_for = False

    def iterate(self, batches: AsyncGenerator[list[T], None]) -> Generator[T, None, None]:
        """Give what a generator gives in lists, none of which is empty; then the thread ends.

        Raises:
            BaseException: What the generator raises, also when it is closed; and what `run` does.
        """
        self._iterated = batches
        try:
            while batch := self.run(_next(batches)):
                yield from batch
        finally:
            self._end()

    def call(self, function: Callable[[], object]) -> None:
        """Have a function called, if the thread is there."""
        if self._is_here():
            self._loop.call_soon_threadsafe(function)

    def _work(self) -> None:
        # A loop shuts its own executor by one more thread, which a program that ends cannot start.
        with ThreadPoolExecutor() as executor:
            self._loop.set_default_executor(executor)
            while not self._over.is_set():  # also if a chain cancels all tasks that it finds
                self._run(self._over.wait())
            self._error = self._run(self._close())
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> BaseException | None:
        """Run the loop until something is done, although a task exits (`sys.exit()`).

        asyncio lets such an exit end the loop under all other tasks; here it ends the run.
        """
        task = self._loop.create_task(work)
        while not task.done():
            with suppress(BaseException):  # the task's own is returned
                self._loop.run_until_complete(task)
        return None if task.cancelled() else task.exception()

    async def _close(self) -> None:
        """Do what `asyncio.run` does at its end; but first close what was iterated over.

        A generator whose call was broken off cannot be closed: it is cancelled with its task.
        """
        try:
            if self._iterated is not None and not self._iterated.ag_running:
                await self._iterated.aclose()
        finally:
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            await self._loop.shutdown_asyncgens()


async def _next(batches: AsyncGenerator[list[T], None]) -> list[T]:
    nothing: list[T] = []
    return await anext(batches, nothing)
