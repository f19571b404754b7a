"""What a run tells while it goes on."""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3.bulk import Progress, bulk, progress
from langchain_openrouter_o3.bulk.progress import line_of
from langchain_openrouter_o3.emulator import faults
from tests.helpers.bulk import WAYS
from tests.helpers.commands import Screen

if TYPE_CHECKING:
    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_LIVE_SECONDS", 0.05)


def test_a_function_is_told(run: Any, model: ChatOpenRouterO3, emulator: Emulator) -> None:
    emulator.disturb(lambda request: faults.status(400) if b"row-7" in request.raw else None)
    told: list[tuple[int, int, int]] = []

    def tell(now: Progress) -> None:
        told.append((now.done, now.failed, now.in_flight))

    rows = run(model, [f"echo row-{n}" for n in range(40)], progress=tell, max_concurrency=2)
    assert len(rows) == 40
    assert told == sorted(told, key=lambda each: each[:2])
    assert told[-1] == (40, 1, 0)


def test_plain_lines_are_written(
    run: Any, model: ChatOpenRouterO3, capsys: pytest.CaptureFixture[str], emulator: Emulator
) -> None:
    emulator.disturb(lambda _: faults.stall(0.03))
    run(model, [f"echo row-{n}" for n in range(20)], progress=True, max_concurrency=2)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert lines[-1].startswith("20 of 20 rows, ")
    assert "USD" in lines[-1]


def test_a_line_moves_on_a_terminal(
    model: ChatOpenRouterO3, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.disturb(lambda _: faults.stall(0.03))
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = bulk(model, (f"echo row-{n}" for n in range(20)), progress=True, max_concurrency=2)
    assert len(list(rows)) == 20
    assert "20 rows, " in screen.getvalue()


def _progress(**figures: Any) -> Progress:
    return Progress(**{"started": time.monotonic() - 100, **figures})


@pytest.mark.parametrize(
    ("figures", "texts"),
    [
        ({}, ["0 rows, 0.0/s, 0.0000 USD"]),
        ({"total": 1000, "done": 100}, ["100 of 1,000 rows, 1.0/s, 15 min left"]),
        ({"total": 110, "done": 100}, ["10 s left"]),
        ({"total": 10_000, "done": 100}, ["2.8 h left"]),
        (
            {"total": 300, "done": 200, "from_journal": 100, "cost": Decimal(2)},
            ["1.0/s", "2.0000 USD (4.0000 USD in all)", "100 from the journal"],
        ),
        ({"lost": 20}, ["up to 20 lost by kills"]),
        ({"unknown": 3}, ["0.0000 USD + 3 rows of unknown cost"]),
    ],
)
def test_a_line_tells_what_is_known(figures: Any, texts: list[str]) -> None:
    line = line_of(_progress(**figures))
    assert all(text in line for text in texts), line


def test_errors_are_told_by_class() -> None:
    now = _progress(failed=3)
    now.errors.update({"ValueError": 1, "OpenRouterAPIError": 2})
    assert "3 failed (2 OpenRouterAPIError, 1 ValueError)" in line_of(now)
