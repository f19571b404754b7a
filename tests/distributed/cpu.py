"""`python -m tests.distributed.cpu`: the CPU of a row in an actor of Ray Data, beside `abulk`'s.

Needs tests/constraints-distributed.txt (docs/distributed.md says how to install it). An actor's CPU
is that of its whole process while it works on a batch, Ray's threads and Arrow included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import abulk
from langchain_openrouter_o3.ray import Invoke, InvokeActor
from tests.helpers.bulk import Person
from tests.helpers.bulk_server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1.3
_WORKERS = 50
_BATCHES = 4


def make_chain() -> Any:
    """Make the chain: in an actor, or here."""
    return itemgetter("text") | ChatOpenRouterO3().with_structured_output(Person)


class MeteredActor(InvokeActor):
    """An actor that tells how much CPU each batch took."""

    def __call__(self, batch: Any) -> Any:
        """Work on a batch, and return one row: its CPU in microseconds a row."""
        began = time.process_time()
        result = super().__call__(batch)
        took = (time.process_time() - began) / len(result) * 1e6
        return {"cpu": [took]}


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Make rows as they are read."""
    return ({"id": number, "text": f"Tell row-{number}"} for number in range(count))


async def in_this_process(count: int, journal: Path) -> float:
    """Return the CPU of a row with `abulk`, in microseconds."""
    began = time.process_time()
    async for _ in abulk(
        make_chain(), rows(count), key="id", journal=journal, max_concurrency=_WORKERS
    ):
        pass
    return (time.process_time() - began) / count * 1e6


def in_an_actor(count: int, journal: Path) -> float:
    """Return the CPU of a row in Ray Data, in microseconds, without the dearest (first) batch."""
    import ray

    work = Invoke(make_chain, key="id", journal=journal, max_concurrency=_WORKERS, schema=Person)
    size = count // _BATCHES
    data = ray.data.from_items([*rows(count + size)], override_num_blocks=_BATCHES + 1)
    told = data.map_batches(**{**work.for_ray(batch_size=size), "fn": MeteredActor}).take_all()
    cheapest: list[float] = sorted(each["cpu"] for each in told)[:-1]
    return statistics.mean(cheapest)


def main() -> None:
    """Print the figure beside its target; exit with 1 if it is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.distributed.cpu")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "OPENROUTER_API_KEY": "any"}
    import ray

    ratios, actors, alone = [], [], []
    with Server() as server, tempfile.TemporaryDirectory(prefix="o3-") as folder:
        os.environ["OPENROUTER_API_BASE"] = server.base_url
        ray.init(
            num_cpus=2, include_dashboard=False, _temp_dir=f"{folder}/ray", log_to_driver=False
        )
        asyncio.run(in_this_process(500, Path(folder) / "warm.db"))
        for number in range(options.rounds):
            here = Path(folder) / f"{number}.db"
            alone.append(asyncio.run(in_this_process(options.rows, here)))
            actors.append(in_an_actor(options.rows, Path(folder) / f"shared{number}"))
            ratios.append(actors[-1] / alone[-1])
        ray.shutdown()
    ratio = statistics.median(ratios)
    each = f"{statistics.median(actors):.0f} µs, abulk {statistics.median(alone):.0f} µs"
    sys.stdout.write(f"CPU a row in Ray ({each}), ratio: {ratio:.2f} (at most {LIMIT})\n")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
