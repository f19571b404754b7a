"""Calls that are cancelled or ended by a signal leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.connections import LOOPS, PATIENCE, needs_signals, run_on, settle
from tests.helpers.factories import JSON, build_once, endless, refused
from tests.helpers.processes import Scripts

pytestmark = [pytest.mark.usefixtures("silence"), needs_signals]


every_loop = pytest.mark.parametrize("loop", LOOPS)
every_call = pytest.mark.parametrize("call", ["ainvoke", "astream"])
at_both_ends = pytest.mark.parametrize("late", [False, True], ids=["at the wait", "after it"])


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine that reports each of its pauses, with the future it waits for."""

    def __init__(self, inner: Coroutine[Any, Any, Any], on_pause: Callable[[Any], object]) -> None:
        self._inner = inner
        self._on_pause = on_pause

    def send(self, value: Any) -> Any:
        return self._paused(self._inner.send(value))

    def throw(self, *error: Any) -> Any:
        return self._paused(self._inner.throw(*error))

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self

    def _paused(self, awaited: Any) -> Any:
        self._on_pause(awaited)
        return awaited


class Cancellation:
    """Runs a coroutine as a task and cancels it at one pause, its children's pauses included.

    With `late`, what it waited for has just happened when the cancellation arrives.
    """

    def __init__(self, moment: int, *, late: bool) -> None:
        self._moment = moment
        self._late = late
        self._pauses = 0
        self._task: asyncio.Task[Any] | None = None

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        """Return whether the coroutine came to its end before its moment.

        Raises:
            AssertionError: It was cancelled and went on.
        """
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._make_task)
        self._task = asyncio.create_task(coroutine)
        try:
            await self._task
        except asyncio.CancelledError:
            return False
        finally:
            loop.set_task_factory(None)
        # Before Python 3.11, anyio cannot tell a cancellation that comes while it connects from
        # its own, and goes on.
        assert self._pauses < self._moment or sys.version_info < (3, 11)
        return self._pauses < self._moment

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(Watched(coroutine, self._on_pause), loop=loop, **options)

    def _on_pause(self, awaited: Any) -> None:
        self._pauses += 1
        if self._pauses == self._moment and self._task is not None:
            task = self._task
            if self._late and awaited is not None:
                awaited.add_done_callback(lambda _: task.cancel())
            else:
                task.cancel()


async def talk(model: ChatOpenRouterO3, call: str, prompt: str = "repeat 1 words") -> str:
    if call == "ainvoke":
        return (await model.ainvoke(prompt)).text
    return "".join([chunk.text async for chunk in model.astream(prompt)])


async def ask(model: ChatOpenRouterO3, call: str, number: int) -> None:
    assert str(number + 1000) in await talk(model, call, f"What is {number}+1000?")


@pytest.mark.parametrize(
    ("loop", "state"),
    [("asyncio", "cold"), ("asyncio", "warm"), ("asyncio", "retry"), ("uvloop", "retry")],
)
@at_both_ends
@every_call
def test_a_call_cancelled_at_any_await_leaves_no_busy_connection(
    server: Emulator,
    loop: str,
    state: str,
    call: str,
    late: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def cancelled_at(moment: int) -> bool:
        model = build_once(server, max_retries=1)
        if state == "warm":
            await model.ainvoke("Hi")
        if state == "retry":
            server.play(refused())
        ended = await Cancellation(moment, late=late).run(talk(model, call))
        server.reset()
        await settle(server, model)
        await model.aclose()
        return ended

    for moment in itertools.count(1):
        if run_on(loop, cancelled_at(moment)):
            break
    assert moment > 4


@at_both_ends
def test_closing_a_model_can_be_cancelled_at_any_await(server: Emulator, late: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async def cancelled_at(moment: int) -> bool:
        model = build_once(server)
        await asyncio.gather(*(ask(model, "ainvoke", number) for number in range(3)))
        ended = await Cancellation(moment, late=late).run(model.aclose())
        await settle(server, model)
        return ended

    for moment in itertools.count(1):
        if run_on("asyncio", cancelled_at(moment)):
            break


@every_loop
def test_cancelled_neighbours_do_not_disturb_a_call(server: Emulator, loop: str) -> None:
    async def main() -> None:
        model = build_once(server)
        for number in range(10):
            tasks = [
                asyncio.create_task(ask(model, call, 100 * number + place))
                for place, call in enumerate(["ainvoke", "astream"] * 4)
            ]
            for _ in range(2 * number):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert done[1::2] == [None] * 4
        await settle(server, model, 8)

    run_on(loop, main())


async def test_a_call_that_runs_into_wait_for_leaves_no_busy_connection(server: Emulator) -> None:
    model = build_once(server)
    for number in range(20):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ask(model, "astream", number), timeout=number / 1000)
    await settle(server, model)
    await model.aclose()


BODY = wire.to_json(wire.body("Somebody else's answer"))
SLOW = {
    "before the headers": Canned(pieces=BODY, delay=60),
    "inside the padding": Canned(headers=JSON, pieces=[wire.PADDING, BODY], pause=60),
    "inside the body": Canned(headers=JSON, pieces=[BODY[:40], BODY[40:]], pause=60),
    # Not 429 or 503: those that follow would wait for the named time, too.
    "between two attempts": Canned(500, {**JSON, "retry-after": "30"}, b"{}"),
}


@pytest.mark.parametrize("signal", ["SIGINT", "SIGALRM"])
@pytest.mark.parametrize("moment", SLOW)
def test_a_signal_ends_a_call_and_its_connection(
    server: Emulator, scripts: Scripts, moment: str, signal: str
) -> None:
    script = """
    class Alarm(BaseException):
        pass

    def ring(*_):
        raise KeyboardInterrupt if sys.argv[2] == "SIGINT" else Alarm

    number = getattr(signal, sys.argv[2])
    signal.signal(number, ring)
    model = ChatOpenRouterO3(base_url=sys.argv[1], max_retries=1)
    main = threading.main_thread().ident

    def interrupt():
        # As soon as the call has waited for the same bytes, or slept, for a while.
        since = seen = None
        while seen is None or time.monotonic() - since < 0.2:
            frame = sys._current_frames()[main]
            waits = frame.f_code.co_name in ("read", "perform")
            now = (id(frame), frame.f_lasti) if waits else None
            if now is None or now != seen:
                since, seen = time.monotonic(), now
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    try:
        model.invoke("Hi")
    except (KeyboardInterrupt, Alarm):
        pass
    else:
        raise AssertionError("not interrupted")
    signal.signal(number, signal.SIG_IGN)
    for each in range(5):
        ask(each)
    """
    server.play(SLOW[moment])
    scripts.run(script, server, signal)
    if moment == "between two attempts":
        assert len(server.requests) == 6
    else:
        assert server.requests[0].wait_disconnected(PATIENCE)


def test_signals_in_streams_leave_no_connection_behind(server: Emulator, scripts: Scripts) -> None:
    script = """
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    signal.signal(signal.SIGALRM, ring)
    for number in range(4):
        try:
            for place, _ in enumerate(model.stream("Hi")):
                if place == number:
                    signal.setitimer(signal.ITIMER_REAL, 0.02)
        except Alarm:
            continue
        raise AssertionError("not interrupted")
    ask(1)
    """
    server.play(*[endless()] * 4)
    scripts.run(script, server)
    assert all(request.wait_disconnected(PATIENCE) for request in server.requests[:4])
