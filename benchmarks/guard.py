"""`python -m benchmarks.guard`: fail if the client does much more than it did.

Ours against the floor only, in a minute. It counts the functions that are called, whose
number no other program and no slow hour changes; an import is timed, since it has a process of its
own. The limits in `guard.json` are ratios: an eighth above what was counted when they were set,
twice what was timed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Figure, Row
from benchmarks.rounds import Conditions, InvalidRunError, run
from benchmarks.scenarios import select

if TYPE_CHECKING:
    from benchmarks.scenarios import Measure, Scenario

COUNTED = Conditions(count_calls=True)
LIMITS = Path(__file__).with_name("guard.json")


def main() -> None:
    """Run as a program."""
    limits: dict[str, float] = json.loads(LIMITS.read_text(encoding="utf-8"))
    try:
        rows = run(select(list(limits)), ["ours"], rounds=3, conditions=COUNTED)["rows"]
    except InvalidRunError as error:
        sys.exit(f"The run is void: {error}")
    beyond = [saved["name"] for saved in rows if not _report(saved, limits[saved["name"]])]
    if beyond:
        sys.exit(f"More than allowed: {', '.join(beyond)}")


def _report(saved: dict[str, Any], limit: float) -> bool:
    """Print a figure beside its limit, and return whether it keeps it."""
    (scenario,) = select([saved["name"]])
    measure = _find_measure(scenario)
    figure = Row(saved, measure).figure("ours")
    ratio = figure.ratio if isinstance(figure, Figure) else None
    said = str(figure) if ratio is None else f"{ratio:.3f} times the floor, at most {limit:g}"
    print(f"{scenario.name:18} {measure:6} {said}")
    return ratio is not None and ratio <= limit


def _find_measure(scenario: Scenario) -> Measure:
    in_a_worker = not scenario.make.startswith("probe:")
    return "calls" if in_a_worker and scenario.measure == "cpu" else scenario.measure


if __name__ == "__main__":
    main()
