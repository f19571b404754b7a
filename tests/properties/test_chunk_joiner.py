"""The chunk joiner before h11: any answer, broken ones too, cut anywhere, is read the same.

`JOINER_EXAMPLES=100000 python -m pytest tests/properties/test_chunk_joiner.py` tries more cases.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_openrouter_o3._http.chunk_joiner import MAX_HEAD, ChunkJoiner
from tests.fuzz.targets.chunks import Reading, compare
from tests.helpers.wire import split

EXAMPLES = int(os.environ.get("JOINER_EXAMPLES", "100"))

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"

cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=6)
chunk_bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
line_ends = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b""])
head_lines = st.sampled_from(
    [
        b"transfer-encoding: chunked",
        b"Transfer-Encoding:  Chunked \t",
        b"transfer-encoding: gzip, chunked",
        b"transfer-encoding : chunked",
        b"content-length: 5",
        b"Content-Length: 0",
        b"content-length: 5, 5",
        b"content-length: -1",
        b"connection: close",
        b"x: y",
        b" folded",
        b": nameless",
    ]
)
status_lines = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 6
    + [
        b"HTTP/1.1 200",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 103 Early Hints",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 500 \xe9",
        b"HTTP/2 200 OK",
        b"",
    ]
)
body_parts = st.one_of(
    st.binary(min_size=1, max_size=20).map(lambda body: b"%x\r\n%s\r\n" % (len(body), body)),
    st.binary(max_size=6),
    st.sampled_from(
        [
            b"0\r\n\r\n",
            b"0\r\n",
            b"00\r\n\r\n",
            b"0\r\n\n",
            b"0;last\r\n\r\n",
            b"0\r\nx: y\r\n\r\n",
            b"5;extension=1\r\nhello\r\n",
            b"5 \r\nhello\r\n",
            b"A\r\n0123456789\r\n",
            b"5\r\nhelloXX",
            b"5\r\nhello\n",
            b"ffffffffffffffff\r\n",
            b"10000000000000000000000\r\n",
            b"-1\r\n",
            b"g\r\n",
            b"\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        ]
    ),
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = [draw(status_lines), *draw(st.lists(head_lines, max_size=4)), b""]
    return b"".join(line + draw(line_ends) for line in lines)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    head = draw(st.one_of(st.just(HEAD), st.just(SIZED), heads(), heads().map(INTERIM.__add__)))
    return b"".join([head, *draw(st.lists(body_parts, max_size=8))])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    answer = bytearray(draw(answers()))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(answer)))
        answer[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(answer)


@settings(max_examples=EXAMPLES)
@given(damaged(), cuts)
def test_h11_reads_the_same_behind_a_joiner(answer: bytes, positions: list[int]) -> None:
    compare([piece for piece in split(answer, *positions) if piece])


@settings(max_examples=EXAMPLES)
@given(chunk_bodies, cuts, st.sampled_from([b"", INTERIM]))
def test_a_plain_chunked_answer_is_clean_at_its_end(
    bodies: list[bytes], positions: list[int], before: bytes
) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies)
    answer = before + HEAD + chunks + b"0\r\n\r\n"
    assert compare([piece for piece in split(answer, *positions) if piece]).is_clean
    assert not compare([answer + b"?"]).is_clean


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=60), cuts)
def test_a_plain_sized_answer_is_clean_at_its_end(body: bytes, positions: list[int]) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert compare([piece for piece in split(answer, *positions) if piece]).is_clean
    assert not compare([answer + b"?"]).is_clean


@given(chunk_bodies)
def test_whole_chunks_become_one(bodies: list[bytes]) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies)
    joined = ChunkJoiner().feed(HEAD + chunks + b"0\r\n\r\n")
    content = b"".join(bodies)
    one = b"%x\r\n%s\r\n" % (len(content), content) if content else b""
    assert joined == HEAD + one + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\r\n folded\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\n",
    ],
)
def test_below_an_odd_head_nothing_is_joined(head: bytes) -> None:
    body = b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    joiner = ChunkJoiner()
    assert joiner.feed(head + body) == head + body
    assert not joiner.is_clean


def test_a_head_without_end_is_handed_through() -> None:
    endless = b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD + 1)
    compare([endless[:1_000], endless[1_000:], b"z"])


def test_a_joiner_tells_how_far_an_answer_has_come() -> None:
    joiner = ChunkJoiner()
    assert (joiner.has_begun, joiner.awaits_head) == (False, True)
    joiner.feed(INTERIM)
    assert (joiner.has_begun, joiner.awaits_head, joiner.interim_heads) == (True, True, 1)
    joiner.feed(HEAD)
    assert (joiner.has_begun, joiner.awaits_head) == (True, False)


def test_a_reading_takes_nothing_behind_its_end() -> None:
    reading = Reading()
    reading.feed(SIZED + b"0123456789")
    reading.feed(b"?")
    assert (reading.body, reading.ending) == (b"0123456789", "end")
