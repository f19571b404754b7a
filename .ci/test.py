"""Run the tests: `python3 .ci/test.py` (or with pytest's own arguments).

Without arguments they run in two parts, and the branches that the first one takes are measured.

`--lowest` runs them with the oldest supported versions of the runtime packages, `--newest` with
whatever the package index has today, the group `ecosystem` included, and tells which versions those
are.
"""

from __future__ import annotations

import os
import sys

from environment import ROOT, python_with, run, typed_command

WORKERS = "3"  # on two cores: some tests wait
TESTS_FAILED = 1  # pytest's exit code
COVERED = ["--cov", "--cov-branch", "--cov-report=term", "--cov-fail-under=100"]
NOT_MEASURED = [
    "tests/agents",
    "tests/clients",
    "tests/differential",
    "tests/docs",
    "tests/emulator",
    "tests/fuzz",
    "tests/pains",
    "tests/replay",
    "tests/soak",
    "tests/cli/test_documentation.py",
    "tests/properties/test_schema.py",
    "tests/properties/test_schema_round_trip.py",
]
"""Tests that take no branch of the client that others do not, but often: measured, they take 2.6
times as long."""
PARTS = [[*COVERED, *(f"--ignore={each}" for each in NOT_MEASURED)], NOT_MEASURED]

if __name__ == "__main__":
    arguments = sys.argv[1:]
    typed = typed_command()
    if "--lowest" in arguments:
        arguments.remove("--lowest")
        typed += " --lowest"
        lowest = ROOT / "tests" / "constraints-lowest.txt"
        python = python_with("test", constraints=lowest, name=".venv-lowest")
    elif "--newest" in arguments:
        arguments.remove("--newest")
        typed += " --newest"
        python = python_with("ecosystem", constraints=None, name=".venv-newest")
        run([str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format=freeze"])
    else:
        python = python_with("test")
    os.chdir(ROOT)
    pytest = [str(python), "-m", "pytest", "-n", WORKERS, "--dist", "worksteal"]
    codes: list[int] = []
    for part in [arguments] if arguments else PARTS:
        codes.append(run([*pytest, *part]))
        if codes[-1] not in (0, TESTS_FAILED):
            break
    if TESTS_FAILED in codes:
        print(f"To run those again that failed: {typed} --last-failed", file=sys.stderr)
    sys.exit(next(filter(None, codes), 0))
