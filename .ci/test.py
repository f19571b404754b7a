"""Run the tests: `python3 .ci/test.py` (or with pytest's own arguments).

`--lowest` runs them with the oldest supported versions of the runtime packages, `--newest` with
whatever the package index has today, and tells which versions those are.
"""

from __future__ import annotations

import sys

from environment import ROOT, python_with, run

WORKERS = "3"  # on two cores: some tests wait
COVERED = ["--cov", "--cov-branch", "--cov-report=term", "--cov-fail-under=100"]
BRIEF = ["-rfE"]  # `-rs` lists what was skipped, which the last line counts

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--lowest" in arguments:
        arguments.remove("--lowest")
        lowest = ROOT / "tests" / "constraints-lowest.txt"
        python = python_with("test", constraints=lowest, name=".venv-lowest")
    elif "--newest" in arguments:
        arguments.remove("--newest")
        python = python_with("test", constraints=None, name=".venv-newest")
        run([str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format=freeze"])
    else:
        python = python_with("test")
    sys.exit(run([str(python), "-m", "pytest", "-n", WORKERS, *(arguments or [*BRIEF, *COVERED])]))
