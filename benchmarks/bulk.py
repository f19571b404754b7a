"""`python -m benchmarks.bulk`: what docs/bulk.md promises of many rows, measured.

Each figure is printed beside its target. The server is `tests/helpers/bulk_server.py`, in a
process of its own, with 2 % faults where money and keys are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableLambda

from benchmarks import bulk_plots
from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import abulk, bulk
from tests.helpers.bulk import Person, by_prompt
from tests.helpers.bulk_script import WORKERS
from tests.helpers.bulk_server import Plan, Server

_WORKERS = 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MB = 1024 * 1024


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    value: str
    target: str
    is_met: bool


def at_most(name: str, value: float, target: float, form: str = "g") -> Figure:
    """Compare a number with what it may be at most."""
    return Figure(name, format(value, form), format(target, form), value <= target)


def is_true(name: str, value: bool) -> Figure:  # noqa: FBT001 - it is the figure
    """Show whether something holds."""
    return Figure(name, str(value), str(True), value)


def chain_of(base_url: str) -> Any:
    """Return structured output by a server."""
    model = ChatOpenRouterO3(base_url=base_url, api_key="any")
    return model.with_structured_output(Person)


def prompts(count: int) -> Any:
    """Make rows as they are read."""
    return (f"Tell row-{number}" for number in range(count))


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


# --- Memory, keys and money ---


async def run_all(base_url: str, rows: int, journal: str) -> dict[str, Any]:
    """Run in this process, and tell what became of memory, tasks, keys and money."""
    first = most = tasks = done = 0
    known, unknown = Decimal(0), []
    seen = bytearray(rows)
    async for row in abulk(
        chain_of(base_url), prompts(rows), key=by_prompt, journal=journal, max_concurrency=_WORKERS
    ):
        done += 1
        seen[int(row.key)] += 1
        if row.cost is None:
            unknown.append(row.key)
        else:
            known += row.cost
        if done % 1000 == 0:
            gc.collect()
            first = first or resident()
            most = max(most, resident())
            tasks = max(tasks, len(asyncio.all_tasks()))
    once = all(count == 1 for count in seen)
    return {
        "grown": (most - first) / _MB,
        "tasks": (tasks - 1) / _WORKERS,
        "once": once,
        "known": str(known),
        "unknown": unknown,
        "resident": most / _MB,
    }


def memory(rows: int) -> list[Figure]:
    """Measure one long run in a process of its own."""
    with Server(Plan(fault_rate=0.02, seed=1)) as server, tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.bulk", "--run", server.base_url, str(rows), folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        found, bill = json.loads(told), server.bill()
    sum_of_all = Decimal(found["known"]) + bill.of(*found["unknown"])
    unknown = len(found["unknown"])
    return [
        at_most("memory grown after 1,000 rows, MB", found["grown"], 16, ".1f"),
        at_most("tasks a worker, langchain-core's included", found["tasks"], 3, ".2f"),
        is_true("every key once", found["once"]),
        Figure(
            f"costs + {unknown:,} rows of unknown cost - bill",
            f"{sum_of_all - bill.total:f} USD of {bill.total:f}",
            "0",
            sum_of_all == bill.total,
        ),
    ]


# --- CPU ---


async def _pool(chain: Any, rows: int) -> None:
    texts = prompts(rows)

    async def work() -> None:
        for text in texts:
            await chain.ainvoke(text)

    await asyncio.gather(*(work() for _ in range(_WORKERS)))


async def _bulk(chain: Any, rows: int, journal: Path) -> None:
    async for _ in abulk(chain, prompts(rows), journal=journal, max_concurrency=_WORKERS):
        pass


async def _measured(work: Callable[[], Awaitable[None]], rows: int) -> float:
    gc.collect()
    began = time.process_time()
    await work()
    return (time.process_time() - began) / rows * 1e6


async def _compare(rows: int, rounds: int) -> tuple[list[float], list[float]]:
    pools, bulks = [], []
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        chain = chain_of(server.base_url)
        await _pool(chain, 500)
        await _bulk(chain, 500, Path(folder) / "warm.db")
        for number in range(rounds):
            journal = Path(folder) / f"{number}.db"
            pools.append(await _measured(partial(_pool, chain, rows), rows))
            bulks.append(await _measured(partial(_bulk, chain, rows, journal), rows))
    return pools, bulks


def cpu(rows: int, rounds: int = 7) -> list[Figure]:
    """Measure the CPU of a row beside a bare pool of workers, round after round."""
    pools, bulks = asyncio.run(_compare(max(500, rows // 10), rounds))
    ratio = statistics.median(b / p for p, b in zip(pools, bulks, strict=True))
    each = f"{statistics.median(bulks):.0f} µs, bare pool {statistics.median(pools):.0f} µs"
    return [at_most(f"CPU a row ({each}), ratio", ratio, 1.1, ".3f")]


# --- Other ways ---


def _model_of(name: str, base_url: str) -> Any:
    if not name.startswith("ChatOpenAI"):
        return ChatOpenRouterO3(base_url=base_url, api_key="any")
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return ChatOpenAI(base_url=base_url, api_key=SecretStr("any"), model="openai/o3-mini")


async def _ask(name: str, chain: Any, rows: int) -> None:
    if name.endswith("abatch"):
        await chain.abatch([*prompts(rows)], {"max_concurrency": _WORKERS}, return_exceptions=True)
    else:
        async for _ in abulk(chain, prompts(rows), max_concurrency=_WORKERS):
            pass


async def run_peer(name: str, base_url: str, rows: int) -> dict[str, float]:
    """Ask for all rows in another way, in this process, and tell what it took."""
    model = _model_of(name, base_url)
    await model.abatch([*prompts(100)])
    gc.collect()
    before, began = resident(), time.process_time()
    await _ask(name, model, rows)
    took = time.process_time() - began
    return {"grown": (resident() - before) / _MB, "cpu": took / rows * 1e6}


async def run_curve(name: str, base_url: str, rows: int) -> list[tuple[int, float]]:
    """Do the same, and tell how memory grows meanwhile."""
    model = _model_of(name, base_url)
    await model.abatch([*prompts(100)])
    gc.collect()
    curve = bulk_plots.Curve(rows, resident)

    async def ask(text: str) -> Any:
        return curve.step(await model.ainvoke(text))

    await _ask(name, RunnableLambda(ask), rows)
    return curve.points


def peers(rows: int) -> list[Figure]:
    """Show what other ways take; nothing is promised of them."""
    figures = []
    for name in ("abulk", "abatch", "ChatOpenAI abatch"):
        with Server() as server:
            command = [sys.executable, "-m", "benchmarks.bulk", "--peer", name, server.base_url]
            told = subprocess.run([*command, str(rows)], stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(told)
        value = f"{found['grown']:.0f} MB, {found['cpu']:.0f} µs a row"
        figures.append(Figure(f"{name}, {rows:,} rows: memory grown, CPU", value, "-", True))  # noqa: FBT003 - it is no target
    return figures


# --- Kills and Ctrl-C ---


def _start(server: Server, journal: Path, rows: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.helpers.bulk_script", server.base_url, str(journal)]
    return subprocess.Popen(
        [*command, str(rows), "abulk"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def kills(rows: int) -> list[Figure]:
    """Kill a run ten times at random moments, and let it end."""
    rows = min(rows, 20_000)
    chance = random.Random(5)  # noqa: S311 - it repeats itself
    with Server(Plan(think=0.005)) as server, tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "run.db"
        for _ in range(10):
            process = _start(server, journal, rows)
            time.sleep(2 + 2 * chance.random())
            process.kill()
            process.communicate()
        done = list(bulk(chain_of(server.base_url), prompts(rows), key=by_prompt, journal=journal))
        twice = sum(server.bill().answers.values()) - rows
    once = sorted(int(row.key) for row in done) == [*range(rows)]
    return [
        is_true("ten kills: each row once", once),
        at_most("ten kills with 20 in flight: rows paid twice", twice, 10 * WORKERS),
    ]


def ctrl_c() -> list[Figure]:
    """Interrupt a run, and measure how long it takes to end."""
    with Server(Plan(think=2)) as server, tempfile.TemporaryDirectory() as folder:
        process = _start(server, Path(folder) / "run.db", 100_000)
        while server.bill().requests < 2 * WORKERS:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        took = time.monotonic() - began
    return [
        at_most("Ctrl-C: seconds to the end", took, 10, ".1f"),
        is_true("Ctrl-C: no traceback", "Traceback" not in err),
    ]


# --- The gate ---


def _flood(plan: Plan, rows: int, workers: int) -> tuple[float, int, int, int]:
    with Server(plan) as server:
        model = ChatOpenRouterO3(base_url=server.base_url, api_key="any")
        began = time.monotonic()
        failed = sum(not row.ok for row in bulk(model, prompts(rows), max_concurrency=workers))
        took = time.monotonic() - began
        bill = server.bill()
    return took, failed, bill.refused, bill.requests


def storm(rows: int) -> list[Figure]:
    """Let a server refuse everything for five seconds, without a word on when it ends."""
    rows = max(5000, min(rows, 20_000))
    _, failed, refused, _ = _flood(Plan(storm_after=rows // 3, think=0.02), rows, 200)
    return [
        at_most("storm of 429, 200 at once: failed rows", failed, 0),
        at_most("storm of 429: useless requests a row", refused / rows, 0.05, ".1%"),
    ]


def limit(rows: int) -> list[Figure]:
    """Use a server that takes 200 requests in each second."""
    rows = max(2000, min(rows, 6000))
    took, failed, refused, _ = _flood(Plan(per_second=200, think=0.02), rows, 200)
    return [
        at_most("200 a second: failed rows", failed, 0),
        at_most("200 a second: wall / ideal", took / (rows / 200), 1.3, ".2f"),
        at_most("200 a second: useless requests a row", refused / rows, 0.1, ".1%"),
    ]


def main() -> int:
    """Measure, and print a table; the exit status is 1 if a target is missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.bulk", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=5000, help="of the long run (100,000 on demand)"
    )
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--curve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--plot", action="store_true", help="draw docs/assets/bulk-*.svg instead")
    names = ["memory", "cpu", "peers", "kills", "ctrl-c", "storm", "limit"]
    parser.add_argument("part", nargs="*", help=f"some of {', '.join(names)}; all if none")
    given = parser.parse_args()
    if given.run:
        base_url, rows, folder = given.run
        found = asyncio.run(run_all(base_url, int(rows), str(Path(folder) / "run.db")))
        print(json.dumps(found))
        return 0
    ways: list[tuple[Callable[..., Any], Any]] = [(run_peer, given.peer), (run_curve, given.curve)]
    for run, told in ways:
        if told:
            name, base_url, rows = told
            print(json.dumps(asyncio.run(run(name, base_url, int(rows)))))
            return 0
    if given.plot:
        print(*bulk_plots.draw(given.rows), sep="\n")
        return 0
    parts: dict[str, Callable[[], list[Figure]]] = {
        "memory": lambda: memory(given.rows),
        "cpu": lambda: cpu(given.rows),
        "peers": lambda: peers(given.rows),
        "kills": lambda: kills(given.rows),
        "ctrl-c": ctrl_c,
        "storm": lambda: storm(given.rows),
        "limit": lambda: limit(given.rows),
    }
    is_met = True
    for name in given.part or names:
        for figure in parts[name]():
            mark = "" if figure.is_met else "  MISSED"
            print(
                f"{figure.name:60} {figure.value:>24}  (at most {figure.target}){mark}", flush=True
            )
            is_met = is_met and figure.is_met
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
