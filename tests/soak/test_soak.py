"""The soak test, short: a thousand requests that are the same in every run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.soak.fault_kinds import DOOR_KINDS, KINDS
from tests.soak.oracle import promise
from tests.soak.plan import plan

ROOT = Path(__file__).parents[2]
SEED, RATE, CALLS = 7, 0.4, 1_100
PATIENCE = 300
"""Seconds; only a run that hangs takes so long."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of a run in a process of its own, which must end well and in silence."""
    file = tmp_path_factory.mktemp("soak") / "figures.json"
    options = {"calls": CALLS, "fault-rate": RATE, "seed": SEED, "rounds": 3, "json": file}
    named = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.soak", "--threads=8", "--tasks=60", *named]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    figures: dict[str, Any] = json.loads(file.read_text())
    return figures


def test_nothing_is_lost_among_a_thousand_requests(report: dict[str, Any]) -> None:
    assert report["losses"] == dict.fromkeys(report["losses"], 0)
    assert len(report["losses"]) == 8
    assert report["calls"] >= CALLS
    assert report["attempts"] >= 1_000


def test_every_kind_of_fault_is_met(report: dict[str, Any]) -> None:
    assert {*KINDS, *DOOR_KINDS} - report["faults"].keys() == set()


def test_callers_end_in_every_way(report: dict[str, Any]) -> None:
    assert {"answer", "closed", "cancelled"} <= report["endings"].keys()
    timeouts = {"OpenRouterIdleTimeoutError", "OpenRouterTotalTimeoutError"}
    assert timeouts <= report["endings"].keys()


def test_nothing_is_left_behind(report: dict[str, Any]) -> None:
    before, after = report["before"], report["after"]
    assert (after["files"], after["threads"]) == (before["files"], before["threads"])


def test_the_plan_of_a_call_depends_on_its_number_alone() -> None:
    backwards = [plan(SEED, RATE, number) for number in reversed(range(300))]
    assert [plan(SEED, RATE, number) for number in range(300)] == backwards[::-1]


def test_the_policy_is_put_to_the_test() -> None:
    planned = [plan(SEED, RATE, number) for number in range(CALLS)]
    attempts = [promise(call).attempts for call in planned if call.caller != "door"]
    assert {*attempts} == {1, 2, 3, 4}


def test_nothing_is_lost_while_the_server_crashes() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.soak.crashes",
        "--seconds=8",
        "--threads=4",
        "--tasks=20",
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "0 losses" in done.stdout
    for ending in ("whole", "left", "OpenRouterConnectionError", "OpenRouterTotalTimeoutError"):
        assert ending in done.stdout
