"""Limits that say when they end, in a header, in a body, in words; and what is told of attempts."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest

from langchain_openrouter_o3 import (
    OpenRouterAPIError,
    OpenRouterRateLimitError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3._http.exchange import Sources
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.factories import NOW, STREAM, build_at_rest, error_answer, failure, hello
from tests.helpers.modes import MODES, every_mode

BACK_OFF = 0.5


def limited(metadata: Any = None, words: str = "Rate limit exceeded", **headers: str) -> Canned:
    return error_answer(429, wire.error(429, words, **(metadata or {})), **headers)


def reset(value: Any, **more: Any) -> dict[str, Any]:
    return {"headers": {"X-RateLimit-Limit": "16", "X-RateLimit-Reset": value, **more}}


def raw(words: str) -> dict[str, Any]:
    return {"raw": json.dumps({"error": {"message": words}}), "provider_name": "OpenAI"}


GOOGLE = {
    "error": {
        "code": 429,
        "message": "Quota",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "90s"}],
    }
}

LONG: dict[str, tuple[Canned, float]] = {
    "reset in ms": (limited(x_ratelimit_reset=str(int((NOW + 90) * 1000))), 90),
    "reset in s": (limited(x_ratelimit_reset=str(int(NOW + 90))), 90),
    "reset as a duration": (limited(x_ratelimit_reset="1m30s"), 90),
    "reset as seconds": (limited(x_ratelimit_reset="90"), 90),
    "reset in a list": (limited(reset(["90", "90"])), 90),
    "reset of the draft": (limited(ratelimit_reset="90"), 90),
    "reset as a date": (limited(x_ratelimit_reset="2026-07-25T17:21:30Z"), 90),
    "OpenAI's resets": (
        limited(
            x_ratelimit_remaining_requests="7",
            x_ratelimit_reset_requests="1h",
            x_ratelimit_remaining_tokens="0",
            x_ratelimit_reset_tokens="1m30s",
        ),
        90,
    ),
    "Retry-After with a unit": (limited(retry_after="90s"), 90),
    "quoted reset": (limited(reset(str(int((NOW + 90) * 1000)))), 90),
    "quoted reset as a number": (limited(reset(int((NOW + 90) * 1000))), 90),
    "quoted Retry-After": (limited(reset("1", **{"Retry-After": "90"})), 90),
    "seconds": (limited(words="Please try again in 90s."), 90),
    "seconds in words": (limited(words="Retry after 90 seconds, please"), 90),
    "minutes": (limited(words="Try again in 2 minutes"), 120),
    "parts": (limited(words="Please try again in 1m2.5s. Visit us."), 62.5),
    "parts in words": (limited(words="Wait 1 minute and 30 seconds"), 90),
    "hours": (limited(words="The limit resets in 1h2m"), 3_720),
    "from a provider": (limited(raw("Please try again in 1m30s.")), 90),
    "Google's": (limited({"raw": json.dumps(GOOGLE)}), 90),
    "metadata": (limited({"retry_after_seconds": 90}), 90),
    "milliseconds in a body": (error_answer(429, {"message": "No", "retryAfterMs": 90_000}), 90),
    "a body's own": (error_answer(429, {"message": "No", "retry_after": 90}), 90),
    "Retry-After": (limited(retry_after="90"), 90),
    "Retry-After as a date": (limited(retry_after=formatdate(NOW + 90, usegmt=True)), 90),
    "Retry-After of a 200": (
        Canned(headers={"retry-after": "90"}, pieces=wire.to_json(wire.error(429, "Slow"))),
        90,
    ),
    "Retry-After of a stream": (
        Canned(
            headers={**STREAM, "retry-after": "90"},
            pieces=wire.sse(wire.error(429, "Slow"), done=False),
        ),
        90,
    ),
    "nothing in the header": (limited(words="Try again in 90 s", retry_after="0"), 90),
}


@every_mode
@pytest.mark.parametrize("where", LONG)
def test_a_limit_that_ends_too_late_is_given_up_at_once(
    emulator: Emulator, where: str, mode: str
) -> None:
    canned, seconds = LONG[where]
    error = failure(emulator, mode, canned, max_retries=2)
    assert type(error) is OpenRouterRateLimitError
    assert error.retry_after == pytest.approx(seconds)
    assert len(emulator.requests) == error.attempts == 1
    assert f"asks to wait {seconds:g} s" in str(error)


SHORT: dict[str, tuple[Canned, float]] = {
    "reset in ms": (limited(x_ratelimit_reset=str(int((NOW + 0.03) * 1000))), 0.03),
    "milliseconds": (limited(words="Please try again in 30ms."), 0.03),
    "part of a second": (limited(words="retry in 0.03 s"), 0.03),
    "Retry-After": (limited(retry_after="0.03"), 0.03),
    "not a limit": (error_answer(503, wire.error(503, "Busy, try again in 30ms")), 0.03),
    "a 200": (Canned(pieces=wire.to_json(wire.error(429, "Try again in 30ms"))), 0.03),
    "an event": (
        Canned(headers=STREAM, pieces=wire.sse(wire.error(429, "Try again in 30ms"), done=False)),
        0.03,
    ),
    "zero": (limited(retry_after="0"), BACK_OFF),
    "negative": (limited(retry_after="-5"), BACK_OFF),
    "zero ms": (limited(retry_after_ms="0"), BACK_OFF),
    "a date that is past": (limited(retry_after=formatdate(NOW - 9, usegmt=True)), BACK_OFF),
    "a reset that is past": (limited(x_ratelimit_reset=str(int((NOW - 9) * 1000))), BACK_OFF),
    "a quoted reset that is past": (limited(reset(str(int((NOW - 9) * 1000)))), BACK_OFF),
    "nonsense": (limited(x_ratelimit_reset="soon", retry_after="later"), BACK_OFF),
    "a reset beside no limit": (
        error_answer(503, wire.error(503, "Busy"), x_ratelimit_reset=str(int((NOW + 90) * 1000))),
        BACK_OFF,
    ),
    "other numbers": (limited(words="20 requests per 60 seconds; 300 s of CPU"), BACK_OFF),
    "no server says": (limited(), BACK_OFF),
}


@every_mode
@pytest.mark.parametrize("where", SHORT)
def test_a_limit_is_waited_for_and_never_repeated_without_a_pause(
    emulator: Emulator, where: str, mode: str
) -> None:
    canned, seconds = SHORT[where]
    emulator.play(canned, hello())
    with build_at_rest(emulator, max_retries=1) as model:
        answer = MODES[mode](model)
    told = {name: answer.response_metadata[name] for name in ("attempts", "seconds_waited")}
    assert told == {"attempts": 2, "seconds_waited": pytest.approx(seconds, abs=0.002)}


@pytest.mark.parametrize("mode", MODES)
def test_jitter_makes_a_named_wait_longer_only(emulator: Emulator, mode: str) -> None:
    emulator.play(limited(retry_after="0.1"), hello())
    with build_at_rest(emulator, max_retries=1) as model:
        model._sources = Sources(jitter=lambda: 0.999)
        waited = MODES[mode](model).response_metadata["seconds_waited"]
    assert 0.1 < waited <= 0.125


@every_mode
def test_attempts_and_waits_are_told_in_answers_and_errors(emulator: Emulator, mode: str) -> None:
    busy = error_answer(503, wire.error(503, "Busy"), retry_after_ms="10")
    emulator.play(hello())
    with build_at_rest(emulator, max_retries=2) as model:
        first = MODES[mode](model)
        assert not {"attempts", "seconds_waited"} & first.response_metadata.keys()
        emulator.play(busy, busy, hello())
        answer = MODES[mode](model)
        assert answer.response_metadata["attempts"] == 3
        assert answer.response_metadata["seconds_waited"] == pytest.approx(0.02)
        emulator.play(busy, busy, busy)
        with pytest.raises(OpenRouterAPIError) as caught:
            MODES[mode](model)
    assert caught.value.attempts == 3
    assert caught.value.seconds_waited == pytest.approx(0.02)
    error = failure(emulator, mode, error_answer(400, wire.error(400, "No")), max_retries=2)
    assert (error.attempts, error.seconds_waited) == (1, 0.0)


@every_mode
def test_a_wait_that_no_time_is_left_for_keeps_the_count(emulator: Emulator, mode: str) -> None:
    emulator.play(limited(retry_after_ms="10"), limited(retry_after="50"))
    with (
        build_at_rest(emulator, max_retries=3, total_timeout=30) as model,
        pytest.raises(OpenRouterTotalTimeoutError) as caught,
    ):
        MODES[mode](model)
    assert caught.value.attempts == 2
    assert caught.value.seconds_waited == pytest.approx(0.01)


@every_mode
def test_an_answer_that_breaks_after_a_repetition_tells_of_it(
    emulator: Emulator, mode: str
) -> None:
    body = wire.sse(wire.chunk("Half"), wire.error(502, "Down"), done=False)
    emulator.play(limited(retry_after_ms="10"), Canned(headers=STREAM, pieces=body))
    with (
        build_at_rest(emulator, max_retries=1) as model,
        pytest.raises(OpenRouterAPIError) as caught,
    ):
        MODES[mode](model)
    assert caught.value.attempts == 2
    assert caught.value.partial is not None
    assert caught.value.partial.response_metadata["attempts"] == 2


@every_mode
def test_names_of_the_server_do_not_take_their_place(emulator: Emulator, mode: str) -> None:
    body = {**wire.body("Hello"), "attempts": [{"provider": "OpenAI"}], "seconds_waited": "long"}
    emulator.play(Canned(pieces=wire.to_json(body)))
    with build_at_rest(emulator) as model:
        metadata = MODES[mode](model).response_metadata
    assert metadata["openrouter_attempts"] == [{"provider": "OpenAI"}]
    assert metadata["openrouter_seconds_waited"] == "long"
    assert "attempts" not in metadata
