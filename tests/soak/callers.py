"""All callers at once: threads, tasks on several event loops, and one at a closed door."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TextIO

from tests.soak.asking import Asker, Heard, cancel_after
from tests.soak.checks import LEFT_BEHIND, Loss, check, count_files
from tests.soak.fault_kinds import TLS
from tests.soak.plan import CALLERS, Call, Caller, plan
from tests.soak.server import Addresses

TASKS_OF_OTHER_LOOPS = 10
CALLS_OF_A_TASK = 20
FILES_OF_A_LOOP = 10
"""At most: its selector and its pipe, twice while one loop follows another."""
_SETTLING_SECONDS = 2.0


@dataclass(frozen=True)
class Crew:
    """How many callers there are.

    Attributes:
        threads: Threads that block.
        tasks: Tasks on the main event loop.
    """

    threads: int
    tasks: int

    @property
    def most_files(self) -> int:
        """How many files they may have open: one connection for each, and what loops need."""
        loops = len(_LOOPS) + 1
        callers = self.threads + self.tasks + len(_LOOPS) * TASKS_OF_OTHER_LOOPS + 2
        return callers + loops * FILES_OF_A_LOOP


class Account:
    """Hands out the numbers of calls, and books how each ended.

    The book is a file, so that it does not show in the memory of the process.
    """

    def __init__(self, seed: int, rate: float, book: TextIO) -> None:
        """Start with the first numbers."""
        self.endings: Counter[str] = Counter()
        self.losses: list[Loss] = []
        self.most_files = 0
        self._seed, self._rate, self._book = seed, rate, book
        self._lock = threading.Lock()
        self._numbers = {
            caller: itertools.count(first, len(CALLERS)) for first, caller in enumerate(CALLERS)
        }

    def next(self, caller: Caller) -> Call:
        """Return the next call of a sort of callers."""
        return plan(self._seed, self._rate, next(self._numbers[caller]))

    def enter(self, call: Call, heard: Heard) -> None:
        """Judge a call that has ended, and write it down."""
        losses = check(call, heard)
        ended = type(heard.error).__name__ if heard.ended == "error" else heard.ended
        identity = next((each for each in heard.ids if each), "-")
        with self._lock:
            self.losses += losses
            self.endings[ended] += 1
            self._book.write(f"{call.number} {heard.ended} {identity}\n")

    def note_files(self, count: int) -> None:
        """Note how many files were open while callers were at work."""
        with self._lock:
            self.most_files = max(self.most_files, count)

    def lose(self, loss: Loss) -> None:
        """Note a loss that no single call has."""
        with self._lock:
            self.losses.append(loss)


def _new_loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    """Return what makes the loops beside the main one; uvloop's is there if it is installed."""
    uvloop = find_spec("uvloop") and import_module("uvloop")
    return [asyncio.new_event_loop] * 2 + ([uvloop.new_event_loop] if uvloop else [])


_LOOPS = _new_loops()


class Round:
    """A part of the run, with connections, threads and event loops of its own."""

    def __init__(
        self,
        addresses: Addresses,
        account: Account,
        crew: Crew,
        *,
        goes_on: Callable[[Caller], bool],
    ) -> None:
        """Prepare a round; `goes_on` says whether a sort of callers may call once more."""
        self._addresses = addresses
        self._account = account
        self._crew = crew
        self._goes_on = goes_on

    def play(self) -> None:
        """Let all call until none may call once more."""
        works: list[Callable[[], None]] = [self._call] * self._crew.threads
        works += [self._knock, *(partial(self._use, new_loop) for new_loop in _LOOPS)]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        asyncio.run(self._gather(self._crew.tasks, closes=True))
        for thread in threads:
            thread.join()

    def _call(self) -> None:
        asker = Asker(self._addresses.open)
        with asker.model:
            while self._goes_on("thread"):
                call = self._account.next("thread")
                self._account.enter(call, asker.ask(call))

    def _knock(self) -> None:
        askers = {name: Asker(getattr(self._addresses, name)) for name in ("door", "tls")}
        while self._goes_on("door"):
            call = self._account.next("door")
            asker = askers["tls" if call.kinds[0] == TLS else "door"]
            self._account.enter(call, asker.ask(call))
        for asker in askers.values():
            asker.model.close()

    def _use(self, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """Use one event loop after the other; their ends alone close the connections."""
        while self._goes_on("task"):
            _run_on(new_loop(), self._gather(TASKS_OF_OTHER_LOOPS, CALLS_OF_A_TASK))

    async def _gather(self, tasks: int, calls: int | None = None, *, closes: bool = False) -> None:
        await asyncio.gather(*(self._call_in_task(calls, closes=closes) for _ in range(tasks)))
        self._account.note_files(count_files())  # before connections end with models and loops
        # Generators that were left behind by a wrapper of LangChain's are closed by tasks.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        _, pending = await asyncio.wait(others, timeout=_SETTLING_SECONDS) if others else ((), ())
        for task in pending:
            self._account.lose((LEFT_BEHIND, f"a task: {task}"))

    async def _call_in_task(self, calls: int | None, *, closes: bool) -> None:
        asker = Asker(self._addresses.open)
        for _ in itertools.count() if calls is None else range(calls):
            if not self._goes_on("task"):
                break
            call, heard = self._account.next("task"), Heard()
            if call.ending == "cancel":
                task = asyncio.ensure_future(asker.aask(call, heard))
                await cancel_after(task, call.moment, twice=call.number % 2 == 0)
                if task.cancelled():  # before its first step
                    heard.ended = "cancelled"
            else:
                await asker.aask(call, heard)
            self._account.enter(call, heard)
        if closes:
            await asker.model.aclose()


def _run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    """Do as `asyncio.run` does, on a loop of any kind."""
    try:
        loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
