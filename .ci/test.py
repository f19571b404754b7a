"""Run the tests: `python3 .ci/test.py` (or with pytest's own arguments).

`--lowest` runs them with the oldest supported versions of the runtime packages, `--newest` with
whatever the package index has today, and tells which versions those are.
"""

from __future__ import annotations

import os
import sys

from environment import ROOT, python_with, run, typed_command

WORKERS = "3"  # on two cores: some tests wait
TESTS_FAILED = 1  # pytest's exit code
COVERED = ["--cov", "--cov-branch", "--cov-report=term", "--cov-fail-under=100"]
BRIEF = ["-rfE"]  # `-rs` lists what was skipped, which the last line counts

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
        python = python_with("test", constraints=None, name=".venv-newest")
        run([str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format=freeze"])
    else:
        python = python_with("test")
    os.chdir(ROOT)
    code = run([str(python), "-m", "pytest", "-n", WORKERS, *(arguments or [*BRIEF, *COVERED])])
    if code == TESTS_FAILED:
        print(f"To run those again that failed: {typed} --last-failed", file=sys.stderr)
    sys.exit(code)
