"""Errors as an HTTP status, as a page, in a 200 body and in a stream."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, get_args

import pytest

from langchain_openrouter_o3.emulator import Emulator, Fault, faults
from langchain_openrouter_o3.emulator.faults.bodies import Shape
from tests.helpers.emulator_client import ask


@pytest.mark.parametrize("code", [200, 302, 400, 429, 503, 529, 599])
def test_any_status_has_openrouters_error(emulator: Emulator, code: int) -> None:
    emulator.play(faults.status(code, message="No", error_type="x_y"))
    answer = ask(emulator)
    assert answer.status == code
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"] == {
        "message": "No",
        "code": code,
        "metadata": {"error_type": "x_y", "provider_name": "OpenAI"},
    }
    assert answer.json["user_id"].startswith("user_")


@pytest.mark.parametrize("body", ["héllo", "héllo".encode(), b"\xff\x00", b""])
def test_any_status_has_any_body_and_headers(emulator: Emulator, body: str | bytes) -> None:
    emulator.play(faults.status(418, body=body, headers={"X-A": "b", "Content-Type": "text/x"}))
    answer = ask(emulator)
    assert answer.status == 418
    assert (answer.headers["x-a"], answer.headers["content-type"]) == ("b", "text/x")
    assert answer.body == (body.encode() if isinstance(body, str) else body)


def test_a_status_without_a_body_has_none(emulator: Emulator) -> None:
    emulator.play(faults.status(204))
    answer = ask(emulator)
    assert (answer.status, answer.body, answer.is_whole) == (204, b"", True)


@pytest.mark.parametrize(
    ("wait", "name", "value"),
    [
        ({"retry_after": 2}, "retry-after", "2"),
        ({"retry_after": 0.5}, "retry-after", "0.5"),
        ({"retry_after": 10**12}, "retry-after", "1000000000000"),
        ({"retry_after": "soon"}, "retry-after", "soon"),
        ({"retry_after": -1}, "retry-after", "-1"),
        ({"retry_after_ms": 1500}, "retry-after-ms", "1500"),
        ({"retry_after_ms": "NaN"}, "retry-after-ms", "NaN"),
    ],
)
def test_a_wait_is_asked_for_in_a_header(
    emulator: Emulator, wait: dict[str, Any], name: str, value: str
) -> None:
    emulator.play(faults.status(429, **wait))
    assert ask(emulator).headers[name] == value


def test_a_wait_is_asked_for_as_a_date_that_counts_from_the_answer(emulator: Emulator) -> None:
    fault = faults.status(503, retry_after_date=3600)
    before = int(time.time())
    emulator.play(fault)
    value = ask(emulator).headers["retry-after"]
    assert value.endswith(" GMT")
    assert before + 3600 <= parsedate_to_datetime(value).timestamp() <= time.time() + 3600


@pytest.mark.parametrize("wait", [0.5, "soon"])
@pytest.mark.parametrize("maker", [faults.error_in_body, faults.error_in_stream, faults.status])
def test_a_wait_is_asked_for_in_the_body(emulator: Emulator, maker: Any, wait: float | str) -> None:
    name = "retry_after_body" if maker is faults.status else "retry_after"
    emulator.play(maker(code=503, **{name: wait}))
    assert ask(emulator, stream=False).json["error"]["availability"] == {"retry_after": wait}


def test_a_gateway_answers_with_a_page(emulator: Emulator) -> None:
    emulator.play(
        faults.html(), faults.html(200), faults.html(200, content_type="text/event-stream")
    )
    bad, good, lie = (ask(emulator) for _ in range(3))
    assert [answer.status for answer in (bad, good, lie)] == [502, 200, 200]
    assert all(answer.body.startswith(b"<!DOCTYPE html>") for answer in (bad, good, lie))
    assert bad.headers["content-type"] == "text/html"
    assert lie.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_stands_alone_in_a_good_status(emulator: Emulator, stream: bool) -> None:  # noqa: FBT001 - a parameter of the test
    emulator.play(faults.error_in_body(429, message="Slow"))
    answer = ask(emulator, stream=stream)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert list(answer.json) == ["error", "user_id"]
    assert answer.json["error"] == {"message": "Slow", "code": 429}


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_stands_in_a_choice_beside_half_of_the_text(
    emulator: Emulator,
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(faults.error_in_body(502, where="choice"))
    body = ask(emulator, "echo abcdefgh", stream=stream).json
    (choice,) = body["choices"]
    assert choice["message"]["content"] == "abcd"
    assert choice["error"]["code"] == 502
    assert body["id"].startswith("gen-")
    assert "error" not in body


@pytest.mark.parametrize("events", [0, 1, 3])
@pytest.mark.parametrize("shape", get_args(Shape))
def test_an_error_comes_after_some_events(emulator: Emulator, shape: Shape, events: int) -> None:
    emulator.play(faults.error_in_stream(shape, events=events, code=502, message="Gone"))
    answer = ask(emulator)
    *earlier, last = answer.payloads
    assert answer.words == ["a", "b", "c", "d"][:events]
    assert bool(earlier) == bool(events)
    assert last["error"]["message"] == "Gone"
    assert answer.is_whole
    assert answer.body.endswith(b"[DONE]\n\n") == (shape == "with-usage")


def test_the_shapes_of_errors_in_a_stream_are_the_recorded_ones(emulator: Emulator) -> None:
    emulator.play(*[faults.error_in_stream(shape) for shape in get_args(Shape)])
    usage, alone, both, empty = (ask(emulator).payloads[-1] for _ in range(4))
    head = ["id", "object", "created", "model", "provider"]
    assert list(usage) == [*head, "error", "choices", "usage"]
    assert usage["choices"][0]["finish_reason"] is None
    assert usage["usage"]["total_tokens"] > 0
    assert list(alone) == ["error", "user_id"]
    assert list(both) == [*head, "choices", "error"]
    assert both["choices"][0]["error"] == both["error"]
    assert list(empty) == [*head, "choices", "error"]
    assert empty["choices"] == []
    assert empty["error"]["metadata"]["error_type"] == "provider_unavailable"


@pytest.mark.parametrize("shape", get_args(Shape))
def test_without_a_stream_the_error_is_the_body(emulator: Emulator, shape: Shape) -> None:
    emulator.play(faults.error_in_stream(shape))
    answer = ask(emulator, stream=False)
    assert answer.json["error"]["code"] == 502
    assert answer.is_whole


@pytest.mark.parametrize("fault", [faults.status(503), faults.html(), faults.error_in_body()])
def test_a_fault_can_be_played_again(emulator: Emulator, fault: Fault) -> None:
    emulator.play(fault, fault)
    assert ask(emulator).body == ask(emulator).body
