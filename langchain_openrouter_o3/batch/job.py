"""`submit_batch` and `BatchJob`, each with its asynchronous twin."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
)
from contextlib import aclosing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from langchain_core.runnables import Runnable, RunnableConfig

from langchain_openrouter_o3.batch.collector import Options
from langchain_openrouter_o3.batch.engine import Engine
from langchain_openrouter_o3.batch.ledger import (
    aopened,
    is_job,
    opened,
    read_metadata,
    write_metadata,
)
from langchain_openrouter_o3.batch.requests import MAX_REQUESTS, check_callback
from langchain_openrouter_o3.batch.status import JobStatus, info_of
from langchain_openrouter_o3.bulk.errors import JournalError, JournalInUseError
from langchain_openrouter_o3.bulk.progress import Display, Watcher
from langchain_openrouter_o3.bulk.rows import Row
from langchain_openrouter_o3.bulk.run import LoopThread
from langchain_openrouter_o3.bulk.source import Key, Source
from langchain_openrouter_o3.chat_models import ChatOpenRouterO3
from langchain_openrouter_o3.errors import OpenRouterInputError, OpenRouterTimeoutError

V = TypeVar("V")
T = TypeVar("T")

_POLL = (10.0, 120.0)
_SLOWER = 1.5  # each wait is longer by this factor
_JITTER = 0.25  # share of a wait that chance takes away

logger = logging.getLogger("langchain_openrouter_o3")


class BatchJob(Generic[V]):
    """A job: rows, their requests, and the batches that carry them, in one file.

    Any process can go on with it: `BatchJob(store, chain)`. Nothing holds the file while it waits.

    Example:
        ```python
        job = submit_batch(chain, rows, key="id", store="job.db")
        job.wait(progress=True)
        for row in job.results():
            print(row.key, row.value or row.error)
        ```
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        chain: Runnable[Any, V] | None = None,
        *,
        model: ChatOpenRouterO3 | None = None,
    ) -> None:
        """Find a job again.

        Args:
            store: Its file.
            chain: The chain that began it; `results` and chains of several rounds need it.
            model: Whose key, address and client are used: by default the chain's, and without a
                chain those of the environment.

        Raises:
            JournalError: There is no such job, it is another chain's, or it is in use.
        """
        self.store = Path(store)
        self._chain = chain
        self._model = model
        with opened(store) as ledger:
            facts = ledger.facts()
            if not facts:
                raise JournalError(f"{os.fspath(store)}: no job was begun in it. Submit one.")
            if chain is not None:
                self._engine(is_blocking=True).chain.check(ledger)
        self.id = facts["id"]
        self.created = datetime.fromtimestamp(float(facts["created"]), timezone.utc)
        self.metadata: Any = read_metadata(facts)

    def __repr__(self) -> str:
        """Show which job it is; one that is refused has no id in the frames that show it."""
        known = vars(self)
        return f"BatchJob({str(known.get('store'))!r}, id={known.get('id')!r})"

    # --- Blocking ---

    def status(self) -> JobStatus:
        """Ask how far the batches are.

        Raises:
            OpenRouterError: OpenRouter refuses, or does not answer.
            BatchLostError: The submission of a batch was not answered, and it is not there.
            JournalError: Another process works with the job for more than ten seconds.
        """
        return _blocking(self._status(is_blocking=True))

    def wait(
        self,
        *,
        timeout: float | None = None,
        poll: tuple[float, float] = _POLL,
        progress: bool | Watcher = False,
    ) -> JobStatus:
        """Wait for all answers; what was not submitted yet is, and so are further rounds.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.
            poll: Seconds between two looks: of the first, and at most. Chance makes them shorter.
            progress: Show how far it is on the standard error; or a function that is told twice a
                second.

        Returns:
            The status, in which everything is over.

        Raises:
            OpenRouterInputError: `timeout` or `poll` cannot be used.
            OpenRouterTimeoutError: There are answers to come; wait again.
            BatchPendingError: The rows were not collected to the end.
            BatchLostError: See `status`.
            BatchUnpaidError: The account has no credits; add some, and wait again.
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        return _blocking(self._wait(timeout, poll, progress, is_blocking=True))

    def results(self, *, config: RunnableConfig | None = None) -> Generator[Row[V], None, None]:
        """Give the rows in the order of the input; each runs the chain on with its answers.

        Args:
            config: For each run of the chain.

        Yields:
            The rows, as `bulk` gives them.

        Raises:
            BatchPendingError: There are answers to come.
            BatchUnpaidError: The account has no credits.
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        rows = self._engine(is_blocking=True).results(config)
        with LoopThread() as thread:
            yield from thread.iterate(rows)

    def resubmit(self, *, failed: bool = True, lost: bool = False) -> int:
        """Send requests without an answer again, in new batches.

        Args:
            failed: Also those that were answered with an error, not only those whose batch has
                failed, expired or gone.
            lost: Also those of a batch that OpenRouter does not know (see `BatchLostError`). It is
                looked for once more; if it was stored all the same, it is paid twice.

        Returns:
            How many requests these are.

        Raises:
            BatchPendingError: There are answers to come.
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        return _blocking(self._engine(is_blocking=True).resubmit(failed=failed, lost=lost))

    def delete(self) -> None:
        """Delete the batches at OpenRouter; the job's file keeps the answers.

        Raises:
            BatchError: Not all results were read.
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        _blocking(self._engine(is_blocking=True).delete())

    # --- On the running event loop ---

    async def astatus(self) -> JobStatus:
        """Do the same as `status`.

        Raises:
            OpenRouterError: See there.
        """
        return await self._status(is_blocking=False)

    async def await_(
        self,
        *,
        timeout: float | None = None,
        poll: tuple[float, float] = _POLL,
        progress: bool | Watcher = False,
    ) -> JobStatus:
        """Do the same as `wait`.

        Args:
            timeout: See there.
            poll: See there.
            progress: See there.

        Raises:
            OpenRouterError: See there.
        """
        return await self._wait(timeout, poll, progress, is_blocking=False)

    async def aresults(
        self, *, config: RunnableConfig | None = None
    ) -> AsyncGenerator[Row[V], None]:
        """Do the same as `results`.

        Args:
            config: See there.

        Yields:
            The rows.

        Raises:
            OpenRouterError: See there.
        """
        async with aclosing(self._engine(is_blocking=False).results(config)) as rows:
            async for chunk in rows:
                for row in chunk:
                    yield row

    async def aresubmit(self, *, failed: bool = True, lost: bool = False) -> int:
        """Do the same as `resubmit`.

        Args:
            failed: See there.
            lost: See there.

        Raises:
            OpenRouterError: See there.
        """
        return await self._engine(is_blocking=False).resubmit(failed=failed, lost=lost)

    async def adelete(self) -> None:
        """Do the same as `delete`.

        Raises:
            OpenRouterError: See there.
        """
        await self._engine(is_blocking=False).delete()

    # --- Both ---

    def _engine(self, *, is_blocking: bool) -> Engine:
        return Engine(os.fspath(self.store), self._chain, self._model, is_blocking=is_blocking)

    async def _status(self, *, is_blocking: bool) -> JobStatus:
        batches = await self._engine(is_blocking=is_blocking).poll()
        return JobStatus(tuple(info_of(batch) for batch in batches))

    async def _wait(
        self,
        timeout: float | None,
        poll: tuple[float, float],
        progress: bool | Watcher,  # noqa: FBT001 - same
        *,
        is_blocking: bool,
    ) -> JobStatus:
        _check_waiting(timeout, poll)
        engine, display = self._engine(is_blocking=is_blocking), Display(progress)
        ends = None if timeout is None else time.monotonic() + timeout
        display.start(engine.progress)
        try:
            seconds = poll[0]
            while not await engine.step():
                left = math.inf if ends is None else ends - time.monotonic()
                if left <= 0:
                    raise OpenRouterTimeoutError(
                        f"timeout={timeout}: not all answers of {self!r} are here. Nothing is "
                        "lost; wait again."
                    )
                pause = seconds * (1 - _JITTER * random.random())  # noqa: S311 - no secret
                await asyncio.sleep(min(pause, left))  # and a last look at the end
                seconds = min(poll[1], seconds * _SLOWER)
        finally:
            display.stop()
        async with aopened(self.store) as ledger:
            return JobStatus(tuple(info_of(batch) for batch in ledger.batches()))


def submit_batch(  # noqa: PLR0913 - each is a documented choice, by name
    chain: Runnable[Any, V],
    rows: Iterable[Any] | AsyncIterable[Any],
    *,
    store: str | os.PathLike[str],
    model: ChatOpenRouterO3 | None = None,
    key: Key = None,
    rounds: int | None = None,
    batch_size: int = MAX_REQUESTS,
    callback_url: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    max_concurrency: int = 16,
    on_error: Literal["row", "raise"] = "raise",
    progress: bool | Watcher = False,
    config: RunnableConfig | None = None,
) -> BatchJob[V]:
    """Run a chain for each row up to its call, and submit the requests in batches.

    All rows are collected and checked before anything is sent. The same call goes on where it was
    stopped or killed, and adds rows that are new; nothing is submitted twice.

    Args:
        chain: A model, a chain, structured output. Chains with several calls run in rounds, and
            their steps run again in each.
        rows: Their inputs: any iterable, read as rows are needed.
        store: The file of the job. It is made, or gone on with.
        model: Whose client and time limits are used: by default the first in the chain. A model
            that is hidden in a function must be named.
        key: What identifies a row: the name of a field, or a function of the row. By default it is
            the row's number, and its input must not change.
        rounds: How many batches, one after the other, a row may need. By default eight, and one
            for an agent, whose loop could need any number.
        batch_size: Requests a batch, at most 5,000.
        callback_url: Of HTTPS; OpenRouter calls it when a batch is over.
        metadata: JSON that is kept with the job.
        max_concurrency: How many rows are collected at once.
        on_error: What becomes of a row whose chain fails before its call: "raise" ends it before
            anything is sent, "row" gives the error among the results.
        progress: Show how far the collecting is on the standard error; or a function that is told.
        config: For each run of the chain up to its call; callbacks are left out.

    Returns:
        The job; its batches are submitted.

    Raises:
        OpenRouterInputError: An argument cannot be used, or a batch cannot carry a row's request.
        DuplicateKeyError: Two rows have one key.
        JournalError: The file is another chain's job, or another process works with it.
        BatchLostError: A submission was not answered, and its batch is not there; call it again.
        OpenRouterError: OpenRouter refuses; what was submitted before stays so.
    """
    facts = _facts(rounds, batch_size, callback_url, metadata)
    options = _options(max_concurrency, on_error, config)
    engine = Engine(os.fspath(store), chain, model, is_blocking=True)
    _blocking(_submit(engine, rows, key, options, facts, Display(progress)))
    return BatchJob(store, chain, model=model)


async def asubmit_batch(  # noqa: PLR0913 - see `submit_batch`
    chain: Runnable[Any, V],
    rows: Iterable[Any] | AsyncIterable[Any],
    *,
    store: str | os.PathLike[str],
    model: ChatOpenRouterO3 | None = None,
    key: Key = None,
    rounds: int | None = None,
    batch_size: int = MAX_REQUESTS,
    callback_url: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    max_concurrency: int = 16,
    on_error: Literal["row", "raise"] = "raise",
    progress: bool | Watcher = False,
    config: RunnableConfig | None = None,
) -> BatchJob[V]:
    """Do the same as `submit_batch` on the running event loop.

    Args:
        chain: See `submit_batch`.
        rows: See there.
        store: See there.
        model: See there.
        key: See there.
        rounds: See there.
        batch_size: See there.
        callback_url: See there.
        metadata: See there.
        max_concurrency: See there.
        on_error: See there.
        progress: See there.
        config: See there.

    Raises:
        OpenRouterError: See there.
    """
    facts = _facts(rounds, batch_size, callback_url, metadata)
    options = _options(max_concurrency, on_error, config)
    engine = Engine(os.fspath(store), chain, model, is_blocking=False)
    await _submit(engine, rows, key, options, facts, Display(progress))
    async with aopened(store):  # the job opens the file, too, and need not wait for it then
        return BatchJob(store, chain, model=model)


def find_jobs(folder: str | os.PathLike[str] = ".") -> list[BatchJob[Any]]:
    """Find the jobs whose files are in a folder, the latest first; `status()` works of each.

    A file in which no job was begun yet, or which cannot be read, is named in a warning of the log.

    Args:
        folder: Where to look; folders within it are not searched.

    Raises:
        OSError: The folder cannot be read.
        JournalInUseError: Another process works with one for more than ten seconds.
    """
    files = sorted(each for each in Path(folder).iterdir() if each.is_file() and is_job(each))
    jobs = filter(None, map(_job_in, files))
    return sorted(jobs, key=lambda job: job.created, reverse=True)


def _job_in(file: Path) -> BatchJob[Any] | None:
    try:
        return BatchJob(file)
    except JournalInUseError:
        raise
    except JournalError as error:
        logger.warning("No job is found in %s", error)
        return None


async def _submit(  # noqa: PLR0913, PLR0917 - what `submit_batch` has read
    engine: Engine,
    rows: Any,
    key: Key,
    options: Options,
    facts: dict[str, str],
    display: Display,
) -> None:
    display.start(engine.progress)
    try:
        await engine.collect(Source(rows, key), options, facts)
        await engine.submit(again=True)
    finally:
        display.stop()


def _facts(
    rounds: int | None,
    batch_size: int,
    callback_url: str | None,
    metadata: Mapping[str, Any] | None,
) -> dict[str, str]:
    check_callback(callback_url)
    if rounds is not None:
        _check_count("rounds", rounds, 100)
    _check_count("batch_size", batch_size, MAX_REQUESTS)
    return {
        "rounds": "" if rounds is None else str(rounds),
        "batch_size": str(batch_size),
        "callback_url": callback_url or "",
        "metadata": write_metadata(metadata),
    }


def _options(max_concurrency: int, on_error: str, config: RunnableConfig | None) -> Options:
    _check_count("max_concurrency", max_concurrency, 10_000)
    if on_error not in ("row", "raise"):
        raise OpenRouterInputError(f"on_error={on_error!r} is neither 'row' nor 'raise'.")
    return Options(max_concurrency, on_error == "row", config)


def _check_count(name: str, value: Any, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise OpenRouterInputError(f"{name}={value!r} is no whole number from 1 to {most:,}.")


def _check_waiting(timeout: Any, poll: Any) -> None:
    if timeout is not None and not _is_duration(timeout):
        raise OpenRouterInputError(f"timeout={timeout!r} is no number of seconds, 0 or more.")
    seconds = [*cast("list[Any]", poll)] if isinstance(poll, (tuple, list)) else []
    if len(seconds) != 2 or not all(map(_is_duration, seconds)) or seconds[0] > seconds[1]:  # noqa: PLR2004 - a pair
        raise OpenRouterInputError(
            f"poll={poll!r} is not two numbers of seconds: before the second look, and at most."
        )


def _is_duration(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value < math.inf


def _blocking(work: Coroutine[Any, Any, T]) -> T:
    """Carry a coroutine out in a thread with a loop, also where a loop runs already (Jupyter)."""
    with LoopThread() as thread:
        return thread.run(work)
