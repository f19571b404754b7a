"""The chain of a job, run once for a row with the answers that are known.

The network is replaced while it runs: calls whose answers are known get them, and the others are
collected.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType] # its own types

from langchain_openrouter_o3._http.driver import TRANSPORT_OVERRIDE, RequestDeferred
from langchain_openrouter_o3._http.meter import METER
from langchain_openrouter_o3.batch.errors import BatchRoundsError
from langchain_openrouter_o3.batch.ledger import Ledger, StoredRow
from langchain_openrouter_o3.batch.transport import (
    Known,
    RowTransport,
    find_model,
    is_plain,
    is_straight,
)
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.budget import RowMeter
from langchain_openrouter_o3.bulk.errors import JournalError
from langchain_openrouter_o3.bulk.fingerprint import Chain, differences, read_chain
from langchain_openrouter_o3.chat_models.costs import TRACKER
from langchain_openrouter_o3.errors import OpenRouterInputError


@dataclass
class Run:
    """What hears of a run of the chain.

    Attributes:
        meter: Of what its calls cost.
        config: The caller's.
        is_heard: Whether tracers and sums of costs hear of it: it is the run that counts.
    """

    meter: RowMeter | None = None
    config: RunnableConfig | None = None
    is_heard: bool = False


class JobChain:
    """A chain, or None for who only looks at a job.

    Attributes:
        parts: What it consists of, to be compared.
        needs_rounds: Whether further calls may follow its first.
        model: The first model in it.
        bound: The arguments that are bound to that model.
    """

    def __init__(self, runnable: Runnable[Any, Any] | None) -> None:
        self._runnable = runnable
        self._chain = Chain() if runnable is None else read_chain(runnable)
        self._has_branches = runnable is not None and not is_straight(runnable)
        self.parts = self._chain.parts
        self.needs_rounds = runnable is not None and not is_plain(runnable)
        found, bound = (None, dict[str, Any]()) if runnable is None else find_model(runnable)
        self.model: Any = found
        self.bound: dict[str, Any] = bound

    def check_rounds(self, rounds: str) -> None:
        """Refuse a graph, each of whose calls could need a batch of its own.

        Raises:
            BatchRoundsError: It is one, and `rounds` is empty.
        """
        if not rounds and any("nodes." in path for path in self.parts):
            raise BatchRoundsError(
                "This chain is a graph, such as an agent: each of its calls could need a batch of "
                "its own, which takes minutes to hours. Pass rounds= to allow so many, or use "
                "bulk()."
            )

    def check(self, ledger: Ledger) -> None:
        """Refuse another chain than the job's.

        Raises:
            JournalError: It differs; the text names the parts.
            OpenRouterInputError: There is none.
        """
        if self._runnable is None:
            raise OpenRouterInputError(
                f"{ledger.path}: this needs the chain: BatchJob(store, chain)."
            )
        if changed := differences(ledger.parts(), self.parts, file="job"):
            raise JournalError(
                f"{ledger.path}: the job is another chain's. {'; '.join(changed[:5])}. Use the "
                "chain that began it, or another file."
            )

    def new_transport(self, key: str, known: list[Known], *, is_last: bool) -> RowTransport:
        """Return what answers and collects the calls of one run for a row."""
        return RowTransport(key, known, has_branches=self._has_branches, is_last=is_last)

    async def run(
        self, transport: RowTransport, given: Any, run: Run
    ) -> tuple[Any, Exception | None]:
        """Run the chain once, in a context of its own.

        Args:
            transport: Answers and collects its calls.
            given: The row's input.
            run: What hears of it.

        Returns:
            What it returned, or what it raised; nothing if it stopped at a call.
        """
        return await asyncio.create_task(self._run(transport, given, run))

    async def _run(
        self, transport: RowTransport, given: Any, run: Run
    ) -> tuple[Any, Exception | None]:
        assert self._runnable is not None  # noqa: S101 - `check` was called
        TRANSPORT_OVERRIDE.set(transport)
        METER.set(run.meter)
        if not run.is_heard:
            TRACKER.set(None)
        try:
            with nullcontext() if run.is_heard else tracing_context(enabled=False):
                return await self._runnable.ainvoke(given, run.config), None
        except RequestDeferred:
            return None, None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's
            return None, error

    def input_of(self, row: StoredRow) -> Any:
        """Read the input of a row."""
        return values.load(row.input, self._chain.classes)
