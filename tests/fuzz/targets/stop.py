"""Stop sequences."""

from __future__ import annotations

import itertools

from langchain_openrouter_o3._wire.text import StopScanner
from tests.fuzz.source import ByteSource


def stop(data: bytes) -> None:
    """The text ends before the first sequence that `str.find` sees complete, for any cuts.

    An input is cuts, a line of sequences with bars between, and the text.
    """
    source = ByteSource(data)
    cuts = source.cuts()
    first, _, text = source.rest().decode("utf-8", "replace").partition("\n")
    sequences = [sequence for sequence in first.split("|") if sequence]
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    expected = _naive(text, sequences)
    for pieces in ([text[i:j] for i, j in itertools.pairwise(edges)], [text], list(text)):
        assert _scan(pieces, sequences) == expected


def _scan(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(sequences)
    passed = ""
    for piece in pieces:
        passed += scanner.feed(piece)
        assert len(scanner.held) < max([1, *map(len, sequences)])
    return passed + scanner.flush(), scanner.matched


def _naive(text: str, sequences: list[str]) -> tuple[str, str | None]:
    found = [sequence for sequence in sequences if sequence in text]
    if not found:
        return text, None
    # The sequence that is complete first; of two that end together, the longer.
    first = min(found, key=lambda sequence: (text.find(sequence) + len(sequence), -len(sequence)))
    return text[: text.find(first)], first
