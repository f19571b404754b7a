"""Answers that are late, slow, compressed, mislabelled or enormous."""

from __future__ import annotations

import zlib
from typing import Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator, Fault, faults
from langchain_openrouter_o3.emulator.faults.bodies import Encoding
from tests.helpers.emulator_client import ask, user

WORDS = ["a", "b", "c", "d"]
COMMENT = ": OPENROUTER PROCESSING"
PADDING = "\n         \n"
WINDOW_BITS = {"gzip": 31, "deflate": 15, "raw-deflate": -15}
both = pytest.mark.parametrize("stream", [True, False])
flags = pytest.mark.parametrize("encoding", WINDOW_BITS)


def post(emulator: Emulator, **more: Any) -> httpx.Response:
    body = {"model": "openai/o3-mini", "messages": [user("echo a b c d")], **more}
    url = f"{emulator.base_url}/chat/completions"
    return httpx.post(url, json=body, headers={"authorization": "Bearer k"}, timeout=30)


@pytest.mark.parametrize(
    "fault",
    [
        faults.stall(0.05),
        faults.stall(0.05, at="after-headers"),
        faults.stall(0.05, at="after-events", events=2),
        faults.stall(0.05, at="mid-event"),
        faults.stall(0.05, at="mid-character"),
        faults.stall(0.05, at="before-done"),
        faults.pace(0.001),
        faults.trickle(7),
        faults.trickle(500, pause=0.001),
        faults.comments(0.001, count=3),
        faults.comments(0.001, count=3, at="after-events", events=2),
        faults.huge_event(100_000),
        faults.huge_event(100_000, events=2),
    ],
)
def test_a_late_or_slow_answer_is_whole(emulator: Emulator, fault: Fault) -> None:
    emulator.play(fault, fault)
    answer = ask(emulator)
    assert answer.words == WORDS
    assert answer.is_whole
    assert answer.body.endswith(b"[DONE]\n\n")
    assert ask(emulator, stream=False).json["choices"][0]["message"]["content"] == "a b c d"


@pytest.mark.parametrize(
    ("fault", "beginning"),
    [
        (faults.stall(30, at="after-headers"), b""),
        (faults.comments(0.01), b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"),
        (faults.pace(30), b": OPENROUTER PROCESSING\n\n"),
        (faults.trickle(1, pause=30), b":"),
    ],
)
def test_a_client_that_gives_up_is_noticed(
    emulator: Emulator, fault: Fault, beginning: bytes
) -> None:
    emulator.play(fault)
    body = {"model": "openai/o3-mini", "messages": [user("echo a b c d")], "stream": True}
    url = f"{emulator.base_url}/chat/completions"
    headers = {"authorization": "Bearer k"}
    received = b""
    with httpx.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
        pieces = answer.iter_raw()
        while received != beginning:
            received += next(pieces)
            assert beginning.startswith(received)
    assert emulator.requests[0].wait_disconnected(30)


def test_a_stall_before_the_headers_is_a_time_out(emulator: Emulator) -> None:
    emulator.play(faults.stall(30))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{emulator.base_url}/chat/completions", timeout=0.2)


def test_comments_come_where_they_are_told_to(emulator: Emulator) -> None:
    emulator.play(faults.comments(0.001, count=5))
    emulator.play(faults.comments(0.001, count=5, at="after-events", events=2))
    first, later = ask(emulator), ask(emulator)
    assert first.events[:5] == [COMMENT] * 5
    place = next(i for i, event in enumerate(later.events) if '"content":" b"' in event)
    assert later.events[place + 1 : place + 6] == [COMMENT] * 5


def test_the_comments_of_a_json_body_are_white_space(emulator: Emulator) -> None:
    emulator.play(faults.comments(0.001, count=5))
    assert ask(emulator, stream=False).body.decode().startswith(PADDING * 6 + "{")


def test_a_trickle_cuts_the_body_anywhere(emulator: Emulator) -> None:
    emulator.play(faults.trickle(1, pause=0.001))
    with httpx.stream("POST", f"{emulator.base_url}/chat/completions", timeout=30) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 10
    assert b"".join(pieces).startswith(b'{"error":')


@both
@pytest.mark.parametrize("events", [0, 2])
def test_one_event_has_the_size_that_was_asked_for(
    emulator: Emulator,
    events: int,
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(faults.huge_event(300_000, events=events))
    answer = ask(emulator, stream=stream)
    sizes = [len(event) + 2 for event in answer.body.split(b"\n\n")]
    assert 300_000 in sizes if stream else len(answer.body.strip()) == 300_000


@flags
@both
def test_a_compressed_body_is_whole(
    emulator: Emulator,
    encoding: Encoding,
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(faults.compress(encoding), faults.compress(encoding))
    answer = ask(emulator, stream=stream)
    assert answer.headers["content-encoding"] == encoding.removeprefix("raw-")
    inflater = zlib.decompressobj(WINDOW_BITS[encoding])
    assert b"a b c d" in inflater.decompress(answer.body) or stream
    assert inflater.eof
    assert post(emulator, stream=stream).text.strip().endswith("[DONE]" if stream else "}")


@flags
@both
def test_a_compressed_body_breaks_in_its_middle(
    emulator: Emulator,
    encoding: Encoding,
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(faults.compress(encoding, damage="cut"))
    emulator.play(faults.compress(encoding, damage="corrupt"))
    cut, corrupt = ask(emulator, stream=stream), ask(emulator, stream=stream)
    assert cut.is_whole
    assert corrupt.is_whole
    inflater = zlib.decompressobj(WINDOW_BITS[encoding])
    inflater.decompress(cut.body)
    assert not inflater.eof
    with pytest.raises(zlib.error):
        zlib.decompressobj(WINDOW_BITS[encoding]).decompress(corrupt.body)


@both
@pytest.mark.parametrize("value", ["application/json", "text/event-stream", "text/html", ""])
def test_a_body_lies_about_its_type(
    emulator: Emulator,
    value: str,
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(faults.content_type(value))
    answer = ask(emulator, stream=stream)
    assert answer.headers["content-type"] == value
    assert answer.words == WORDS if stream else answer.json["choices"]


def test_several_faults_strike_one_answer(emulator: Emulator) -> None:
    emulator.play(
        faults.together(faults.content_type("text/plain"), faults.reset("after-events", events=2)),
        faults.together(faults.error_in_stream(events=1), faults.compress("gzip")),
        faults.together(faults.status(503), faults.trickle(3)),
    )
    labelled = ask(emulator)
    assert (labelled.headers["content-type"], labelled.words) == ("text/plain", ["a", "b"])
    assert labelled.is_reset
    assert b'"error"' in zlib.decompress(ask(emulator).body, wbits=31)
    assert ask(emulator).json["error"]["code"] == 503
