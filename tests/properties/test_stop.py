"""Stop sequences: where the text ends does not depend on how it came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3._wire.stop import StopScanner

# Two letters, so that sequences overlap, repeat and are each other's prefixes.
TEXTS = st.text("ab", max_size=20)
SEQUENCES = st.lists(st.text("ab", min_size=1, max_size=5), max_size=4)
CUTS = st.lists(st.integers(0, 20), max_size=8)


def scan(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(sequences)
    passed = "".join([*map(scanner.feed, pieces), scanner.flush()])
    return passed, scanner.matched


def cut(text: str, positions: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(position % (len(text) + 1) for position in positions)})
    return [text[i:j] for i, j in zip(edges, edges[1:], strict=False)]  # noqa: RUF007 - plainer


def first_to_complete(text: str, sequences: list[str]) -> tuple[str, str | None]:
    """Read letter by letter: the text before the sequence that is the first to be complete."""
    for end in range(1, len(text) + 1):
        complete = [sequence for sequence in sequences if text[:end].endswith(sequence)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(text=TEXTS, sequences=SEQUENCES, cuts=CUTS)
def test_any_split_stops_where_the_whole_text_stops(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    assert scan(cut(text, cuts), sequences) == first_to_complete(text, sequences)


@given(text=st.text(), sequences=SEQUENCES, cuts=CUTS)
def test_nothing_is_lost_when_nothing_matches(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    passed, matched = scan(cut(text, cuts), sequences)

    assert matched is not None or passed == text
    assert text.startswith(passed)


@given(text=TEXTS, sequences=SEQUENCES, cuts=CUTS)
def test_no_text_passes_that_a_later_piece_would_have_taken_back(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    scanner = StopScanner(sequences)
    expected, _ = first_to_complete(text, sequences)
    passed = ""
    for piece in cut(text, cuts):
        passed += scanner.feed(piece)
        assert expected.startswith(passed)
