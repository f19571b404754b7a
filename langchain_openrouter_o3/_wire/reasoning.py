"""`reasoning_details`: joining a stream's pieces, and giving them back unmodified.

Encrypted entries are opaque and must return byte for byte, in order, with their own id:
https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
"""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.values import parse_list, parse_mapping

# The field that grows when an entry of this type comes in several deltas. Entries of any other
# type are kept as they came: nobody can know how their pieces would join.
_GROWING = {
    "reasoning.summary": "summary",
    "reasoning.text": "text",
    "reasoning.encrypted": "data",
}


class _Entry:
    """An entry whose growing field is kept in pieces: joining at each delta is quadratic."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = dict(fields)
        self.grows = _GROWING.get(str(fields.get("type")))
        self.pieces: list[str] = []

    def whole(self) -> dict[str, Any]:
        """Return the entry with its pieces joined."""
        if self.pieces and self.grows:
            self.fields[self.grows] = "".join((self.fields[self.grows], *self.pieces))
            self.pieces.clear()
        return self.fields

    def add(self, piece: dict[str, Any]) -> None:
        """Join a later piece of the same entry: text grows, the last known value of the rest."""
        for key, value in piece.items():
            if value is None:
                self.fields.setdefault(key, None)
            elif key != self.grows or not isinstance(value, str):
                self.fields[key] = value
            elif isinstance(self.fields.get(key), str):
                self.pieces.append(value)
            else:
                self.fields[key] = value

    def continues_with(self, piece: dict[str, Any]) -> bool:
        """Say whether a piece belongs to this entry."""
        mine, its = self.fields.get("id"), piece.get("id")
        return (
            (not mine or not its or mine == its)
            and self.fields.get("type") == piece.get("type")
            and self.fields.get("index") == piece.get("index")
        )


class ReasoningDetails:
    """Joins the pieces of `reasoning_details` by type, index and id.

    The index alone does not identify an entry: until spring 2026 OpenAI's summary and its
    ciphertext both had index 0.
    """

    def __init__(self) -> None:
        """Start without entries."""
        self._entries: list[_Entry] = []
        self.present = False
        """Whether the field came at all: an empty list is kept, absence stays absence."""

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries so far, with their pieces joined."""
        return [entry.whole() for entry in self._entries]

    def feed(self, value: Any) -> str:
        """Take the `reasoning_details` of one delta and return the text that it adds."""
        self.present = True
        pieces = [
            parse_mapping(piece, "reasoning_details[]")
            for piece in parse_list(value, "reasoning_details")
        ]
        for piece in pieces:
            entry = self._find(piece)
            if entry is None:
                self._entries.append(_Entry(piece))
            else:
                entry.add(piece)
        return text_of(pieces)

    def replace(self, value: Any) -> str:
        """Take the finished list of a whole message, verbatim, and return its text."""
        before = self._entries
        self._entries = []
        text = self.feed(value)
        whole: list[dict[str, Any] | None] = value or []
        self._entries = [*before, *(_Entry(entry) for entry in whole if entry is not None)]
        return text

    def _find(self, piece: dict[str, Any]) -> _Entry | None:
        kind = piece.get("type")
        if not isinstance(kind, str) or kind not in _GROWING:
            return None
        candidates = self._entries
        if piece.get("index") is None:
            # Without an index only the entry just before can go on, and ciphertext, which
            # always comes whole, never does.
            candidates = candidates[-1:] if kind != "reasoning.encrypted" else []
        for entry in reversed(candidates):
            if entry.continues_with(piece):
                return entry
        return None


def text_of(entries: list[Any]) -> str:
    """Join what a person can read of some entries, with nothing between, as `reasoning` does."""
    readable = (
        entry.get(_GROWING[entry["type"]])
        for entry in entries
        if is_object(entry) and entry.get("type") in ("reasoning.summary", "reasoning.text")
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
