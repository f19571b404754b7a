"""The answers that the server knows, by name, and what a client must make of each.

A name is a kind, a size and options: `text-2000` is a stream of 2,000 pieces of text,
`whole-12-after-100` a JSON body of 12 pieces after 100 ms of thinking, `text-500-apart` a stream
whose chunks come one by one, so that a client waits for each. Server and clients build
the same answer from the name, so that nothing has to be sent between them.

The payloads are those of `tests/helpers/wire.py`: OpenRouter's shapes of 2026.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from tests.helpers import wire

Kind = Literal["whole", "text", "tools", "reasoning", "object", "objects", "bulk", "busy"]

TOOL = "write_note"
CALL_ID = "call_9f8e7d6c5b4a"
PROMPT_TOKENS = 20
KEPT_SECRET = "gAAAAABo" + "Zm9vYmFy" * 64
BULK_PIECE = 10_000

# Lengths like those of a tokenizer's pieces, and a few characters beyond ASCII.
_WORDS = " the| sheep| of| farmer|s|,| remain|ing|.| and| count| seventeen| minus| nine| café"
_WORDS += '| is| —| 数| 🐑|\n\n| a| "all"| but'
_PIECES = _WORDS.split("|")
_NAME = re.compile(r"([a-z]+)-(\d+)(?:-after-(\d+))?(-apart)?")


@dataclass(frozen=True)
class Answer:
    """One answer of the server.

    Attributes:
        name: How a URL asks for it.
        kind: What it is made of.
        size: Number of pieces; kilobytes for objects, megabytes for bulk, failures for "busy".
        think_seconds: How long the server waits before it answers.
        apart: Whether the chunks come one by one.
    """

    name: str
    kind: Kind
    size: int
    think_seconds: float
    apart: bool = False

    @property
    def streamed(self) -> bool:
        """Whether it comes as events."""
        return self.kind not in ("whole", "object", "busy")

    @cached_property
    def pieces(self) -> list[str]:
        """What the deltas carry."""
        if self.kind in ("object", "objects"):
            text = _rows(self.size * 1_000)
            return [text[start : start + 20] for start in range(0, len(text), 20)]
        if self.kind == "bulk":
            return ["x" * BULK_PIECE] * (self.size * 1_000_000 // BULK_PIECE)
        words = random.Random(7).choices(_PIECES, k=self.size)  # noqa: S311 - the same every time
        if self.kind == "tools":
            written = [json.dumps(word, ensure_ascii=False)[1:-1] for word in words[4:]]
            return ['{"', "text", '":"', *written, '"}']
        return words if self.kind != "busy" else ["done"]

    @cached_property
    def said(self) -> str:
        """All pieces together."""
        return "".join(self.pieces)

    @property
    def text(self) -> str:
        """The message's text."""
        return {"tools": "", "reasoning": "42"}.get(self.kind, self.said)

    @property
    def arguments(self) -> str:
        """The arguments of the one tool call, as JSON."""
        return self.said if self.kind == "tools" else ""

    @property
    def reasoning(self) -> str:
        """The readable thoughts."""
        return self.said if self.kind == "reasoning" else ""

    @property
    def completion_tokens(self) -> int:
        """What the answer is billed as."""
        return len(self.pieces) + 1

    def payloads(self) -> list[dict[str, Any]]:
        """Return the JSON objects: one body, or a stream's events."""
        counts = wire.usage(PROMPT_TOKENS, self.completion_tokens, reasoning=1)
        if not self.streamed:
            return [wire.body(self.text, counts=counts)]
        if self.kind == "tools":
            deltas = wire.tool_deltas(TOOL, self.pieces, CALL_ID)
            events = [wire.tool_chunk(delta) for delta in deltas]
            return [*events, *wire.ending("tool_calls", counts)]
        if self.kind == "reasoning":
            events = [
                wire.chunk(reasoning=piece, reasoning_details=[wire.summary(piece)])
                for piece in self.pieces
            ]
            secret = wire.chunk(reasoning=None, reasoning_details=[wire.encrypted(KEPT_SECRET)])
            return [*events, secret, wire.chunk("42"), *wire.ending(counts=counts)]
        return [*(wire.chunk(piece) for piece in self.pieces), *wire.ending(counts=counts)]


@cache
def find_answer(name: str) -> Answer:
    """Return the answer of a name.

    Raises:
        KeyError: There is none.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise KeyError(name)
    kind, size, milliseconds, apart = match.groups()
    seconds = int(milliseconds or 0) / 1_000
    return Answer(name, kind, int(size), seconds, apart is not None)  # type: ignore[arg-type]


def _rows(size: int) -> str:
    """Write an object of about this many bytes that fits `structured.Table`."""
    chance = random.Random(11)  # noqa: S311 - the same every time
    rows: list[dict[str, Any]] = []
    length = 0
    while length < size:
        row = {
            "id": len(rows),
            "name": "".join(chance.choices(_PIECES, k=8)),
            "tags": chance.sample(["wool", "milk", "lamb", "ewe", "ram"], 3),
            "price": round(chance.uniform(1, 100), 2),
        }
        rows.append(row)
        length += len(json.dumps(row, ensure_ascii=False)) + 2
    return json.dumps({"rows": rows}, ensure_ascii=False)
