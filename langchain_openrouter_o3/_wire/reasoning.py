"""`reasoning_details`: joining a stream's pieces, and giving them back unmodified.

Encrypted entries are opaque and must return byte for byte, in order, with their own id:
https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.values import parse_list, parse_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

# The field that grows when an entry of this type comes in several deltas. Entries of any other
# type are kept as they came: nobody can know how their pieces would join.
_GROWING = {
    "reasoning.summary": "summary",
    "reasoning.text": "text",
    "reasoning.encrypted": "data",
}


class ReasoningDetails:
    """Joins the pieces of `reasoning_details` by type, index and id.

    The index alone does not identify an entry: until spring 2026 OpenAI's summary and its
    ciphertext both had index 0.
    """

    def __init__(self) -> None:
        """Start without entries."""
        self.entries: list[dict[str, Any]] = []
        self.present = False
        """Whether the field came at all: an empty list is kept, absence stays absence."""

    def feed(self, value: Any) -> str:
        """Take the `reasoning_details` of one delta and return the text that it adds."""
        if value is None:
            return ""
        self.present = True
        pieces = [
            parse_mapping(piece, "reasoning_details[]")
            for piece in parse_list(value, "reasoning_details")
        ]
        for piece in pieces:
            self._add(piece)
        return text_of(pieces)

    def replace(self, value: Any) -> str:
        """Take the finished list of a whole message, verbatim, and return its text."""
        before = self.entries
        self.entries = []
        text = self.feed(value)
        whole: list[dict[str, Any] | None] = value or []
        self.entries = [*before, *(dict(entry) for entry in whole if entry is not None)]
        return text

    def _add(self, piece: dict[str, Any]) -> None:
        grows = _GROWING.get(str(piece.get("type")))
        entry = self._find(piece) if grows else None
        if entry is None or grows is None:
            self.entries.append(dict(piece))
            return
        for key, value in piece.items():
            if value is None:
                entry.setdefault(key, None)
            elif key == grows and isinstance(value, str) and isinstance(entry.get(key), str):
                entry[key] += value
            else:
                entry[key] = value

    def _find(self, piece: dict[str, Any]) -> dict[str, Any] | None:
        if piece.get("index") is None:
            # Without an index only the entry just before can go on, and ciphertext, which
            # always comes whole, never does.
            candidates = self.entries[-1:] if piece["type"] != "reasoning.encrypted" else []
        else:
            candidates = self.entries
        matches: Iterator[dict[str, Any]] = (
            entry for entry in reversed(candidates) if _same_entry(entry, piece)
        )
        return next(matches, None)


def _same_entry(entry: dict[str, Any], piece: dict[str, Any]) -> bool:
    ids_agree = not entry.get("id") or not piece.get("id") or entry["id"] == piece["id"]
    return ids_agree and all(entry.get(key) == piece.get(key) for key in ("type", "index"))


def text_of(entries: list[dict[str, Any]]) -> str:
    """Join what a person can read of some entries, with nothing between, as `reasoning` does."""
    readable = (
        entry.get(_GROWING[entry["type"]])
        for entry in entries
        if entry.get("type") in ("reasoning.summary", "reasoning.text")
    )
    return "".join(text for text in readable if isinstance(text, str))


def reasoning_details_to_wire(entries: list[Any]) -> list[Any]:
    """Give entries back as they came.

    One exception: OpenAI looks an `rs_…` id up when no ciphertext comes with it and answers
    404 (https://github.com/langchain-ai/langchain/issues/37777), so such a dangling id is left
    out of an entry that carries no data, unless another entry carries the data of that id.
    """
    with_data = [entry.get("id") for entry in entries if is_object(entry) and entry.get("data")]
    return [
        {key: value for key, value in entry.items() if key != "id"}
        if _dangles(entry, with_data)
        else entry
        for entry in entries
    ]


def _dangles(entry: Any, with_data: list[Any]) -> bool:
    identity = entry.get("id") if is_object(entry) else None
    return isinstance(identity, str) and identity.startswith("rs_") and identity not in with_data
