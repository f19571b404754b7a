"""The chat model answers every fault with a message or with an error of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import get_args

import httpx
import pytest
from langchain_core.messages import AIMessage

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError, OpenRouterTimeoutError
from langchain_openrouter_o3.emulator import Emulator, Fault, faults
from langchain_openrouter_o3.emulator.faults.bodies import Shape
from langchain_openrouter_o3.emulator.faults.position import Where
from langchain_openrouter_o3.emulator.serving.connection import TLS_FAILURES, TlsFailure
from tests.helpers.modes import every_mode, outcome

PLACES = get_args(Where)
PATIENT_SECONDS, HASTY_SECONDS = 30, 0.3
GOOD: dict[str, Fault] = {
    "stall": faults.stall(0.05),
    "stall in an event": faults.stall(0.05, at="mid-event"),
    "stall in a character": faults.stall(0.05, at="mid-character"),
    "pace": faults.pace(0.001),
    "comments": faults.comments(0.001, count=5),
    "late comments": faults.comments(0.001, count=5, at="after-events"),
    "trickle": faults.trickle(50),
    "huge event": faults.huge_event(1_000_000),
    "type json": faults.content_type("application/json"),
    "type events": faults.content_type("text/event-stream"),
    "type html": faults.content_type("text/html"),
    **{f"{name}": faults.compress(name) for name in ("gzip", "deflate", "raw-deflate")},
}
BAD: dict[str, Fault] = {
    **{f"status {code}": faults.status(code) for code in (302, 400, 401, 402, 403, 404, 413)},
    **{f"status {code}": faults.status(code) for code in (204, 408, 429, 500, 503, 529, 599)},
    "status 200": faults.status(200),
    "no body": faults.status(200, body=""),
    "not UTF-8": faults.status(200, body=b"\xff\xfe{"),
    "after 2": faults.status(429, retry_after=2),
    "after ages": faults.status(429, retry_after=10**30),
    "after nonsense": faults.status(429, retry_after="soon"),
    "after infinity": faults.status(429, retry_after="inf"),
    "after 2 ms": faults.status(429, retry_after_ms=2),
    "after nonsense ms": faults.status(429, retry_after_ms="NaN"),
    "after a date": faults.status(503, retry_after_date=60),
    "after a past date": faults.status(503, retry_after_date=-60),
    "after, in the body": faults.status(503, retry_after_body=1),
    "after nonsense, in the body": faults.status(503, retry_after_body="soon"),
    "html 502": faults.html(),
    "html 200": faults.html(200),
    "html as json": faults.html(200, content_type="application/json"),
    "html as events": faults.html(200, content_type="text/event-stream"),
    "error in body": faults.error_in_body(429),
    "error in choice": faults.error_in_body(502, where="choice"),
    **{
        f"error {shape} after {events}": faults.error_in_stream(shape, events=events)
        for shape in get_args(Shape)
        for events in (0, 2)
    },
    **{f"reset {at}": faults.reset(at) for at in PLACES if at != "before-done"},
    **{f"close {at}": faults.close(at) for at in PLACES if at != "before-done"},
    "end after-headers": faults.end("after-headers"),
    "end mid-event": faults.end("mid-event"),
    "end mid-character": faults.end("mid-character"),
    "end before-finish": faults.end("before-finish"),
    "corrupt gzip": faults.compress("gzip", damage="corrupt"),
    "corrupt deflate": faults.compress("deflate", damage="corrupt"),
    "cut gzip": faults.compress("gzip", damage="cut"),
}
LATE: dict[str, Fault] = {at: faults.stall(30, at=at) for at in PLACES}
EITHER: dict[str, Fault] = {
    "end after-events": faults.end("after-events"),
    "end before-usage": faults.end("before-usage"),
    "end before-done": faults.end("before-done"),
    "reset before-done": faults.reset("before-done"),
    "close before-done": faults.close("before-done"),
    "event too large": faults.huge_event(34_000_000),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def answer(
    emulator: Emulator, mode: str, fault: Fault, seconds: float = PATIENT_SECONDS
) -> AIMessage | OpenRouterError:
    """Let the model meet a fault; anything but these two types is an error of the test."""
    emulator.reset()
    emulator.play(fault)
    # Only the wait for the answer is short: a slow machine takes its time to connect.
    timeout = httpx.Timeout(PATIENT_SECONDS, read=seconds)
    model = ChatOpenRouterO3(
        base_url=emulator.base_url, api_key="k", max_retries=0, timeout=timeout
    )
    result = outcome(mode, model)
    assert len(emulator.requests) == 1
    return result


@every_mode
@pytest.mark.parametrize("name", GOOD)
def test_a_late_or_odd_answer_is_an_answer(server: Emulator, mode: str, name: str) -> None:
    assert isinstance(answer(server, mode, GOOD[name]), AIMessage)


@every_mode
@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_an_error_of_our_own(server: Emulator, mode: str, name: str) -> None:
    assert isinstance(answer(server, mode, BAD[name]), OpenRouterError)


@every_mode
@pytest.mark.parametrize("at", LATE)
def test_an_answer_that_stands_still_is_an_error_of_our_own(
    server: Emulator, mode: str, at: str
) -> None:
    result = answer(server, mode, LATE[at], HASTY_SECONDS)
    # Behind the finish reason all has come, and the model may be content with that.
    assert isinstance(result, (OpenRouterTimeoutError, AIMessage))
    assert isinstance(result, OpenRouterTimeoutError) or at in {"before-usage", "before-done"}


@every_mode
@pytest.mark.parametrize("name", EITHER)
def test_an_answer_that_lacks_little_is_nothing_else(
    server: Emulator, mode: str, name: str
) -> None:
    assert isinstance(answer(server, mode, EITHER[name]), (AIMessage, OpenRouterError))


@every_mode
def test_a_server_that_goes_away_is_an_error_of_our_own(mode: str) -> None:
    with Emulator() as emulator:
        assert isinstance(answer(emulator, mode, faults.refuse(60)), OpenRouterError)


@every_mode
def test_a_closed_port_is_an_error_of_our_own(server: Emulator, mode: str) -> None:
    server.reset()
    model = ChatOpenRouterO3(base_url=server.base_url, api_key="k", max_retries=0)
    with server.refusing_connections():
        assert isinstance(outcome(mode, model), OpenRouterError)
    assert server.requests == []


@every_mode
@pytest.mark.parametrize("kind", TLS_FAILURES)
def test_a_failed_handshake_is_an_error_of_our_own(mode: str, kind: TlsFailure) -> None:
    seconds = HASTY_SECONDS if kind == "silence" else PATIENT_SECONDS
    with Emulator(tls_failure=kind) as emulator:
        model = ChatOpenRouterO3(
            base_url=emulator.tls_url, api_key="k", max_retries=0, timeout=seconds
        )
        assert isinstance(outcome(mode, model), OpenRouterError)


def test_endless_comments_end_when_the_server_does() -> None:
    """Each comment restarts httpx's read time-out, so the server has the last word."""
    with Emulator() as emulator:
        emulator.play(faults.comments(0.01))
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="k", max_retries=0)
        results: list[AIMessage | OpenRouterError] = []
        asking = threading.Thread(target=lambda: results.append(outcome("stream", model)))
        asking.start()
        while not emulator.requests:
            threading.Event().wait(0.01)
    asking.join(30)
    assert [isinstance(result, OpenRouterError) for result in results] == [True]
