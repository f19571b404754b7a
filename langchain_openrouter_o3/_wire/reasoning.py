"""`reasoning_details`: joining a stream's pieces, and giving them back unmodified.

Encrypted entries are opaque and must return byte for byte, in order, with their own id:
https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object

if TYPE_CHECKING:
    from langchain_openrouter_o3._wire.parsing import LenientParser

OPENAI_ITEM = "rs_"
"""How the ids of OpenAI's reasoning items begin."""

# The field that grows when an entry of this type comes in several deltas. Entries of any other
# type are kept as they came: how their pieces would join is unknown.
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
        begun = self.fields.get(self.grows or "")
        self._size = len(begun) if isinstance(begun, str) else 0

    def whole(self) -> dict[str, Any]:
        """Return the entry with its pieces joined."""
        if self.pieces and self.grows:
            self.fields[self.grows] = "".join((self.fields[self.grows], *self.pieces))
            self.pieces.clear()
        return self.fields

    def add(self, piece: dict[str, Any], parser: LenientParser) -> bool:
        """Join a later piece of the same entry: text grows, the last known value of the rest.

        Returns:
            Whether its text is new. A closing piece may repeat the whole text beside the signature,
            and ciphertext, which comes whole, may come again.
        """
        is_closing = bool(piece.get("signature")) or self.grows == "data"
        repeats = is_closing and self._holds(piece.get(self.grows or ""))
        for key, value in piece.items():
            if value is None:
                self.fields.setdefault(key, None)
            elif key != self.grows:
                self.fields[key] = value
            elif not isinstance(value, str):
                parser.keep("reasoning_details", piece)
            elif not repeats:
                self._grow(key, value)
        return not repeats

    def _grow(self, key: str, text: str) -> None:
        if isinstance(self.fields.get(key), str):
            self.pieces.append(text)
            self._size += len(text)
        else:
            self.fields[key] = text
            self._size = len(text)

    def _holds(self, text: Any) -> bool:
        same_size = isinstance(text, str) and 0 < len(text) == self._size
        return same_size and self.whole().get(self.grows or "") == text


class ReasoningDetails:
    """Joins the pieces of `reasoning_details` by type, index and id.

    The index alone does not identify an entry: until spring 2026 OpenAI's summary and its
    ciphertext both had index 0.
    """

    def __init__(self, parser: LenientParser) -> None:
        """Start without entries; `parser` keeps what is none."""
        self._parser = parser
        self._entries: list[_Entry] = []
        # The position of the latest entry by type and index, and by its id besides; an entry whose
        # id has not come stands there without one. Looking through all entries is quadratic.
        self._latest: dict[tuple[Any, ...], int] = {}
        self.present = False
        """Whether the field came at all: an empty list is kept, absence stays absence."""

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries so far, with their pieces joined."""
        return [entry.whole() for entry in self._entries]

    def feed(self, value: Any, *, whole: bool) -> tuple[str, str]:
        """Take the `reasoning_details` of a delta or of a whole message.

        Returns:
            The text that a person can read in it, and the part of that which is new.
        """
        self.present = self.present or is_array(value)
        pieces: list[dict[str, Any]] = []
        for item in self._parser.items(value, "reasoning_details"):
            if is_object(item):
                pieces.append(item)
            else:
                self._parser.keep("reasoning_details", item)
        new = [piece for piece in pieces if self._add(piece, whole=whole)]
        readable = text_of(pieces)
        return readable, readable if len(new) == len(pieces) else text_of(new)

    def _add(self, piece: dict[str, Any], *, whole: bool) -> bool:
        position = None if whole else self._find(piece)
        entry = self._entries[position] if position is not None else None
        is_new = entry is None or entry.add(piece, self._parser)
        if entry is None:
            position = len(self._entries)
            entry = _Entry(piece)
            self._entries.append(entry)
        kind, index, identity = _signs(entry.fields)
        self._latest[kind, index] = self._latest[kind, index, identity] = position or 0
        return is_new

    def _find(self, piece: dict[str, Any]) -> int | None:
        """Find the entry that a piece continues: of its type and index, and not of another id."""
        kind, index, identity = _signs(piece)
        if kind not in _GROWING:
            return None
        if piece.get("index") is None:
            # Without an index only the entry just before can go on, and ciphertext, which
            # always comes whole, never does.
            if kind == "reasoning.encrypted" or not self._entries:
                return None
            latest = _signs(self._entries[-1].fields)
            fits = latest[:2] == (kind, index) and (not identity or latest[2] in ("", identity))
            return len(self._entries) - 1 if fits else None
        if not identity:
            return self._latest.get((kind, index))
        found = (self._latest.get((kind, index, each)) for each in (identity, ""))
        return max((each for each in found if each is not None), default=None)


def _signs(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Return what tells entries apart: type, index and id, in a form that can be a key."""
    index = entry.get("index")
    return str(entry.get("type")), repr(index), str(entry.get("id") or "")


class ReasoningText:
    """The text of the reasoning, which comes twice: as `reasoning`, and in `reasoning_details`.

    The two are twins, mostly in one delta. Where one runs ahead of the other, what follows of the
    other is not new.
    """

    def __init__(self) -> None:
        self._ahead = ""  # which of the two is
        self._lead: list[str] = []  # what the other has not said yet
        self._said = 0  # characters of the first piece of it that the other has said

    def feed(self, plain: str, readable: str) -> str:
        """Take what a delta says in `reasoning` and in its details, and return what is new."""
        if plain == readable:
            return plain
        new = self._take("plain", plain) if plain else ""
        if readable:
            later = self._take("details", readable)
            new = new if plain else later  # within one delta they are twins, however they differ
        return new

    def _take(self, twin: str, text: str) -> str:
        if self._lead and self._ahead != twin:
            lead = "".join(self._lead)
            self._lead = [lead]
            if lead.startswith(text, self._said):
                self._said += len(text)
                if self._said == len(lead):
                    self._lead = []
                return ""
            self._lead = []
        if not self._lead:
            self._ahead, self._said = twin, 0
        self._lead.append(text)
        return text


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
    return (
        isinstance(identity, str) and identity.startswith(OPENAI_ITEM) and identity not in with_data
    )
