"""One sample: what is timed, what is checked, and how far it came if it never ends."""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from types import FrameType

    from typing_extensions import Self


@dataclass
class Sample:
    """A measurement, for one unit (a call, a chunk).

    Attributes:
        cpu: Seconds of this process's CPU time.
        wall: Seconds on the wall clock.
        calls: How many functions were called, if they are counted.
        value: Something else than time, such as bytes.
        units: How many units the sample had.
        notes: What else was seen.
    """

    cpu: float | None = None
    wall: float | None = None
    calls: float | None = None
    value: float | None = None
    units: int = 1
    notes: dict[str, Any] = field(default_factory=dict)


class Progress:
    """How many units of the current sample are done; read when its time is up."""

    done = 0
    total = 0

    def start(self, total: int) -> None:
        """Begin a sample."""
        self.done, self.total = 0, total


PROGRESS = Progress()


class CallCounter:
    """Counts the functions that this thread calls, Python's and C's, if that is wanted.

    Their number is the same on a slow machine and beside other programs, which their time is not.
    Counting takes time itself, so a sample has either a number of calls or times to believe.
    """

    wanted = False
    _calls = 0

    def start(self) -> None:
        """Begin at zero."""
        self._calls = 0
        if self.wanted:
            sys.setprofile(self._count)

    def stop(self) -> None:
        """End; the number stays until the next start."""
        if self.wanted:
            sys.setprofile(None)

    def per(self, units: int) -> float | None:
        """Return the calls of one unit; None if they are not wanted."""
        return self._calls / units if self.wanted else None

    def _count(self, _frame: FrameType, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            self._calls += 1


COUNTER = CallCounter()


class Clock:
    """Measures the time of a `with` block; the garbage is collected before, not during."""

    def __enter__(self) -> Self:
        """Start."""
        gc.collect()
        gc.disable()
        self._lap = _now()
        COUNTER.start()
        return self

    def lap(self) -> tuple[float, float]:
        """Return the seconds of CPU and wall time since the last lap."""
        before, self._lap = self._lap, _now()
        return self._lap[0] - before[0], self._lap[1] - before[1]

    def __exit__(self, *_: object) -> None:
        """Stop."""
        COUNTER.stop()
        self.cpu, self.wall = self.lap()
        gc.enable()

    def sample(self, units: int, **notes: Any) -> Sample:
        """Return the time of one unit."""
        calls = COUNTER.per(units)
        return Sample(self.cpu / units, self.wall / units, calls, units=units, notes=notes)


def median_lap(laps: Sequence[tuple[float, float]], **notes: Any) -> Sample:
    """Make a sample of laps that each are one unit."""
    cpu, wall = (statistics.median(times) for times in zip(*laps, strict=True))
    return Sample(cpu, wall, COUNTER.per(len(laps)), units=len(laps), notes=notes)


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


@dataclass
class Task:
    """What a sample consists of.

    Attributes:
        work: The timed part; its result goes to `check`.
        check: Raises `WrongAnswerError`.
        units: How many calls or chunks the work is.
        prepare: What must be there before the clock starts.
        total: How many units there are to count, if they are not those of the time.
    """

    work: Callable[[], Any]
    check: Callable[[Any], None]
    units: int
    prepare: Callable[[], None] = lambda: None
    total: int | None = None

    def __call__(self) -> Sample:
        """Take a sample."""
        self.prepare()
        PROGRESS.start(self.total or self.units)
        with Clock() as clock:
            result = self.work()
        self.check(result)
        return clock.sample(self.units)


class Loop:
    """The one event loop of a worker; made on first use."""

    _loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(work)


LOOP = Loop()


async def count(work: Awaitable[Any]) -> Any:
    """Wait for one unit of work and count it."""
    result = await work
    PROGRESS.done += 1
    return result
