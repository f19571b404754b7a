"""Answers: whatever comes, it is one message or one typed error, the same in every mode."""

from __future__ import annotations

from tests.fuzz.outcome import check_answer
from tests.fuzz.payloads import body_bytes, stream_bytes
from tests.fuzz.source import ByteSource

HEADERS: list[dict[str, str]] = [{}, {"x-generation-id": "gen-of-the-header"}]
STOPS: list[tuple[str, ...]] = [(), ("END",), ("ab", "b", "\n\n")]


def answer(data: bytes) -> None:
    """Any bytes as the body of a 200 answer.

    An input is a byte for the headers, one for the stop sequences, cuts, and the body.
    """
    source = ByteSource(data)
    headers, stop, cuts = source.choice(HEADERS), source.choice(STOPS), source.cuts()
    check_answer(source.rest(), cuts, stop, headers)


def payloads(data: bytes) -> None:
    """OpenRouter's chunks and bodies, bent: fields missing, doubled, odd, of wrong types."""
    source = ByteSource(data)
    headers, stop, cuts = source.choice(HEADERS), source.choice(STOPS), source.cuts()
    whole = body_bytes(source) if source.flag() else stream_bytes(source)
    check_answer(whole, cuts, stop, headers)
