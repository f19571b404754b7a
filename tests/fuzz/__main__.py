"""Fuzz a target, replay an input, or shrink a corpus.

    pip install -e . --group fuzz
    python -m tests.fuzz sse --seconds 300     # new inputs go to tests/fuzz/finds/sse
    python -m tests.fuzz sse --keep            # … straight into the corpus
    python -m tests.fuzz sse FILE              # replay a reproduction; needs no atheris
    python -m tests.fuzz sse --minimise        # corpus and finds become the smallest corpus

libFuzzer reports on the way: `cov` and `ft` are edges and features of this package alone,
`corp` the inputs worth keeping; at the end come executions, speed and new inputs. An input that
breaks a promise is written to tests/fuzz/crashes/ with its traceback on the screen, and ends
the run. Under a name that says what it is, it goes to tests/fuzz/regressions/ once
that is mended.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import seeds

HERE = Path(__file__).parent
CORPUS, FINDS, CRASHES = (HERE / name for name in ("corpus", "finds", "crashes"))
REGRESSIONS = HERE / "regressions"
NAMES = sorted(folder.name for folder in CORPUS.iterdir())
MAX_BYTES = 4096
_LIMITS = [f"-max_len={MAX_BYTES}", "-timeout=10", "-rss_limit_mb=2048"]
_MERGE = ["-set_cover_merge=1", "-use_counters=0"]


def main() -> int:
    """Do what the command line says and return the exit status."""
    options = _parse()
    if options.file:
        from tests.fuzz.targets import TARGETS

        for file in options.file:
            TARGETS[options.target](file.read_bytes())
            print(f"{file}: every promise is kept")  # noqa: T201 - a command line prints
        return 0
    if options.minimise:
        return _minimise(options.target)
    return _fuzz(options.target, options.seconds, keep=options.keep)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("file", type=Path, nargs="*", help="replay these instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--keep", action="store_true", help="add new inputs to the corpus")
    parser.add_argument("--minimise", action="store_true", help="merge the finds into the corpus")
    return parser.parse_args()


def _fuzz(target: str, seconds: int, *, keep: bool) -> int:
    folders = [CORPUS / target] if keep else [FINDS / target, CORPUS / target]
    crashes = CRASHES / target
    for folder in (*folders, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for data in seeds().get(target, ()):
        (folders[0] / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return _engine(
        target,
        f"-max_total_time={seconds}",
        "-print_final_stats=1",
        f"-dict={HERE / 'tokens.dict'}",
        f"-artifact_prefix={crashes}{os.sep}",
        *map(str, folders),
    )


def _minimise(target: str) -> int:
    """Let libFuzzer choose few and small inputs that reach the same edges.

    How often an edge is reached does not count here, which keeps the corpus small.
    """
    corpus, finds, smallest = CORPUS / target, FINDS / target, FINDS / f"{target}-smallest"
    for folder in (smallest, finds):
        folder.mkdir(parents=True, exist_ok=True)
    status = _engine(target, *_MERGE, *map(str, (smallest, corpus, finds)))
    if status == 0 and any(smallest.iterdir()):
        shutil.rmtree(corpus)
        shutil.rmtree(finds)
        smallest.rename(corpus)
    return status


def _engine(target: str, *flags: str) -> int:
    command = [sys.executable, "-m", "tests.fuzz.engine", target, *_LIMITS, *flags]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
