"""A whole run: rounds of calls, and the account of them."""

from __future__ import annotations

import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tests.soak import report
from tests.soak.callers import Account, Crew, Round
from tests.soak.checks import (
    COMPLAINT,
    LEFT_BEHIND,
    Loss,
    Traces,
    complaints,
    measure,
    measure_quiet,
)
from tests.soak.plan import Caller
from tests.soak.server import Addresses, Server

MOST_GROWTH = 400_000
"""Bytes by which Python's objects may grow from the middle of a run to its end, however long it is.

Generous for a short run: interpreters keep frames for reuse, and caches of libraries fill."""

_WARM_UP = 90
_SHARES: dict[Caller, float] = {"thread": 0.35, "task": 0.64, "door": 0.01}


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        seconds: How long to call; None if `calls` says when to end.
        calls: How many calls.
        threads: Threads that block.
        tasks: Tasks on the main event loop.
        fault_rate: The share of attempts that meet a fault.
        seed: Of all chance.
        rounds: In how many parts. After each all connections, loops and threads have ended.
    """

    seconds: float | None = None
    calls: int = 2000
    threads: int = 16
    tasks: int = 200
    fault_rate: float = 0.3
    seed: int = 7
    rounds: int = 6


def run(options: Options, say: Callable[[str], None]) -> report.Report:
    """Run the soak test.

    Args:
        options: How long and how wild.
        say: Told how it goes.
    """
    rate, seed = options.fault_rate, options.seed
    with tempfile.TemporaryFile("w+") as book, Server(seed, rate) as server:
        account = Account(seed, rate, book)
        started = time.monotonic()
        with complaints() as found:
            traces = _play(options, server.addresses, account, say)
        seconds = time.monotonic() - started
        counts = server.stop()
        book.seek(0)
        calls, faults, losses = report.audit(seed, rate, book, counts)
    crew = Crew(options.threads, options.tasks)
    most = account.most_files - traces[0].files
    if most > crew.most_files:
        losses.append((LEFT_BEHIND, f"{most} files were open at once"))
    losses = [*account.losses, *losses, *_left_behind(traces)]
    losses += [(COMPLAINT, each) for each in found]
    return report.Report(
        options=asdict(options),
        machine=report.machine(),
        seconds=seconds,
        calls=calls,
        attempts=sum(counts.attempts.values()),
        faults=dict(sorted(faults.items())),
        endings=dict(account.endings),
        losses=report.count_losses(losses),
        before=traces[0],
        middle=traces[len(traces) // 2],
        after=traces[-1],
        most_files=most,
        examples=[f"{kind}: {text}" for kind, text in losses[: report.MOST_EXAMPLES]],
        server_log=dict(Counter(counts.complaints)),
    )


def _play(
    options: Options, addresses: Addresses, account: Account, say: Callable[[str], None]
) -> list[Traces]:
    """Play all rounds and measure between them, when nothing should be open."""
    crew = Crew(options.threads, options.tasks)
    Round(addresses, account, crew, goes_on=_so_many(_WARM_UP)).play()
    traces = [measure()]
    try:
        for number in range(1, options.rounds + 1):
            if number == max(1, options.rounds // 2):
                tracemalloc.start()  # it halves the speed; from the end of this round it counts
            goes_on = (
                _so_many(options.calls // options.rounds)
                if options.seconds is None
                else _so_long(options.seconds / options.rounds)
            )
            Round(addresses, account, crew, goes_on=goes_on).play()
            traces.append(measure_quiet(traces[0]))
            say(f"round {number}: {account.endings.total()} calls, {traces[-1]}")
    finally:
        tracemalloc.stop()
    return traces


def _left_behind(traces: list[Traces]) -> list[Loss]:
    before, after = traces[0], traces[-1]
    losses = [
        (LEFT_BEHIND, f"{now - then} {name}")
        for name, then, now in (
            ("files", before.files, after.files),
            ("threads", before.threads, after.threads),
        )
        if now > then
    ]
    # Not simply that of the middle, which a collection may have left higher than it need be.
    least = min(each.memory for each in traces[1:] if each.memory)
    if (growth := after.memory - least) > MOST_GROWTH:
        losses.append((LEFT_BEHIND, f"{growth} bytes"))
    return losses


def _so_many(calls: int) -> Callable[[Caller], bool]:
    """Allow so many calls, each sort of callers its share, so that the same calls are made."""
    lock = threading.Lock()
    left = {caller: max(3, int(calls * share)) for caller, share in _SHARES.items()}

    def goes_on(caller: Caller) -> bool:
        with lock:
            left[caller] -= 1
            return left[caller] >= 0

    return goes_on


def _so_long(seconds: float) -> Callable[[Caller], bool]:
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end
