"""Run the soak test and print its figures; the exit status is 1 if anything was lost."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.soak.run import Options, run


def main() -> int:
    """Do what the command line says and return the exit status."""
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__)
    default = Options()
    parser.add_argument("--seconds", type=float, help="how long to call (default: see --calls)")
    parser.add_argument(
        "--calls", type=int, default=default.calls, help="how many, without --seconds"
    )
    parser.add_argument("--threads", type=int, default=default.threads, help="blocking callers")
    parser.add_argument("--tasks", type=int, default=default.tasks, help="tasks on the main loop")
    parser.add_argument("--fault-rate", type=float, default=default.fault_rate, help="0 to 1")
    parser.add_argument("--seed", type=int, default=default.seed, help="the same calls and faults")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="measured in between")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = vars(parser.parse_args())
    file = arguments.pop("json")
    report = run(Options(**arguments), say=lambda line: print(line, flush=True))  # noqa: T201 - a command line prints
    print(*report.lines(), sep="\n")  # noqa: T201 - same
    if file is not None:
        file.write_text(report.to_json())
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
