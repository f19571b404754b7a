"""`python -m benchmarks`: measure and print a table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report, rounds
from benchmarks.contestants import CLIENTS
from benchmarks.scenarios import select

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="name or beginning of a name; all if none")
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("--rounds", type=int, help="samples per contestant")
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=[*CLIENTS, "floor"],
        default=list(CLIENTS),
        help="whom to measure; the floor always is",
    )
    parser.add_argument("--events-per-chunk", type=int, default=1, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save all samples")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a program."""
    options = read_arguments(arguments)
    try:
        scenarios = select(options.scenario)
    except KeyError as error:
        sys.exit(f"No scenario is called {error}; see --list.")
    if options.list:
        for scenario in scenarios:
            print(f"{scenario.name:18} {scenario.title}")
        return
    clients = [name for name in CLIENTS if name in options.contestants]

    def watch(row: dict[str, Any]) -> None:
        print(f"{row['name']} done", file=sys.stderr, flush=True)

    try:
        run = rounds.run(
            scenarios,
            clients,
            rounds=options.rounds,
            conditions=rounds.Conditions(options.events_per_chunk),
            watch=watch,
        )
    except rounds.InvalidRunError as error:
        sys.exit(f"The run is void: {error}")
    if options.json:
        options.json.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    print(report.table(run))


if __name__ == "__main__":
    main()
