"""`python -m benchmarks.guard`: fail if the client became much slower than it was.

Ours against the floor only, in under a minute. The limits in `guard.json` are ratios, twice what
was measured when they were set, so that a noisy machine does not fail and a slip does. What is slow
is measured again, with more rounds: noise passes, a slip is slow twice.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Figure, Row
from benchmarks.rounds import InvalidRunError, run
from benchmarks.scenarios import select

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMITS = Path(__file__).with_name("guard.json")
ROUNDS, ROUNDS_AGAIN = 3, 7


def main() -> None:
    """Run as a program."""
    limits: dict[str, float] = json.loads(LIMITS.read_text(encoding="utf-8"))
    try:
        slow = _find_slow(limits, limits, ROUNDS)
        if slow:
            print(f"Again: {', '.join(slow)}")
            slow = _find_slow(limits, slow, ROUNDS_AGAIN)
    except InvalidRunError as error:
        sys.exit(f"The run is void: {error}")
    if slow:
        sys.exit(f"Slower than allowed: {', '.join(slow)}")


def _find_slow(limits: dict[str, float], names: Iterable[str], rounds: int) -> list[str]:
    """Measure scenarios, print their figures, and return the names of those beyond their limit."""
    slow: list[str] = []
    for saved in run(select(list(names)), ["ours"], rounds=rounds)["rows"]:
        row = Row(saved)
        figure, limit = row.figure("ours"), limits[row.scenario.name]
        if not isinstance(figure, Figure) or figure.ratio is None or figure.ratio > limit:
            slow.append(row.scenario.name)
        said = figure if isinstance(figure, str) else f"{figure.ratio or 0:.2f}"
        print(f"{row.scenario.name:18} {said:>6} times the floor, at most {limit:g}")
    return slow


if __name__ == "__main__":
    main()
