"""`python -m benchmarks.plot FILE FOLDER`: draw a saved run as SVG.

Three pictures: ratios to the floor, the cost of a chunk over the length of a stream, and memory.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Figure, Row
from benchmarks.scenarios import SCALES, SIZES

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = {
    "core": "#9aa0a6",
    "ours": "#0b7a75",
    "ChatOpenAI": "#d17b0f",
    "ChatOpenRouter": "#8f2d56",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("file", type=Path, help="what `python -m benchmarks --json` wrote")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    options = parser.parse_args(arguments)
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        sys.exit("Plots need matplotlib: pip install matplotlib")
    plt.switch_backend("svg")
    run = json.loads(options.file.read_text(encoding="utf-8"))
    rows = [Row(saved) for saved in run["rows"]]
    options.folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "ratios": draw_ratios(plt, _rows_of(rows, "cpu", "wall"), run["clients"]),
        "linear": draw_growth(plt, rows, run["clients"]),
        "memory": draw_ratios(plt, _rows_of(rows, "value"), run["clients"]),
    }
    for name, picture in pictures.items():
        if picture is not None:
            path = options.folder / f"{name}.svg"
            picture.savefig(path, bbox_inches="tight", metadata={"Date": None})
            print(path)


def _rows_of(rows: list[Row], *measures: str) -> list[Row]:
    return [
        row
        for row in rows
        if row.scenario.measure in measures
        and row.floor
        and not row.scenario.name.startswith(("linear-", "merge-"))
    ]


def draw_ratios(pyplot: Any, rows: list[Row], clients: Sequence[str]) -> Any | None:
    """Draw bars on a logarithmic scale; 1 is the floor."""
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=(9, 0.7 * len(rows) + 1.5))
    height = 0.8 / len(clients)
    for place, client in enumerate(clients):
        for line, row in enumerate(rows):
            found = row.figure(client)
            if isinstance(found, Figure) and found.ratio:
                y = line + (place - (len(clients) - 1) / 2) * height
                axes.barh(y, found.ratio - 1, height, left=1, color=COLOURS[client])
                axes.text(max(found.ratio, 1) * 1.03, y, f"{found.ratio:.2f}", va="center", size=7)
        axes.barh(0, 0, color=COLOURS[client], label=client)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [row.scenario.title for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("times the floor (bare httpx and json, plus a minimal chat model)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def draw_growth(pyplot: Any, rows: list[Row], clients: Sequence[str]) -> Any | None:
    """Draw the cost of a chunk over the number of chunks; a linear client's line is flat."""
    known = {row.scenario.name: row for row in rows}
    kinds = [kind for kind in ("linear", "merge") if f"{kind}-{SIZES[0]}" in known]
    if not kinds:
        return None
    figure, all_axes = pyplot.subplots(1, len(kinds), figsize=(5 * len(kinds), 4), squeeze=False)
    for axes, kind in zip(all_axes[0], kinds, strict=True):
        for client in ("core", *clients):
            points = {
                size: known[f"{kind}-{size}"].part(client) * SCALES["µs"]
                for size in SIZES
                if f"{kind}-{size}" in known and known[f"{kind}-{size}"].part(client)
            }
            axes.plot(
                list(points), list(points.values()), "o-", color=COLOURS[client], label=client
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axes.minorticks_off()
        axes.set_xlabel("chunks of the stream")
        axes.set_ylabel("µs of CPU time per chunk")
        axes.set_title({"linear": "stream", "merge": "invoke that streams and sums"}[kind])
        axes.legend(fontsize=7, loc="center right")
    return figure


if __name__ == "__main__":
    main()
