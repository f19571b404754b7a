"""Finished rows, until the caller takes them."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from langchain_openrouter_o3.bulk.rows import Row


class Outbox(Protocol):
    """Holds finished rows, never more than it was made for."""

    def put(self, row: Row[Any]) -> None:
        """Add a row."""
        ...

    def take(self) -> list[Row[Any]]:
        """Take what may be handed out now."""
        ...

    def skip(self, number: int) -> None:
        """Expect no row with this number."""
        ...

    def has_room(self, started: int) -> bool:
        """Whether another row may be begun, when so many have been."""
        ...


class AsFinished:
    """Hands rows out as they finish."""

    def __init__(self, room: int) -> None:
        """Begin empty.

        Args:
            room: How many rows may wait, or be worked on.
        """
        self._room = room
        self._rows: deque[Row[Any]] = deque()
        self._out = 0

    def put(self, row: Row[Any]) -> None:
        """Add a row."""
        self._rows.append(row)

    def take(self) -> list[Row[Any]]:
        """Take all that are there."""
        rows = [*self._rows]
        self._rows.clear()
        self._out += len(rows)
        return rows

    def skip(self, number: int) -> None:
        """Count a row that will not come."""
        del number
        self._out += 1

    def has_room(self, started: int) -> bool:
        """Whether another row may be begun."""
        return started - self._out < self._room


class InOrder:
    """Hands rows out in the order of the input."""

    def __init__(self, room: int) -> None:
        """See `AsFinished`."""
        self._room = room
        self._rows: dict[int, Row[Any] | None] = {}
        self._next = 1

    def put(self, row: Row[Any]) -> None:
        """Add a row."""
        self._rows[row.number] = row

    def skip(self, number: int) -> None:
        """Do not wait for a row."""
        self._rows[number] = None

    def take(self) -> list[Row[Any]]:
        """Take those that follow the last one without a gap."""
        rows: list[Row[Any]] = []
        while self._next in self._rows:
            row = self._rows.pop(self._next)
            self._next += 1
            if row is not None:
                rows.append(row)
        return rows

    def has_room(self, started: int) -> bool:
        """Whether another row may be begun; the one that all wait for always has been."""
        return started - self._next + 1 < self._room
