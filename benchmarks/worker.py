"""The process of one contestant: takes the name of a scenario, gives one sample, waits.

Between samples it does nothing, so that the contestants can take turns on one core. Standard
input ends when the run ends, and so does this process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.checks import WrongAnswerError
from benchmarks.contestants import Subject
from benchmarks.samples import COUNTER, PROGRESS, Sample
from benchmarks.scenarios import Scenario, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType


def say(**reply: Any) -> None:
    """Send a reply."""
    print(json.dumps(reply), flush=True)


def give_up(_signal: int, _frame: FrameType | None) -> None:
    """End a sample that takes too long; whatever it waits for, the process ends with it."""
    say(unfinished=[PROGRESS.done, PROGRESS.total])
    os._exit(1)


def _limit(seconds: float) -> None:
    if hasattr(signal, "setitimer"):  # POSIX only; elsewhere the run itself stops the process
        signal.setitimer(signal.ITIMER_REAL, seconds)


def report_failure(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Say in one line what ended the process; the traceback goes to standard error."""
    words = str(error).splitlines()
    failed = {"failed": f"{kind.__name__}: {words[0][:120] if words else ''}"}
    wrong = {"wrong": str(error)}
    say(**(wrong if isinstance(error, WrongAnswerError) else failed))
    sys.__excepthook__(kind, error, traceback)


def make_sampler(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Make what takes the samples of a scenario."""
    module, function = scenario.make.split(":")
    make = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    sampler: Callable[[], Sample] = make(subject, scenario)
    return sampler


def take_orders(subject: Subject) -> None:
    """Give a sample for each line of standard input."""
    samplers: dict[str, Callable[[], Sample]] = {}
    for line in sys.stdin:
        (scenario,) = select([line.strip()])
        PROGRESS.start(0)
        _limit(scenario.seconds)
        if scenario.name not in samplers:
            samplers.clear()  # the clients of the scenario before
            samplers[scenario.name] = make_sampler(subject, scenario)
        _limit(scenario.seconds)  # again: imports and warm-ups are not part of a sample
        sample = samplers[scenario.name]()
        _limit(0)
        say(sample=asdict(sample))


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="The process of one contestant.")
    parser.add_argument("name")
    parser.add_argument("origin")
    parser.add_argument("--core", type=int)
    parser.add_argument("--count-calls", action="store_true", help="instead of the time")
    options = parser.parse_args()
    machine.settle_on(options.core)
    COUNTER.wanted = options.count_calls
    sys.excepthook = report_failure
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, give_up)
    take_orders(Subject(options.name, options.origin))


if __name__ == "__main__":
    main()
