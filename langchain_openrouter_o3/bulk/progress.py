"""Progress for a person: a line that is renewed on a terminal, or one every ten seconds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal

from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.terminal import PlainTerminal
from langchain_openrouter_o3.bulk.rows import Progress
from langchain_openrouter_o3.errors import OpenRouterInputError

Watcher = Callable[[Progress], None]

_PLAIN_SECONDS = 10.0
_LIVE_SECONDS = 0.5
_MINUTE, _HOUR = 60, 3600


class Display:
    """Shows how far a run is, from its own event loop."""

    def __init__(self, watch: bool | Watcher) -> None:  # noqa: FBT001 - `abulk`'s
        """Choose a way to show it.

        Args:
            watch: Whether to write to the standard error; or who is told instead.

        Raises:
            OpenRouterInputError: It is neither.
        """
        if not isinstance(watch, bool) and not callable(watch):
            raise OpenRouterInputError(f"progress={watch!r} is neither a bool nor a function.")
        self._tell = watch if callable(watch) else None
        self._terminal = open_terminal(sys.stderr) if watch is True else None
        plain = self._terminal is None or isinstance(self._terminal, PlainTerminal)
        self._is_live = not plain
        self._seconds = _PLAIN_SECONDS if plain and self._tell is None else _LIVE_SECONDS
        self._progress = Progress()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, progress: Progress) -> None:
        """Begin to show it on the running loop."""
        self._progress = progress
        if self._tell is not None or self._terminal is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tick, progress)

    def stop(self) -> None:
        """Show the end."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._show(self._progress)
        if self._terminal is not None:
            self._terminal.settle(keep=True)
            self._terminal.end_line()

    def _tick(self, progress: Progress) -> None:
        self._show(progress)
        self.start(progress)

    def _show(self, progress: Progress) -> None:
        if self._tell is not None:
            self._tell(progress)
            return
        assert self._terminal is not None  # noqa: S101 - otherwise nothing is shown
        show = self._terminal.grow if self._is_live else self._terminal.line
        show(line_of(progress))


def line_of(progress: Progress) -> str:
    """Return a run's figures in one line."""
    total = f" of {progress.total:,}" if progress.total is not None else ""
    parts = [
        f"{progress.done:,}{total} rows",
        f"{progress.rows_per_second:,.1f}/s",
        _left(progress.seconds_left),
        _costs(progress),
        f"{progress.from_journal:,} from the journal" if progress.from_journal else "",
        f"up to {progress.lost:,} lost by kills" if progress.lost else "",
        _errors(progress),
    ]
    return ", ".join(part for part in parts if part)


def summary(progress: Progress, go_on: str) -> str:
    """Say what an interrupted run has done, and how to go on."""
    return (
        f"Interrupted: {line_of(progress)}; {progress.given_up:,} rows in flight were given up. "
        f"{go_on}"
    )


def _costs(progress: Progress) -> str:
    text = usd(progress.cost)
    if progress.unknown:
        text += f" + {progress.unknown:,} rows of unknown cost"
    projected = progress.projected_cost
    return text if projected is None else f"{text} ({usd(projected)} in all)"


def _errors(progress: Progress) -> str:
    if not progress.failed:
        return ""
    named = ", ".join(f"{count:,} {name}" for name, count in progress.errors.most_common())
    return f"{progress.failed:,} failed ({named})"


def usd(amount: Decimal) -> str:
    """Write an amount of money, to a hundredth of a cent."""
    return f"{amount:,.4f} USD"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s left"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min left"
    return f"{seconds / _HOUR:.1f} h left"
