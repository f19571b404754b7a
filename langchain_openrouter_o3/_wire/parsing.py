"""The one rule for odd answers: only an error, no choice or a broken transport fails one.

Null and absent mean the same. A value of the wrong type is never guessed at and never costs the
rest: it is kept as it came, under its own name in `response_metadata` (docs/reliability.md).
"""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3._json import LARGEST, is_array, is_object


class LenientParser:
    """Reads the fields of one answer, and keeps what it cannot read."""

    def __init__(self) -> None:
        self._unread: dict[str, list[Any]] = {}

    def keep(self, field: str, value: Any) -> None:
        """Keep a value that cannot be read; a repetition of the one before is the same one."""
        kept = self._unread.setdefault(field, [])
        if not kept or kept[-1] != value:
            kept.append(value)

    def unread(self) -> dict[str, Any]:
        """Return what was kept by field: the value, or a list if there were several."""
        return {
            field: kept[0] if len(kept) == 1 else list(kept) for field, kept in self._unread.items()
        }

    def text(self, value: Any, field: str) -> str:
        """Read a text; parts of text are joined."""
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        if is_array(value):
            return "".join(self._part(part, field) for part in value)
        return self._part(value, field)

    def mapping(self, value: Any, field: str) -> dict[str, Any]:
        """Read an object."""
        if is_object(value):
            return value
        if value is not None:
            self.keep(field, value)
        return {}

    def items(self, value: Any, field: str) -> list[Any]:
        """Read a list; null items are none."""
        if is_array(value):
            return value if None not in value else [item for item in value if item is not None]
        if value is not None:
            self.keep(field, value)
        return []

    def _part(self, part: Any, field: str) -> str:
        text = part.get("text") if is_object(part) else part
        if isinstance(text, str):
            return text
        if part is not None:
            self.keep(field, part)
        return ""


def parse_count(value: Any) -> int | None:
    """Read a number of tokens, which some servers write with a decimal point; None if it is not."""
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and 0 <= value <= LARGEST else None
