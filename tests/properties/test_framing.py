"""HTTP bodies, cut anywhere: what we cut out is what h11 reads."""

from __future__ import annotations

import h11
import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_openrouter_o3._http.framing import (
    MAX_SIZE_LINE,
    MAX_TRAILERS,
    Body,
    ChunkedBody,
    Exchange,
)
from tests.wire import split

HEADERS = [(b"host", b"openrouter.test"), (b"content-length", b"0")]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

cuts = st.lists(st.integers(min_value=0, max_value=4_000), max_size=12)
chunk_bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
extensions = st.sampled_from([b"", b";a", b'; name="value"', b" ", b";x=1\t"])
trailers = st.lists(st.sampled_from([b"Expires: never\r\n", b"X-Sum: 1\r\n"]), max_size=2)
after = st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"?"])
nearly_chunked = st.text(alphabet="0123456789abcdefgAF;\r\n x_+-", max_size=30).map(str.encode)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    pieces = [
        (b"%x" if draw(st.booleans()) else b"%04X") % len(body)
        + draw(extensions)
        + b"\r\n"
        + body
        + b"\r\n"
        for body in draw(chunk_bodies)
    ]
    return b"".join([*pieces, b"0", draw(extensions), b"\r\n", *draw(trailers), b"\r\n"])


def by_h11(response: bytes) -> bytes | None:
    """Read a whole response with h11; None if it is none."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=b"POST", target=b"/", headers=HEADERS))
    connection.send(h11.EndOfMessage())
    body = b""
    try:
        connection.receive_data(response)
        if connection.trailing_data[1] is False:
            connection.receive_data(b"")
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return None
    except h11.RemoteProtocolError:
        return None
    return body


def by_us(response: bytes, positions: list[int]) -> tuple[bytes, Body] | None:
    exchange = Exchange(b"/", HEADERS)
    body: Body | None = None
    came = b""
    try:
        for piece in split(response, *positions):
            if body is not None:
                came += body.feed(piece) if not body.done else b""
            elif (body := exchange.feed(piece)) is not None:
                first, body.rest = body.rest, b""
                came = body.feed(first) if first else b""
        if body is None:
            return None
        body.end()
    except httpcore.RemoteProtocolError:
        return None
    return came, body


@given(body=chunked(), positions=cuts)
def test_chunked_bodies_are_what_h11_reads(body: bytes, positions: list[int]) -> None:
    found = by_us(CHUNKED + body, positions)
    assert found is not None
    assert found[0] == by_h11(CHUNKED + body)
    assert found[1].done


@given(body=chunked(), positions=cuts)
def test_a_cut_body_is_never_whole(body: bytes, positions: list[int]) -> None:
    assert by_us(CHUNKED + body[:-1], positions) is None


@given(body=chunked(), rest=after)
def test_what_follows_a_body_is_not_swallowed(body: bytes, rest: bytes) -> None:
    found = by_us(CHUNKED + body + rest, [])
    assert found is not None
    assert found[1].rest == rest


@given(body=nearly_chunked, positions=cuts)
def test_what_h11_refuses_is_refused(body: bytes, positions: list[int]) -> None:
    found = by_us(CHUNKED + body, positions)
    expected = by_h11(CHUNKED + body)
    if found is not None and found[1].done:
        assert found[0] == expected
    else:
        assert found is None


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"Hello", b"Hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", b"Hello", b"Hello"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"until the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"until the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", b""),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", b"a", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"Hell", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"Hello", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"Hello", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", b"0\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"", None),
        (b"no HTTP\r\n\r\n", b"", None),
        (b"", b"", None),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_heads_say_how_bodies_end(
    head: bytes, body: bytes, expected: bytes | None, step: int
) -> None:
    response = head + body
    found = by_us(response, list(range(0, len(response), step)))
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_only_if_the_head_allows_it(head: bytes, *, kept: bool) -> None:
    exchange = Exchange(b"/", HEADERS)
    assert exchange.feed(head) is not None
    assert exchange.keeps_alive is kept


def test_a_server_that_leaves_without_an_answer_is_named() -> None:
    with pytest.raises(httpcore.RemoteProtocolError, match="without sending a response"):
        Exchange(b"/", HEADERS).feed(b"")


def test_a_server_that_switches_protocols_is_refused() -> None:
    upgrade = [*HEADERS, (b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    exchange = Exchange(b"/", upgrade)
    with pytest.raises(httpcore.RemoteProtocolError, match="another protocol"):
        exchange.feed(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n")


def test_a_chunk_that_is_longer_than_it_says_is_refused() -> None:
    body = ChunkedBody()
    assert body.feed(b"1\r\nabc\r\n") == b"a"
    with pytest.raises(httpcore.RemoteProtocolError, match="longer than it says"):
        body.end()


def test_a_header_that_cannot_be_sent_is_a_local_error() -> None:
    with pytest.raises(httpcore.LocalProtocolError):
        Exchange(b"/", [(b"host", b"x"), (b"a", b"b\r\nc: d")])


@pytest.mark.parametrize(
    "endless",
    [b"0" * (MAX_SIZE_LINE + 2), b"1" * 21 + b"\r\n", b"0\r\n" + b"a: b\r\n" * (MAX_TRAILERS + 1)],
)
def test_sizes_and_trailers_are_bounded(endless: bytes) -> None:
    with pytest.raises(httpcore.RemoteProtocolError):
        ChunkedBody().feed(endless)
