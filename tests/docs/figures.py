"""The plot of the README, light and dark, drawn from the first table of docs/performance.md."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCENARIOS = {
    "invoke": "one call",
    "stream": "one streamed chunk",
    "structured": "one structured call",
}
CLIENTS = ("ChatOpenRouterO3", "ChatOpenAI", "ChatOpenRouter")
INKS = {
    "light": ("#1f2328", ("#0969da", "#8c959f", "#bf8700")),
    "dark": ("#e6edf3", ("#58a6ff", "#8b949e", "#d29922")),
}
"""Of a picture for light and for dark pages: text, and a bar of each client."""

TIMES = "×"  # noqa: RUF001 - what a ratio is written with
LEFT, UNIT, ROW = 150, 118, 17
"""Pixels: where bars begin, how long a factor of ten is, how high a bar is."""


def pictures(docs: Path) -> Iterator[tuple[Path, str]]:
    """Return each picture with its text.

    Args:
        docs: The folder of the documentation.
    """
    ratios = measured((docs / "performance.md").read_text("utf-8"))
    for name, (ink, bars) in INKS.items():
        yield docs / "assets" / f"figures-{name}.svg", picture(ratios, ink, bars)


def measured(page: str) -> dict[str, list[float]]:
    """Read the ratios of each client to the floor from the page's first table."""
    found = re.findall(rf"(?m)^({'|'.join(SCENARIOS)}) .*$", page)
    lines = {name: page.partition(f"\n{name} ")[2].partition("\n")[0] for name in found}
    ratios = {name: re.findall(rf"([\d.]+){TIMES}", line) for name, line in lines.items()}
    return {name: [float(each) for each in found[: len(CLIENTS)]] for name, found in ratios.items()}


def picture(ratios: dict[str, list[float]], ink: str, bars: tuple[str, ...]) -> str:
    """Draw bars on a logarithmic scale that begins at a half."""
    parts, top = [], 8
    for name, title in SCENARIOS.items():
        parts.append(f'<text x="0" y="{top + 30}" fill="{ink}">{title}</text>')
        for client, ratio, fill in zip(CLIENTS, ratios[name], bars, strict=True):
            width = round(UNIT * math.log10(2 * ratio))
            parts.append(f'<rect x="{LEFT}" y="{top}" width="{width}" height="13" fill="{fill}"/>')
            text = f"{ratio:.1f}{TIMES} {client}"
            parts.append(f'<text x="{LEFT + width + 6}" y="{top + 11}" fill="{ink}">{text}</text>')
            top += ROW
        top += 12
    label = "CPU time beside bare httpx with json and the smallest chat model: lower is better"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 {top}" role="img"'
    font = 'font-family="system-ui, sans-serif" font-size="12"'
    return "\n".join([f'{head} aria-label="{label}" {font}>', *parts, "</svg>\n"])
