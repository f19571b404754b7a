"""The decoder of server-sent events against a whole-text reading of the WHATWG's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3._http.body import BodyDecoder
from langchain_openrouter_o3._http.sse import EventTooLargeError, SSEDecoder
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from tests.fuzz import reference
from tests.helpers.wire import split, sse, to_json

BOM = "\ufeff"
CUTS = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)

# No line ends inside, everything else that str.splitlines would cut at, and astral characters.
VALUES = st.text(
    st.one_of(
        st.sampled_from("\u2028\u2029\x85\x0b\x0c\x1c\x00\ufeff :😀{}"),
        st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]),
    ),
    max_size=12,
)
NAMES = ["data", "data", "data", "event", "error", "id", "retry", "dat", "datas", "errors", "", "x"]
FIELDS = st.sampled_from(NAMES)
LINES = st.one_of(
    st.just(""),
    st.builds("{}:{}".format, FIELDS, VALUES),
    st.builds("{}: {}".format, FIELDS, VALUES),
    st.just(": OPENROUTER PROCESSING"),
    st.builds(" {}:{}".format, FIELDS, VALUES),
    st.sampled_from(
        ['{"a":', ' {"a":', "1}", ' "data": 1}', "event:", "event: ERROR", "event:failed"]
    ),
    FIELDS,
    VALUES,
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> str:
    lines = draw(st.lists(st.tuples(LINES, ENDS), max_size=15))
    last = draw(st.one_of(st.just(""), LINES))
    start = draw(st.sampled_from(["", BOM, BOM + BOM]))
    return start + "".join(line + end for line, end in lines) + last


def interpret(text: str) -> tuple[list[str], list[str]]:
    """Read a whole stream by the book: its events, and the one that its end leaves unfinished."""
    events, unfinished = reference.interpret(text.encode())
    return [data.decode() for data in events], [data.decode() for data in unfinished]


def decode(pieces: list[bytes]) -> tuple[list[str], list[str]]:
    decoder = SSEDecoder()
    events = [event.decode() for piece in pieces for event in decoder.feed(piece)]
    return events, [event.decode() for event in decoder.flush()]


@given(text=streams(), cuts=CUTS)
def test_any_split_of_any_stream_gives_the_events_of_the_specification(
    text: str, cuts: list[int]
) -> None:
    assert decode(split(text.encode(), *cuts)) == interpret(text)


@given(text=streams())
def test_single_bytes_give_the_same_events_as_the_whole(text: str) -> None:
    data = text.encode()
    assert decode([data[i : i + 1] for i in range(len(data))]) == decode([data])


@given(data=st.binary(max_size=60), cuts=CUTS)
def test_bytes_that_are_no_text_never_raise_and_do_not_depend_on_the_split(
    data: bytes, cuts: list[int]
) -> None:
    def events(pieces: list[bytes]) -> list[bytes]:
        decoder = SSEDecoder()
        return [*(e for piece in pieces for e in decoder.feed(piece)), *decoder.flush()]

    assert events(split(data, *cuts)) == events([data])


@given(
    lines=st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=8),
    limit=st.integers(min_value=10, max_value=60),
    cuts=CUTS,
)
def test_an_event_beyond_the_limit_is_refused_and_one_far_below_it_passes(
    lines: list[int], limit: int, cuts: list[int]
) -> None:
    data = b"".join(b"data: " + b"x" * size + b"\n" for size in lines) + b"\n"
    decoder = SSEDecoder(limit)
    if sum(lines) > limit:
        with pytest.raises(EventTooLargeError):
            [decoder.feed(piece) for piece in split(data, *cuts)]
    elif len(data) <= limit:
        events = [event for piece in split(data, *cuts) for event in decoder.feed(piece)]
        assert len(b"".join(events)) == sum(lines) + len(lines) - 1


@given(size=st.integers(min_value=1, max_value=30))
def test_a_line_without_end_cannot_grow_beyond_the_limit(size: int) -> None:
    decoder = SSEDecoder(limit=100)
    pieces = [decoder.feed(b"data: ") for _ in range(3)]
    with pytest.raises(EventTooLargeError):
        pieces += [decoder.feed(b"x" * size) for _ in range(200)]
    assert pieces == [[], [], []]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4), JSON, max_size=4
)


def payloads(pieces: list[bytes]) -> list[dict[str, Any]]:
    decoder = BodyDecoder()
    return [*(item for piece in pieces for item in decoder.feed(piece)), *decoder.finish()]


@given(
    value=OBJECTS,
    padding=st.text(st.sampled_from(" \n\r\t"), max_size=30),
    bom=st.booleans(),
    cuts=CUTS,
)
def test_a_padded_body_gives_its_object_however_it_is_split(
    value: dict[str, Any], padding: str, cuts: list[int], *, bom: bool
) -> None:
    data = (BOM if bom else "").encode() + padding.encode() + to_json(value) + padding.encode()
    assert payloads(split(data, *cuts)) == [json.loads(to_json(value))]


@given(
    values=st.lists(OBJECTS, min_size=1, max_size=5),
    comments=st.integers(min_value=0, max_value=3),
    start=st.sampled_from(["", "\n", "\r\n\r\n", BOM, "event: message\n", "id: 1\n", "retry: 5\n"]),
    done=st.booleans(),
    cuts=CUTS,
)
def test_a_stream_gives_its_objects_however_it_is_split(
    values: list[dict[str, Any]], comments: int, start: str, cuts: list[int], *, done: bool
) -> None:
    data = start.encode() + sse(*[": OPENROUTER PROCESSING"] * comments, *values, done=done)
    assert payloads(split(data, *cuts)) == json.loads(to_json(values))


@given(value=OBJECTS, cut=st.integers(min_value=1, max_value=10_000))
def test_a_stream_cut_inside_its_last_event_ends_with_eof_or_with_the_whole_event(
    value: dict[str, Any], cut: int
) -> None:
    whole = sse(value, done=False)
    data = whole[: max(6, len(whole) - cut)]
    try:
        received = payloads([data])
    except EOFError:
        received = []
    assert received in ([], [json.loads(to_json(value))])


@given(
    data=st.one_of(
        st.binary(max_size=80),
        st.builds(lambda start, rest: start + rest, st.sampled_from(
            [b"{", b"data: ", b"data: {", b":", b"\xef\xbb\xbf", b"event", b'{"a":1}', b"[", b"<"]
        ), st.binary(max_size=40)),
    ),
    cuts=CUTS,
)  # fmt: skip
def test_garbage_raises_the_two_known_errors_and_no_other(data: bytes, cuts: list[int]) -> None:
    try:
        received = payloads(split(data, *cuts))
    except (OpenRouterMalformedResponseError, EOFError):
        return
    assert all(isinstance(item, dict) for item in received)


@given(data=st.binary(max_size=80))
def test_the_body_of_an_error_status_is_always_decoded(data: bytes) -> None:
    decoded = BodyDecoder.decode_error(data)
    assert decoded is None or isinstance(decoded, (dict, list, str, int, float))
