"""Recognising what came: JSON, events, or neither."""

from __future__ import annotations

import math
from typing import Any

import pytest

from langchain_openrouter_o3._http import body as body_module
from langchain_openrouter_o3._http.body import BodyDecoder
from langchain_openrouter_o3._http.sse import SSEDecoder
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from langchain_openrouter_o3.errors.failure import says_failure, says_something
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from tests.helpers.wire import PADDING


def decode(*pieces: bytes) -> list[Any]:
    decoder = BodyDecoder()
    return [*(item for piece in pieces for item in decoder.feed(piece)), *decoder.finish()]


@pytest.mark.parametrize(
    ("pieces", "framing"),
    [
        ([b"{"], "json"),
        ([PADDING * 30, b"{"], "json"),
        ([b"\xef\xbb\xbf", b" {"], "json"),
        ([b"\xef\xbb\xbf \n", b" {"], "json"),
        ([b"data:"], "events"),
        ([b": OPENROUTER PROCESSING"], "events"),
        ([b"\n\n", b"ev", b"ent: x"], "events"),
        ([b"\xef", b"\xbb", b"\xbfdata: 1"], "events"),
        ([b"  \n"], "unknown"),
        ([b"da"], "unknown"),
        ([b"\xef"], "unknown"),
        ([b""], "unknown"),
    ],
)
def test_the_first_bytes_that_tell_decide_the_framing(pieces: list[bytes], framing: str) -> None:
    decoder = BodyDecoder()
    for piece in pieces:
        assert list(decoder.feed(piece)) == []
    assert decoder.framing == framing


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PADDING,
        b"da",
        b"<!DOCTYPE html>",
        b"[1]",
        b"null",
        b"upstream error",
        *(b"idle timeout", b"database connection failed", b"data"),
        b"{",
        b"{}{}",
        b'{"a": "\xff"}',
        b"data: [1]\n\n",
        b"data: nonsense\n\n",
        b"data: {\ndata:\n\n",
    ],
)
def test_what_is_no_answer_is_refused_with_an_excerpt(data: bytes) -> None:
    with pytest.raises(OpenRouterMalformedResponseError, match="Malformed answer"):
        decode(data)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5_000])
def test_a_number_that_python_or_json_does_not_know_costs_nothing(number: str) -> None:
    """It stands in facts beside an answer, such as its price, and is no number and no text."""
    body = f'{{"a": [{number}, 0.5, 7]}}'.encode()
    expected: Any = {"a": [math.inf, 0.5, 7]}
    assert decode(body) == decode(b"data: " + body + b"\n\n") == [expected]
    error = error_from_payload(BodyDecoder.decode_error(body), status=400)
    assert error.body == {"a": [number, 0.5, 7]}


def test_the_excerpt_is_short_and_the_event_is_numbered() -> None:
    with pytest.raises(OpenRouterMalformedResponseError, match="event 3 of the stream") as caught:
        decode(b'data: {"a":1}\n\ndata: {}\n\ndata: ' + b"x" * 5_000 + b"\n\n")
    assert len(str(caught.value)) < 500


def test_payloads_before_a_broken_event_are_given_first() -> None:
    received = BodyDecoder().feed(b'data: {"a":1}\n\ndata: {\n\n')
    assert next(received) == {"a": 1}
    with pytest.raises(OpenRouterMalformedResponseError):
        next(received)


def test_what_follows_the_end_marker_is_ignored() -> None:
    decoder = BodyDecoder()
    assert list(decoder.feed(b"data: {}\n\ndata: [DONE]\n\ndata: {\n\n")) == [{}]
    assert decoder.done
    assert list(decoder.feed(b"data: nonsense\n\n")) == []


def test_what_an_event_named_error_says_is_an_error() -> None:
    data = b'event: error\ndata: No\n\ndata: {}\n\nerror: {"message": "No"}\n\ndata: {}\n\n'
    said = {"event": "error", "error": {"message": "No"}}
    assert decode(data) == [said, {}, said, {}]
    assert decode(b"data: [DONE]\n\nevent: error\ndata: No\n\n") == []
    (silent,) = decode(b"event: error\ndata: null\n\n")
    assert says_failure(silent, whole=False)


@pytest.mark.parametrize("cut", [1, 7, 999])
@pytest.mark.parametrize(
    "body",
    [
        b' data: {"a":1}\n\n\tdata: {"b":2}\n\n',
        b': x\n\n{"a":1}\n{"b":2}',
        b'data: {"a":1}\n{\n  "b":\n  2\n }\n: x\n\n',
        b': x\n{"a":1}\ndata: {"b":2}\n\n',
        b': x\n\n  {\n  "a":1}\n\nevent: x\n{"b":2}\n\n',
    ],
)
def test_blanks_before_a_field_and_json_without_one_lose_nothing(body: bytes, cut: int) -> None:
    payloads = decode(*(body[at : at + cut] for at in range(0, len(body), cut)))
    assert {**payloads[0], **payloads[1], "event": None} == {"a": 1, "b": 2, "event": None}


def test_an_error_too_deep_to_be_read_is_one() -> None:
    deep: Any = None
    for _ in range(100):
        deep = [deep]
    assert says_something(deep)


def test_empty_data_is_no_payload() -> None:
    assert decode(b"data:\n\ndata\n\ndata: {}\n\n") == [{}]


def test_a_stream_that_ends_inside_an_event_ends_too_early() -> None:
    with pytest.raises(EOFError):
        decode(b'data: {"a":')


def test_an_event_that_only_lacks_its_blank_line_counts() -> None:
    assert decode(b'data: {"a":1}') == [{"a": 1}]


def test_a_body_beyond_any_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "MAX_JSON_BODY", 100)
    decoder = BodyDecoder()
    list(decoder.feed(b"{"))
    with pytest.raises(OpenRouterMalformedResponseError, match="larger than 100 bytes"):
        list(decoder.feed(b"x" * 200))


def test_an_event_beyond_any_size_is_refused() -> None:
    decoder = BodyDecoder()
    decoder._events = SSEDecoder(limit=100)
    with pytest.raises(OpenRouterMalformedResponseError, match="larger than 100 bytes"):
        list(decoder.feed(b"data: " + b"x" * 200))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"error": {"code": 429}}', {"error": {"code": 429}}),
        (b"<html>busy</html>\n", {"error": {"message": "<html>busy</html>"}}),
        (b"  \n", {}),
        (b"\xff", {"error": {"message": "\ufffd"}}),
        (b"[" * 100_000, {"error": {"message": "[" * 100_000}}),
    ],
    ids=["json", "html", "empty", "binary", "deep"],
)
def test_the_body_of_an_error_status_is_json_or_its_text(data: bytes, expected: Any) -> None:
    assert BodyDecoder.decode_error(data) == expected


def test_white_space_may_last_but_not_in_one_line() -> None:
    decoder = BodyDecoder()
    for _ in range(100):
        assert list(decoder.feed(b" " * 1_000 + b"\n")) == []
    assert list(decoder.feed(b" {}")) == []
    assert list(decoder.finish()) == [{}]
    endless = BodyDecoder()
    with pytest.raises(OpenRouterMalformedResponseError, match="white space in a line"):
        list(endless.feed(b" " * 100_000))


@pytest.mark.parametrize("cut", [1, 4, 99])
@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf\n\n\xef\xbb\xbf\n\ndata: {}\n\ndata: {}\n\n",
        b"\xef\xbb\xbfdata: {}\n\n\xef\xbb\xbfdata: {}\n\n",
        b"\0\0: x\n\n\0data: {}\n\n\0\0data: {}\n\n\0",
        b"data: {}\n\n\xef\xbb\xbf{}\n\n",
    ],
)
def test_byte_order_marks_and_zero_bytes_before_a_field_lose_nothing(body: bytes, cut: int) -> None:
    assert decode(*(body[at : at + cut] for at in range(0, len(body), cut))) == [{}, {}]


def test_byte_order_marks_and_zero_bytes_around_a_body_lose_nothing() -> None:
    assert decode(b'\0\n\xef\xbb\xbf\xef\xbb\xbf{"a":1}\0') == [{"a": 1}]
