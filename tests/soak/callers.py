"""Who calls in a run: threads, tasks, and what each of them asks."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.conftest import KEY
from tests.soak.checks import LEFT_BEHIND, Loss, check, count_files
from tests.soak.fault_kinds import TLS
from tests.soak.plan import CALLERS, Call, Caller, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TextIO

    from tests.soak.plan import Shape
    from tests.soak.server import Addresses


Ended = Literal["answer", "error", "closed", "cancelled"]

PATIENT = 120.0
"""Seconds. With hundreds of callers in one process an event loop may not come round in time for
the 10 seconds that connecting may take by default."""


class Note(BaseModel):
    """A note."""

    note: str


def save_note(note: str) -> None:
    """Keep a note."""


_TOOL = convert_to_openai_tool(save_note)
"""Converted once: thousands of callers bind it."""


@dataclass
class Heard:
    """What came of a call.

    Attributes:
        ended: How it ended.
        text: The content so far, as the caller got it.
        arguments: The arguments of tool calls so far.
        messages: How many messages or chunks came.
        lasts: How many of them said that they are the last; of whole messages, all.
        ids: The generation ids that they told.
        usage: Whether one of them had token counts.
        calls: The parsed arguments of the tool calls of a whole message.
        object: The parsed object.
        error: What was raised.
    """

    ended: Ended = "answer"
    text: str = ""
    arguments: str = ""
    messages: int = 0
    lasts: int = 0
    ids: set[str | None] = field(default_factory=set)
    usage: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    object: Any = None
    error: BaseException | None = None

    def take(self, received: Any) -> None:
        """Take what `invoke` returned, or the next chunk."""
        message = received
        if isinstance(received, dict):  # of structured output
            message, self.object = received["raw"], received["parsed"]
        assert isinstance(message, AIMessage)
        self.messages += 1
        self.text += message.text
        if (identity := message.response_metadata.get("id")) is not None:
            self.ids.add(identity)
        self.usage = self.usage or message.usage_metadata is not None
        if isinstance(message, AIMessageChunk):
            self.arguments += "".join(each["args"] or "" for each in message.tool_call_chunks)
            self.lasts += message.chunk_position == "last"
        else:
            self.arguments = raw_arguments(message)
            self.calls = [each["args"] for each in message.tool_calls]
            self.lasts += 1

    def fail(self, error: BaseException) -> None:
        """Take what was raised."""
        self.ended = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        self.error = error


class Asker:
    """A caller with a model of its own; all share the connections."""

    def __init__(self, base_url: str) -> None:
        """Build the model."""
        # Each call is judged alone: behind the gate it would wait for what others have met.
        self.model = ChatOpenRouterO3(
            base_url=base_url, api_key=KEY, timeout=PATIENT, rate_gate=False
        )
        self._runnables: dict[Shape, Any] = {"text": self.model}

    def ask(self, call: Call) -> Heard:
        """Carry out a call of a thread."""
        heard = Heard()
        runnable, options = self._runnable(call.shape), _options(call)
        try:
            if not call.stream:
                heard.take(runnable.invoke(call.prompt, **options))
                return heard
            with closing(runnable.stream(call.prompt, **options)) as chunks:
                for chunk in chunks:
                    heard.take(chunk)
                    if _is_enough(call, heard):
                        break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is judged
            heard.fail(error)
        return heard

    async def aask(self, call: Call, heard: Heard) -> None:
        """Carry out a call of a task, which may be cancelled."""
        runnable, options = self._runnable(call.shape), _options(call)
        try:
            if not call.stream:
                heard.take(await runnable.ainvoke(call.prompt, **options))
                return
            async with aclosing(runnable.astream(call.prompt, **options)) as chunks:
                async for chunk in chunks:
                    heard.take(chunk)
                    if _is_enough(call, heard):
                        break
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is judged
            heard.fail(error)

    def _runnable(self, shape: Shape) -> Any:
        if shape not in self._runnables:
            self._runnables[shape] = (
                self.model.bind_tools([_TOOL])
                if shape == "tool"
                else self.model.with_structured_output(Note, include_raw=True)
            )
        return self._runnables[shape]


async def cancel_after(task: asyncio.Task[None], seconds: float, *, twice: bool) -> None:
    """Cancel a task at some moment, and maybe again while it is clearing up; wait for its end."""
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    if twice:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait({task})


def raw_arguments(message: AIMessage) -> str:
    """Return the arguments of a message's tool calls as the model wrote them."""
    return "".join(message.additional_kwargs.get("tool_call_arguments", {}).values())


def _options(call: Call) -> dict[str, Any]:
    return {"max_retries": call.max_retries, **call.limits}


def _is_enough(call: Call, heard: Heard) -> bool:
    if call.ending == "close" and heard.messages >= call.moment:
        heard.ended = "closed"
    return heard.ended == "closed"


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
