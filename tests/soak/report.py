"""The figures of a run."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.soak.checks import DOUBLED, LOSSES, WRONG_ANSWER, Loss, Traces, check_attempts
from tests.soak.fault_kinds import CLOSED, TLS
from tests.soak.plan import plan
from tests.soak.server import Counts

MOST_EXAMPLES = 20


@dataclass
class Report:
    """All figures; `losses` are all zero after a good run.

    Attributes:
        options: Of the command line.
        machine: What it ran on.
        seconds: How long all rounds took.
        calls: How many were asked.
        attempts: How many requests the server saw.
        faults: How often each kind was met.
        endings: How calls ended: with an answer, closed, cancelled, or the class of the error.
        losses: How many of each kind.
        examples: The first losses in words.
        server_log: How often each line stands in the emulator's log, which says nothing about
            the client.
        before: Traces before the first round.
        middle: Traces after half of the rounds.
        after: Traces after the last round.
        most_files: Files that were open at once, beyond those of before.
    """

    options: dict[str, Any]
    machine: dict[str, Any]
    seconds: float
    calls: int
    attempts: int
    faults: dict[str, int]
    endings: dict[str, int]
    losses: dict[str, int]
    before: Traces
    middle: Traces
    after: Traces
    most_files: int
    examples: list[str] = field(default_factory=list)
    server_log: dict[str, int] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost."""
        return not any(self.losses.values())

    def to_json(self) -> str:
        """Write everything."""
        traces = {name: getattr(self, name)._asdict() for name in ("before", "middle", "after")}
        return json.dumps({**asdict(self), **traces}, indent=2)

    def lines(self) -> Iterable[str]:
        """Write what a person wants to know."""
        yield f"{self.calls:,} calls, {self.attempts:,} attempts in {self.seconds:.0f} s"
        for title in ("endings", "faults", "losses"):
            yield f"{title}:"
            found = sorted(getattr(self, title).items(), key=lambda item: (-item[1], item[0]))
            yield from (f"  {count:7,}  {name}" for name, count in found)
        yield "traces (files, threads, bytes of Python's objects, resident bytes):"
        for name in ("before", "middle", "after"):
            yield f"  {name:7} {'  '.join(f'{value:,}' for value in getattr(self, name))}"
        yield f"files open at once, beyond those before: {self.most_files}"
        yield from self.examples


def audit(
    seed: int, rate: float, book: Iterable[str], counts: Counts
) -> tuple[int, Counter[str], list[Loss]]:
    """Compare the book of all calls with what the server counted.

    Returns:
        How many calls there were, the faults that they met, and what is wrong.
    """
    losses: list[Loss] = []
    faults = Counter(counts.faults)
    ids: Counter[str] = Counter()
    unknown = dict(counts.attempts)
    calls = 0
    for line in book:
        number, ended, identity = line.split()
        call = plan(seed, rate, int(number))
        calls += 1
        losses += check_attempts(call, unknown.pop(call.number, 0))
        faults.update(kind for kind in call.kinds if kind in {CLOSED, TLS})
        if ended == "answer":
            ids[identity] += 1
    losses += [(DOUBLED, f"{count} calls got {name}") for name, count in ids.items() if count > 1]
    strays = counts.strays + len(unknown)
    losses += [(WRONG_ANSWER, f"{strays} requests of nobody")] if strays else []
    return calls, faults, losses


def count_losses(losses: Iterable[Loss]) -> dict[str, int]:
    """Count the losses of each kind, also those that did not happen."""
    found = Counter(kind for kind, _ in losses)
    return {kind: found[kind] for kind in LOSSES}


def machine() -> dict[str, Any]:
    """Say what this runs on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "processors": os.cpu_count(),
    }
