"""What a job does: collect requests, submit them, find lost ones, fetch answers, run the chain on.

Everything that waits is a coroutine; the public functions of `job.py` run them on the caller's loop
or in a thread. No method holds the file while it waits for a batch.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from langchain_openrouter_o3.batch.chain import JobChain, Run
from langchain_openrouter_o3.batch.client import Account, BatchClient
from langchain_openrouter_o3.batch.collector import Collector, Options
from langchain_openrouter_o3.batch.errors import (
    BatchError,
    BatchPendingError,
)
from langchain_openrouter_o3.batch.ledger import Batch, Ledger, StoredRow, aopened
from langchain_openrouter_o3.batch.submission import Reader, Sender
from langchain_openrouter_o3.batch.transport import (
    Collected,
    answers,
)
from langchain_openrouter_o3.bulk.budget import RowMeter
from langchain_openrouter_o3.bulk.rows import Progress, Row
from langchain_openrouter_o3.bulk.source import Source
from langchain_openrouter_o3.errors import (
    OpenRouterInputError,
)

MAX_ROUNDS = 8
"""Rounds of a chain whose caller has named none; an agent's tool loop gets one."""


class Engine:
    """Works on one job."""

    def __init__(
        self, store: str, chain: Runnable[Any, Any] | None, model: Any, *, is_blocking: bool
    ) -> None:
        """Take what it needs; nothing is opened.

        Args:
            store: The job's file.
            chain: Whose job it is; None for who only looks at it.
            model: Whose key, address and client are used; None to look for it in the chain.
            is_blocking: Whether the model's blocking client is used, if it has one.
        """
        self.store = store
        self.progress = Progress()
        self.chain = JobChain(chain)
        self._model: Any = model or self.chain.model
        self._bound = self.chain.bound if model is None else {}
        self._is_blocking = is_blocking
        self._account: Account | None = None

    # --- Collecting ---

    async def collect(self, source: Source, options: Options, facts: Mapping[str, str]) -> None:
        """Run the chain for each new row up to its call, and write the requests down.

        Raises:
            OpenRouterError: A row cannot be in a batch, or its chain has failed; nothing was sent.
        """
        self.progress.total = source.total
        self.chain.check_rounds(facts["rounds"])
        async with aopened(self.store, must_exist=False) as ledger:
            with ledger.alone():
                self._claim(ledger, facts)
                run = int(ledger.facts()["run"]) + 1
                ledger.note(run=str(run), is_collected="")
                check = partial(self._check_account, ledger)
                collector = Collector(self.chain, check, self.progress, ledger, run, options)
                await collector.collect(source)
                ledger.release()
                ledger.plan(ledger.facts()["id"], int(facts["batch_size"]))
                ledger.note(is_collected="yes")

    def _claim(self, ledger: Ledger, facts: Mapping[str, str]) -> None:
        """Check that it is this chain's job, or begin one."""
        if not ledger.facts():
            own = {"id": secrets.token_hex(8), "created": str(time.time()), "run": "0"}
            ledger.begin(self.chain.parts, {**own, **facts})
        self.chain.check(ledger)
        names = ("callback_url", "metadata")
        given = {name: facts[name] for name in names if facts[name] not in ("", "null")}
        ledger.note(rounds=facts["rounds"], batch_size=facts["batch_size"], **given)

    def _check_account(self, ledger: Ledger, key: str, call: Collected) -> None:
        """Let all requests of a job go to one place, with one set of headers.

        Raises:
            OpenRouterInputError: A row's request goes elsewhere.
        """
        asked = call.request.url.removesuffix("/chat/completions")
        if self._account is None:
            self._account = Account(self._model or _default_model(), headers=call.request.headers)
            self._account.base_url = asked
            self._check_address(ledger, asked)
        same = self._account.headers.raw() == call.request.headers.raw()
        if not same or asked != self._account.base_url:
            raise OpenRouterInputError(
                f"row {key!r}: its request has another key, address or headers than the first. A "
                "job has one of each; make a job for each of them."
            )

    # --- Asking OpenRouter ---

    def client(self, ledger: Ledger) -> BatchClient:
        """Make what asks the server of a job.

        Raises:
            OpenRouterInputError: The model asks another server than the job's.
            OpenRouterAuthenticationError: There is no key.
        """
        if self._account is None:
            self._account = Account(self._model or _default_model(), bound=self._bound)
            self._check_address(ledger, self._account.base_url)
        return BatchClient(self._account, is_blocking=self._is_blocking)

    def _check_address(self, ledger: Ledger, asked: str) -> None:
        known = ledger.facts().get("base_url")
        if known is None:
            ledger.note(base_url=asked)
        elif known != asked:
            raise OpenRouterInputError(
                f"{self.store}: the job's batches are at {known}, and the model asks {asked}. Set "
                "its base_url, or OPENROUTER_API_BASE."
            )

    # --- Submitting ---

    async def submit(self, *, again: bool = False) -> None:
        """Submit what was not submitted.

        Args:
            again: Also what an earlier run may have submitted, after a look for it.

        Raises:
            BatchLostError: It is not known whether a batch was stored.
            OpenRouterError: OpenRouter refuses; what was submitted before is written down.
        """
        async with aopened(self.store) as ledger:
            facts = ledger.facts()
            if facts.get("is_collected"):  # an interrupted run may have left calls without a batch
                ledger.plan(facts["id"], int(facts["batch_size"]))
            if not ledger.batches("planned", *(["sending"] if again else [])):
                return
            with ledger.alone():
                await self._submit(ledger, again=again)

    async def _submit(self, ledger: Ledger, *, again: bool) -> None:
        async with self.client(ledger) as client:
            sender = Sender(ledger, client)
            for batch in ledger.batches("sending") if again else ():
                await sender.find_earlier(batch)
            for batch in ledger.batches("planned"):
                await sender.send(batch)

    # --- Waiting ---

    async def poll(self) -> list[Batch]:
        """Ask for the state of all batches that are under way.

        Returns:
            All batches of the job.
        """
        async with aopened(self.store) as ledger:
            if ledger.batches("sending", "sent"):
                async with self.client(ledger) as client:
                    await Reader(ledger, client).poll()
            return ledger.batches()

    async def step(self) -> bool:
        """Do everything that can be done without waiting.

        Returns:
            Whether all answers are here.

        Raises:
            BatchPendingError: The rows were not collected to the end.
            BatchLostError: A batch cannot be found.
            BatchUnpaidError: Answers are held back.
        """
        await self.submit()
        async with aopened(self.store) as ledger:
            if not ledger.facts().get("is_collected"):
                raise BatchPendingError(
                    f"{self.store}: its rows were not collected to the end. Call submit_batch "
                    "again with the same rows and store=."
                )
            if ledger.batches("sending", "sent"):
                async with self.client(ledger) as client:
                    reader = Reader(ledger, client)
                    await reader.poll()
                    await reader.fetch()
            self._count(ledger)
            if ledger.batches("sending", "sent"):
                return False
            if not self.chain.needs_rounds:
                return True
            with ledger.alone():
                if not await self._go_on(ledger):
                    return True
        await self.submit()
        return False

    def _count(self, ledger: Ledger) -> None:
        batches = ledger.batches()
        self.progress.total = sum(batch.total for batch in batches)
        self.progress.done = sum(batch.completed + batch.failed for batch in batches)
        self.progress.failed = sum(batch.failed for batch in batches)
        self.progress.cost = sum((Decimal(b.cost) for b in batches if b.cost), Decimal(0))

    async def _go_on(self, ledger: Ledger) -> bool:
        """Run the chains on with the answers that are here; return whether there is more to ask."""
        self.chain.check(ledger)
        facts = ledger.facts()
        for rows in ledger.rows(only_open=True):
            steps = [self._next_step(ledger, row, facts["rounds"]) for row in rows]
            ledger.go_on(step for step in await asyncio.gather(*steps) if step is not None)
        ledger.plan(facts["id"], int(facts["batch_size"]))
        return bool(ledger.batches("planned", "sending", "sent"))

    async def _next_step(
        self, ledger: Ledger, row: StoredRow, rounds: str
    ) -> tuple[int, int, list[Collected]] | None:
        """Return the next calls of a row; None if its chain has failed before the next one.

        Such a row stays open: the error is that of `results`, where the chain runs again to be
        heard, and what was only a moment's failure goes on then.
        """
        known = ledger.calls_of(row.id)
        number = 1 + max((call.round for call in known), default=0)
        transport = self.chain.new_transport(row.key, known, is_last=False)
        _, error = await self.chain.run(transport, self.chain.input_of(row), Run())
        calls = transport.collected
        if error is not None and not calls:
            return None
        if not rounds and any(answers(call, known) for call in calls):
            calls = []  # an agent's loop, which its caller has not allowed: `results` says so
        return row.id, number, calls if number <= int(rounds or MAX_ROUNDS) else []

    # --- Results ---

    async def results(self, config: RunnableConfig | None) -> AsyncGenerator[list[Row[Any]], None]:
        """Run the chains to their ends, some rows at a time, in the order of the input.

        Raises:
            BatchPendingError: There are answers to come.
            OpenRouterError: See `step`.
        """
        async with aopened(self.store) as ledger:
            self.chain.check(ledger)
            if not await self.step():
                raise BatchPendingError(
                    f"{self.store}: not all answers are here. wait() waits for them."
                )
            for rows in ledger.rows():
                if not ledger.are_answered(rows):
                    raise BatchPendingError(
                        f"{self.store}: requests were sent again while results() was read. wait() "
                        "for their answers, and read the results again."
                    )
                yield await asyncio.gather(*(self._result(ledger, row, config) for row in rows))
                ledger.mark_read(rows)

    async def _result(
        self, ledger: Ledger, row: StoredRow, config: RunnableConfig | None
    ) -> Row[Any]:
        started = time.monotonic()
        given = self.chain.input_of(row)
        transport = self.chain.new_transport(row.key, ledger.calls_of(row.id), is_last=True)
        # What was read before was counted before.
        run = Run(RowMeter(None), config, is_heard=not row.was_read)
        value, error = await self.chain.run(transport, given, run)
        assert run.meter is not None  # noqa: S101 - see above
        return Row(
            number=row.number,
            key=row.key,
            input=given,
            value=value,
            error=error,
            cost=None if run.meter.unknown else run.meter.cost,
            known_cost=run.meter.cost,
            usage=run.meter.usage,
            generation_ids=tuple(run.meter.generation_ids),
            attempts=run.meter.attempts,
            seconds=time.monotonic() - started,
            from_journal=bool(row.was_read),
            cost_is_share=transport.has_shares,
        )

    # --- Again, and no more ---

    async def resubmit(self, *, failed: bool, lost: bool) -> int:
        """Send calls without an answer again.

        Args:
            failed: Also those that were answered with an error.
            lost: Also those of batches that OpenRouter does not know, which may have been paid.

        Returns:
            How many there are.

        Raises:
            BatchPendingError: Some answers are still to come.
        """
        if lost:
            await self._give_up_lost()
        if not await self.step():
            raise BatchPendingError(f"{self.store}: wait() for all answers first.")
        async with aopened(self.store) as ledger:
            count = ledger.send_again(failed=failed)
            facts = ledger.facts()
            ledger.plan(facts["id"], int(facts["batch_size"]))
        await self.submit()
        return count

    async def _give_up_lost(self) -> None:
        """Wait no longer for batches that cannot be found."""
        async with aopened(self.store) as ledger:
            with ledger.alone():
                async with self.client(ledger) as client:
                    await Reader(ledger, client).give_up_lost()

    async def delete(self) -> None:
        """Delete the batches at OpenRouter.

        Raises:
            BatchError: Their results were not read, so they would be lost.
        """
        async with aopened(self.store) as ledger:
            if ledger.batches("planned", "sending", "sent") or ledger.count(
                "rows WHERE was_read = 0"
            ):
                raise BatchError(
                    f"{self.store}: not all results were read, and OpenRouter would delete them. "
                    "Read results() to the end first."
                )
            async with self.client(ledger) as client:
                for batch in ledger.batches("fetched"):
                    if batch.id is not None:  # a lost one has none
                        await client.delete(batch.id)
                    ledger.update(batch.number, state="deleted")


def _default_model() -> Any:
    from langchain_openrouter_o3.chat_models import ChatOpenRouterO3  # noqa: PLC0415 - only without a chain

    return ChatOpenRouterO3()
