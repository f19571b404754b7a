"""The pictures of docs/bulk.md: memory over rows, and rows over the seconds of a storm of 429.

`python -m benchmarks.bulk --plot` measures and draws them.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import bulk
from tests.helpers.bulk_server import Plan, Server

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "assets"
WAYS = {"abulk": "#0b8a83", "abatch": "#9a8fd1", "ChatOpenAI abatch": "#d17b0f"}
GATES = {True: ("with the gate", "#0b8a83"), False: ("without (rate_gate=False)", "#d17b0f")}
STORM_ROWS, STORM_WORKERS = 3000, 200
STORM_SECONDS = Plan.storm_seconds
_STEP = 0.1
_POINTS = 30
_GREY = "#8b949e"
_STYLE = """<style>
text { fill: #24292f !important; font-family: sans-serif !important }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 !important } }
</style>"""


def draw(rows: int) -> list[Path]:
    """Measure, and write both pictures.

    Args:
        rows: Of the picture of memory.

    Returns:
        The files.
    """
    try:
        import matplotlib as mpl
        from matplotlib import pyplot as plt
    except ImportError:
        sys.exit("Plots need matplotlib: pip install matplotlib")
    plt.switch_backend("svg")
    edges = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), _GREY)
    parameters: Any = mpl.rcParams  # their names are of a type that no dictionary has
    parameters.update({"svg.fonttype": "none", "svg.hashsalt": "bulk", **edges})
    return [
        _save(_draw_memory(plt, measure_memory(rows)), FOLDER / "bulk-memory.svg"),
        _save(_draw_storm(plt, measure_storm()), FOLDER / "bulk-storm.svg"),
    ]


def measure_memory(rows: int) -> dict[str, list[tuple[int, float]]]:
    """Return for each way how many rows were done and the MB that memory had grown by then."""
    with ThreadPoolExecutor(len(WAYS)) as pool:
        return dict(zip(WAYS, pool.map(partial(_curve_of, rows), WAYS), strict=True))


def _curve_of(rows: int, name: str) -> list[tuple[int, float]]:
    """Measure one way in a process of its own."""
    with Server() as server:
        command = [sys.executable, "-m", "benchmarks.bulk", "--curve", name, server.base_url]
        told = subprocess.run([*command, str(rows)], stdout=subprocess.PIPE, check=True).stdout
    points: list[tuple[int, float]] = json.loads(told)
    return points


class Curve:
    """Notes how memory grows with the rows that are done."""

    def __init__(self, rows: int, resident: Callable[[], int]) -> None:
        """Begin with memory as it is now.

        Args:
            rows: How many there will be.
            resident: Tells the resident memory in bytes.
        """
        self._every = max(1, rows // _POINTS)
        self._resident, self._first, self._done = resident, resident(), 0
        self.points: list[tuple[int, float]] = [(0, 0.0)]

    def step(self, answer: Any) -> Any:
        """Count a row."""
        self._done += 1
        if self._done % self._every == 0:
            gc.collect()
            self.points.append((self._done, (self._resident() - self._first) / 1024**2))
        return answer


def measure_storm() -> dict[bool, tuple[list[int], int]]:
    """Return with and without the gate the rows with a value in each step, and the failed rows."""
    return {gate: _storm(rate_gate=gate) for gate in GATES}


def _storm(*, rate_gate: bool) -> tuple[list[int], int]:
    with Server(Plan(storm_after=STORM_ROWS // 3, think=0.02)) as server:
        model = ChatOpenRouterO3(base_url=server.base_url, api_key="any", rate_gate=rate_gate)
        began, counts, failed = time.monotonic(), [0], 0
        texts = (f"Tell row-{number}" for number in range(STORM_ROWS))
        for row in bulk(model, texts, max_concurrency=STORM_WORKERS):
            step = int((time.monotonic() - began) / _STEP)
            counts += [counts[-1]] * (step - len(counts) + 1)
            counts[step] += row.ok
            failed += not row.ok
    return counts, failed


def _draw_memory(pyplot: Any, measured: dict[str, list[tuple[int, float]]]) -> Any:
    figure, axes = _axes(
        pyplot, "rows that are done, a hundred at once", "MB that memory has grown by"
    )
    for name, points in measured.items():
        axes.plot(*zip(*points, strict=True), color=WAYS[name], label=name)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _legend(axes)
    return figure


def _draw_storm(pyplot: Any, measured: dict[bool, tuple[list[int], int]]) -> Any:
    figure, axes = _axes(pyplot, "seconds", "rows with a value")
    for gate, (counts, failed) in measured.items():
        name, colour = GATES[gate]
        seconds = [number * _STEP for number in range(len(counts))]
        axes.plot(seconds, counts, color=colour, label=f"{name}: {failed:,} rows failed")
    begins = next(
        number * _STEP
        for number, count in enumerate(measured[True][0])
        if count >= STORM_ROWS // 3 - 1
    )
    axes.axvspan(begins, begins + STORM_SECONDS, color=_GREY, alpha=0.2, linewidth=0)
    axes.text(begins + 0.2, 50, "429 to everything", color=_GREY)
    axes.axhline(STORM_ROWS, color=_GREY, linestyle=":")
    _legend(axes)
    return figure


def _axes(pyplot: Any, x: str, y: str) -> tuple[Any, Any]:
    figure, axes = pyplot.subplots(figsize=(6.5, 3.2))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _legend(axes: Any) -> None:
    axes.set_ylim(bottom=0)  # at the end: it stops the axis from growing with what is drawn
    axes.legend(frameon=False)


def _save(figure: Any, path: Path) -> Path:
    """Write a picture without a background, whose text is readable on light and dark pages."""
    figure.savefig(path, bbox_inches="tight", transparent=True, metadata={"Date": None})
    text = path.read_text(encoding="utf-8")
    lines = [line.rstrip() for line in text.replace("<defs>", f"{_STYLE}\n<defs>", 1).splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
