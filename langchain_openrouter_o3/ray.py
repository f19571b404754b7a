"""Many rows on many machines: `Invoke` runs a chain in the workers of Ray Data, Spark, Dask, Daft.

These execute a part of the data again when a worker dies, a machine is lost, or the program starts
anew. What was answered is in a journal that all workers read, and is not paid for again.
"""

from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from langchain_core.runnables import Runnable

from langchain_openrouter_o3.bulk import BudgetError, Row, SharedJournal, abulk
from langchain_openrouter_o3.bulk.arrow import (
    column_of,
    load_extra,
    read_table,
    schema_of,
    table_of,
)
from langchain_openrouter_o3.bulk.budget import Share
from langchain_openrouter_o3.bulk.run import LoopThread
from langchain_openrouter_o3.bulk.shared_journal import folder_of
from langchain_openrouter_o3.bulk.source import Key
from langchain_openrouter_o3.errors import OpenRouterInputError

__all__ = ["Invoke", "InvokeActor", "schema_of"]

_SECRET = re.compile(rb"sk-or-[A-Za-z0-9_-]{6,}")


@dataclass(frozen=True, kw_only=True)
class Invoke:
    """Runs a chain over batches of rows: tables of pyarrow, or data frames of pandas.

    It travels to the workers without a key: each of them calls `make_chain` once, and the model
    that it makes reads the key there. What it returns has the columns of `schema_of(schema)`.

    Attributes:
        make_chain: Makes the chain, which is given each row as a dictionary.
        key: What identifies a row: the name of a column, or a function of the row.
        journal: A folder that all workers see: a path or a `file:` URI.
        max_concurrency: How many rows each worker works on at once.
        actors: How many workers there are; budget and rate are divided by it. One that replaces a
            dead one counts as another.
        budget: USD that all workers may spend together in this run.
        requests_per_second: What all workers may send together.
        schema: Of the values, which become structs: a Pydantic class, a TypedDict, a dataclass or a
            JSON schema. Without it they are JSON text.
        retry_failed: Whether rows that have failed are tried again.
        name: Of this run, in the journal.

    Raises:
        OpenRouterInputError: An argument cannot be used; or, when it is pickled, `make_chain`,
            `key` or `schema` holds a key of OpenRouter.
    """

    make_chain: Callable[[], Runnable[Any, Any]] = field(kw_only=False)
    key: Key
    journal: str | os.PathLike[str]
    max_concurrency: int = 100
    actors: int = 1
    budget: Decimal | float | str | None = None
    requests_per_second: float | None = None
    schema: Any = None
    retry_failed: bool = True
    name: str = field(default_factory=lambda: uuid4().hex, init=False)

    def __post_init__(self) -> None:
        """Check what can be checked before a row is sent."""
        if not callable(self.make_chain):
            raise OpenRouterInputError("make_chain: pass a function that makes the chain.")
        if self.key is None:
            raise OpenRouterInputError("key: name the column that identifies a row.")
        folder_of(self.journal)
        self.share()

    def share(self) -> Share:
        """Return what one worker may spend and send."""
        return Share(self.budget, self.requests_per_second, self.actors)

    def __getstate__(self) -> dict[str, Any]:
        """Travel without a key, or not at all."""
        written = load_extra("cloudpickle").dumps((self.make_chain, self.key, self.schema))
        own = os.environ.get("OPENROUTER_API_KEY", "").encode()
        if _SECRET.search(written) or (own and own in written):
            raise OpenRouterInputError(
                "make_chain (or key, or schema): it holds a key, which would be written into plans "
                "and logs. Read the key within make_chain, from the environment of the workers or "
                "a store of secrets."
            )
        return self.__dict__

    def __call__(self, batch: Any) -> Any:
        """Run the chain over the rows of a batch; errors of rows are in what it returns."""
        table = read_table(batch)
        result = table_of(_worker_of(self).run(table.to_pylist()), column_of(self.schema))
        return result if table is batch else result.to_pandas()

    def for_ray(self, **options: Any) -> dict[str, Any]:
        """Return the arguments of `Dataset.map_batches`, with `options` of it instead of ours."""
        return {
            "fn": InvokeActor,
            "fn_constructor_args": (self,),
            "batch_format": "pyarrow",
            "batch_size": 1_000,
            "compute": load_extra("ray.data").ActorPoolStrategy(size=self.actors),
            "num_cpus": 0.1,
            **options,
        }


class InvokeActor:
    """An `Invoke` as a class, of which Ray makes actors."""

    def __init__(self, invoke: Invoke) -> None:
        """Keep it."""
        self._invoke = invoke

    def __call__(self, batch: Any) -> Any:
        """See `Invoke`."""
        return self._invoke(batch)


class _Worker:
    """What a process keeps from batch to batch: an event loop, the chain, the journal."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke, self._share = invoke, invoke.share()
        self._chain = invoke.make_chain()  # first: one that fails takes no worker's number
        self._journal = SharedJournal(invoke.journal, invoke.name)
        if invoke.budget is not None and self._journal.number >= invoke.actors:
            self._journal.close()
            raise BudgetError(
                f"budget: all shares (actors={invoke.actors}) have been given out, and what a dead "
                "worker had left is not known. Run it again with the same journal.",
                retryable=False,
            )
        atexit.register(self._journal.close)
        self._thread = LoopThread().__enter__()
        self._lock = threading.Lock()  # Dask calls from several threads

    def run(self, rows: list[dict[str, Any]]) -> list[Row[Any]]:
        with self._lock:
            return self._thread.run(self._collect(rows))

    async def _collect(self, rows: list[dict[str, Any]]) -> list[Row[Any]]:
        run = abulk(
            self._chain,
            rows,
            key=self._invoke.key,
            journal=self._journal,
            max_concurrency=self._invoke.max_concurrency,
            budget=self._share,
            keep_input=False,
            retry_failed=self._invoke.retry_failed,
        )
        return sorted([row async for row in run], key=lambda row: row.number)


_building = threading.Lock()
_WORKERS: dict[tuple[str, int], _Worker] = {}


def _begin_anew() -> None:
    """After a fork: another thread of the parent may have held the lock."""
    global _building  # noqa: PLW0603 - there is one
    _building = threading.Lock()


with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=_begin_anew)


def _worker_of(invoke: Invoke) -> _Worker:
    which = (invoke.name, os.getpid())  # a process that Spark forks begins anew
    with _building:
        if which not in _WORKERS:
            _WORKERS[which] = _Worker(invoke)
        return _WORKERS[which]
