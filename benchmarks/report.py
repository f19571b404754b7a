"""What a run says: ratios to the floor, absolute numbers, and whether targets are reached."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.scenarios import SCALES, SIZES, Measure, Scenario, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_JUDGEABLE = 0.02
"""Seconds; shorter samples are drowned by the questions about the server's CPU time."""


@dataclass(frozen=True)
class Figure:
    """One cell.

    Attributes:
        value: The median, in seconds, bytes or copies.
        spread: Half of the samples lie within this much of each other.
        floor: The floor's median in the same unit; 0 if there is none.
    """

    value: float
    spread: float
    floor: float

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return self.value / self.floor if self.floor else None


class Row:
    """One scenario of a saved run."""

    def __init__(self, row: dict[str, Any], measure: Measure | None = None) -> None:
        """Take the row as `rounds.run` returned it, and what to read of it if not its own."""
        (self.scenario,) = select([row["name"]])
        self._measure = measure or self.scenario.measure
        self._row = row

    @property
    def floor(self) -> float:
        """The floor's parts, added."""
        return sum(self.part(name) for name in self.scenario.floor)

    def part(self, name: str, measure: Measure | None = None) -> float:
        """Return the median of one contestant; 0 without samples."""
        values = self._values(name, measure)
        return statistics.median(values) if values else 0.0

    def figure(self, name: str) -> Figure | str:
        """Return a contestant's figure, or why there is none."""
        values = self._values(name)
        if not values:
            return str(self._row["trouble"].get(name, "-"))
        spread = 0.0
        if len(values) > 1:
            quarters = statistics.quantiles(values, n=4)
            spread = quarters[2] - quarters[0]
        return Figure(statistics.median(values), spread, self.floor)

    def met(self, name: str) -> bool | None:
        """Say whether the target is reached; None if there is none, or no figure."""
        figure, target = self.figure(name), self.scenario.target
        if isinstance(figure, str) or target.limit is None:
            return None
        measured = {
            "ratio": figure.ratio or 0.0,
            "difference": figure.value - figure.floor,
            "limit": figure.value,
        }
        return measured[target.kind] <= target.limit

    def notes(self, name: str) -> dict[str, Any]:
        """Return what else was seen in a contestant's last sample."""
        samples = self._row["samples"].get(name) or [{}]
        noted: dict[str, Any] = samples[-1].get("notes") or {}
        return noted

    def server_share(self, name: str) -> float | None:
        """Return the server's CPU time as a part of the client's wall time."""
        shares = [
            sample["server"] / (sample["wall"] * sample.get("units", 1))
            for sample in self._row["samples"].get(name, [])
            if sample.get("wall") and sample["wall"] * sample.get("units", 1) > _JUDGEABLE
        ]
        return statistics.median(shares) if shares else None

    def _values(self, name: str, measure: Measure | None = None) -> list[float]:
        samples = self._row["samples"].get(name, [])
        return [sample[measure or self._measure] for sample in samples]


def table(run: dict[str, Any]) -> str:
    """Write a run as a table of plain text."""
    clients = run["clients"]
    lines = [["scenario", "", "floor", *clients, "target (ours)"]]
    for saved in run["rows"]:
        row = Row(saved)
        cells = [_cell(row, name) for name in clients]
        lines.append([row.scenario.name, _unit(row.scenario), _floor(row), *cells, _target(row)])
    return "\n".join((_aligned(lines), "", *footnotes(run)))


def footnotes(run: dict[str, Any]) -> Iterator[str]:
    """Write what the table cannot hold: server, growth, troubles, notes, conditions."""
    rows = {saved["name"]: Row(saved) for saved in run["rows"]}
    yield from _server_lines(rows)
    yield from _growth_lines(rows, run["clients"])
    for row in rows.values():
        for name in ("httpx", "core", *run["clients"]):
            if notes := row.notes(name):
                said = ", ".join(f"{key}: {value}" for key, value in notes.items())
                yield f"{row.scenario.name}, {name}: {said}"
    for saved in run["rows"]:
        for name, trouble in saved["trouble"].items():
            yield f"{saved['name']}, {name}: {trouble}"
    cores = run["machine"]["cores"]
    yield (
        f"Python {run['machine']['python']}; "
        + ", ".join(f"{name} {version}" for name, version in run["packages"].items())
        + f"; {run['events_per_chunk']} event(s) per chunk of the encoding."
    )
    yield (
        "Medians of interleaved samples, ± half of the middle half; garbage is collected before a "
        "sample, not during it. Times are the process's CPU time (for bursts, first-token and "
        "first-call: the wall clock's). "
        + ("The server has its own core." if cores else "Server and clients share the cores.")
    )


def _server_lines(rows: dict[str, Row]) -> Iterator[str]:
    for name in ("invoke", "stream", "burst-ainvoke", "burst-astream"):
        raw = rows[name].part("raw", "wall") if name in rows else 0.0
        if raw:
            bare = rows[name].part("httpx", "wall")
            asked = rows[name].scenario
            yield (
                f"The server allows a raw socket {_number(raw, asked)} {asked.unit} "
                f"({name}); bare httpx needs {_number(bare, asked)} of wall time."
            )
    shares = {
        (row.scenario.name, name): share
        for row in rows.values()
        for name in ("httpx", "ours")
        if (share := row.server_share(name)) is not None
    }
    if shares:
        (scenario, name), share = max(shares.items(), key=lambda item: item[1])
        yield f"The server's core is busy for at most {share:.0%} of a sample ({scenario}, {name})."


def _growth_lines(rows: dict[str, Row], clients: Sequence[str]) -> Iterator[str]:
    for kind in ("linear", "merge"):
        ends = [rows.get(f"{kind}-{size}") for size in (SIZES[0], SIZES[-1])]
        if ends[0] is None or ends[1] is None:
            continue
        growth = {
            name: ends[1].part(name) / ends[0].part(name)
            for name in ("core", *clients)
            if ends[0].part(name) and ends[1].part(name)
        }
        said = ", ".join(f"{name} ×{factor:.2f}" for name, factor in growth.items())
        yield f"A chunk of {SIZES[-1]:,} costs, against one of {SIZES[0]:,} ({kind}): {said}"


def _cell(row: Row, name: str) -> str:
    figure = row.figure(name)
    if isinstance(figure, str):
        return (
            figure
            if len(figure) <= len("not installed")
            else f"{figure.split(' (')[0].split(':')[0]} *"
        )
    number = _number(figure.value, row.scenario)
    if row.scenario.target.kind == "difference":
        return f"{_number(figure.value - figure.floor, row.scenario, sign=True)} ({number})"
    spread = f"±{figure.spread / 2 / figure.value:.0%}" if figure.value else ""
    ratio = f"{figure.ratio:.2f}×" if figure.ratio else ""
    return f"{ratio} {number} {spread}"


def _floor(row: Row) -> str:
    parts = [_number(row.part(name), row.scenario) for name in row.scenario.floor]
    total = _number(row.floor, row.scenario)
    return total if len(parts) == 1 else f"{total} = {' + '.join(parts)}"


def _target(row: Row) -> str:
    limit, kind = row.scenario.target.limit, row.scenario.target.kind
    if limit is None:
        return ""
    text = {
        "ratio": f"≤ {limit:g}×",
        "difference": f"≤ {_number(limit, row.scenario, sign=True)}",
        "limit": f"≤ {_number(limit, row.scenario)}",
    }[kind]
    return text + {True: " met", False: " MISSED", None: ""}[row.met("ours")]


def _unit(scenario: Scenario) -> str:
    return scenario.unit if scenario.measure == "value" else f"{scenario.unit} {scenario.measure}"


def _number(value: float, scenario: Scenario, *, sign: bool = False) -> str:
    scaled = value * SCALES[scenario.unit.split("/")[0]]
    digits = 0 if abs(scaled) >= 1_000 else 1 if abs(scaled) >= 100 else 2  # noqa: PLR2004 - digits to show
    return f"{scaled:{'+' if sign else ''},.{digits}f}"


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
