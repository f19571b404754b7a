"""`python -m benchmarks.hotspots SCENARIO`: where the time of one contestant goes.

A profiler makes small functions look dearer than they are: use it to find suspects, and the
benchmark itself to judge a change.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.contestants import CLIENTS, FLOOR, Subject
from benchmarks.processes import Server
from benchmarks.scenarios import select
from benchmarks.worker import make_sampler

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotspots", description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--contestant", choices=[*CLIENTS, *FLOOR], default="ours")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--sort", default="tottime", help="a key of pstats, such as cumtime")
    options = parser.parse_args(arguments)
    (scenario,) = select([options.scenario])
    server_core, client_core = machine.cores()
    os.environ |= machine.environment()
    with Server(1, server_core) as origin:
        machine.settle_on(client_core)
        sampler = make_sampler(Subject(options.contestant, origin), scenario)
        sampler()
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(options.samples):
            sampler()
        profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats(options.sort).print_stats(options.lines)


if __name__ == "__main__":
    main()
