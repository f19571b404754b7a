"""`python -m benchmarks.batch`: what docs/batches.md promises of batches, measured.

Each figure is printed beside its target. The emulator is in this process, clients are in others:
one submits 50,000 rows and is killed at 20 random moments, another one collects them.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bulk import Figure, at_most, is_true, resident
from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.batch import BatchJob, submission, submit_batch
from langchain_openrouter_o3.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

_MB = 1024 * 1024
_FILLER = "Ada was born in 1815. " * 190  # 4 kB
_BATCH, _KILLS, _WARM = 5_000, 20, 1_000


def model_of(base_url: str) -> ChatOpenRouterO3:
    """Return a model that talks to the emulator."""
    return ChatOpenRouterO3(base_url=base_url, api_key="any", max_tokens=4_000)


def rows(count: int) -> Iterator[dict[str, str]]:
    """Make rows of 4 kB as they are read."""
    return ({"id": str(n), "text": f"{_FILLER}\nWhat is {n} + 1000?"} for n in range(count))


def chain_of(base_url: str) -> Any:
    """Return a chain of one call."""
    from langchain_core.prompts import ChatPromptTemplate

    prompt = ChatPromptTemplate.from_messages([("user", "{text}")])
    return prompt | model_of(base_url)


def submit(base_url: str, store: str, count: int) -> dict[str, float]:
    """Submit all rows in this process, and tell how much memory that took."""
    submission.LOOKS, submission.GRACE = (0.0, 0.5), 0.5  # the emulator's list does not lag
    chain = chain_of(base_url)
    chain.invoke({"text": "echo warm"})
    most, before = 0, 0

    def watched() -> Iterator[dict[str, str]]:
        nonlocal most, before
        for number, row in enumerate(rows(count)):
            if number == _WARM:
                gc.collect()
                before = resident()
            if number % 1_000 == 0:
                most = max(most, resident())
            yield row

    began = time.process_time()
    submit_batch(chain, watched(), key="id", store=store)
    took = time.process_time() - began
    peak = max(most, _peak())
    return {"grown": (peak - before) / _MB, "cpu": took / count * 1e6}


def _peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(each for each in status if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def collect(base_url: str, store: str, count: int) -> dict[str, Any]:
    """Wait for all rows in this process, and check them."""
    job: BatchJob[Any] = BatchJob(store, chain_of(base_url))
    job.wait(poll=(0.1, 0.5))
    seen = bytearray(count)
    began, first, most, cost = time.process_time(), 0, 0, Decimal(0)
    for number, row in enumerate(job.results()):
        said = row.value.text if row.value is not None else ""
        seen[int(row.key)] += f"= {int(row.key) + 1000}." in said
        cost += row.known_cost
        if number % 1_000 == 0:
            first = first or resident()
            most = max(most, resident())
    took = time.process_time() - began
    once = all(each == 1 for each in seen)
    return {
        "once": once,
        "cost": str(cost),
        "cpu": took / count * 1e6,
        "grown": (most - first) / _MB,
    }


def _start(part: str, base_url: str, store: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.batch", "--part", part, base_url, str(store)]
    return subprocess.Popen([*command, str(count)], stdout=subprocess.PIPE, text=True)


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    found: dict[str, Any] = json.loads(out)
    return found


def memory(count: int, base_url: str, folder: Path) -> list[Figure]:
    """Submit without kills, and measure memory and CPU."""
    found = _told(_start("submit", base_url, folder / "memory.db", count))
    each = f"{found['cpu']:.0f} µs of CPU a row"
    return [at_most(f"submitting rows of 4 kB ({each}): memory, MB", found["grown"], 64, ".1f")]


def kills(count: int, emulator: Emulator, folder: Path) -> list[Figure]:
    """Submit in a process that is killed at 20 random moments, and collect in another one."""
    chance = random.Random(7)  # noqa: S311 - it repeats itself
    store, kills, before = folder / "kills.db", 0, len(emulator.batches.stored)
    began = time.monotonic()
    while True:
        process = _start("submit", emulator.base_url, store, count)
        if kills < _KILLS:
            try:
                process.wait(timeout=1 + chance.random() * count / 6_000)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                continue
        found = _told(process)
        break
    submitted = time.monotonic() - began
    found = _told(_start("collect", emulator.base_url, store, count))
    stored = emulator.batches.stored[before:]
    names = [name for batch in stored for name in batch.custom_ids]
    bill = sum(batch.cost for batch in stored)
    return [
        Figure(
            "times that the submitting process was killed", str(kills), str(_KILLS), is_met=True
        ),
        at_most("batches", len(stored), -(-count // _BATCH)),
        at_most("requests submitted twice", len(names) - len({*names}), 0),
        is_true("every key once, with its own answer", found["once"]),
        Figure(
            "costs of rows - bill",
            f"{found['cost']} - {bill}",
            "0",
            float(bill) == float(found["cost"]),
        ),
        at_most(
            f"results ({found['cpu']:.0f} µs of CPU a row): memory grown, MB",
            found["grown"],
            64,
            ".1f",
        ),
        Figure("seconds of submitting, kills included", f"{submitted:.0f}", "-", is_met=True),
    ]


def main() -> int:
    """Measure, and print a table; the exit status is 1 if a target is missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("measured", nargs="*", help="memory, kills; both if none")
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        part, base_url, store, count = given.part
        work = {"submit": submit, "collect": collect}[part]
        print(json.dumps(work(base_url, store, int(count))))
        return 0
    with Emulator() as emulator, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: list[Figure] = []
        if "kills" not in given.measured or "memory" in given.measured:
            figures += memory(given.rows, emulator.base_url, folder)
            emulator.reset()
        if "memory" not in given.measured or "kills" in given.measured:
            figures += kills(given.rows, emulator, folder)
    for figure in figures:
        mark = "" if figure.is_met else "  MISSED"
        print(f"{figure.name:66} {figure.value:>24}  (at most {figure.target}){mark}", flush=True)
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
