"""Time limits and time-outs in every form."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from langchain_openrouter_o3._http.exchange import Sources, exchange
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import (
    Deliver,
    Receive,
    Reply,
    Send,
    Sleep,
    TransportFailure,
)
from langchain_openrouter_o3._http.time_limits import (
    Deadlines,
    TimeLimits,
    check_limit,
    check_timeout,
    default_timeout,
    to_timeout,
)
from langchain_openrouter_o3._wire.readers import ChunkReader
from langchain_openrouter_o3.errors import (
    OpenRouterConnectionError,
    OpenRouterIdleTimeoutError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
)
from tests.helpers import wire
from tests.helpers.scripted import REQUEST

COMMENT = b": OPENROUTER PROCESSING\n\n"
LOST = TransportFailure(OpenRouterConnectionError("The connection was lost."))


class Clock:
    """A timer that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Script:
    """Plays a flow step by step, moving the clock while the flow waits."""

    def __init__(self, limits: TimeLimits, retries: int = 0) -> None:
        self.clock = Clock()
        sources = Sources(jitter=lambda: 0.0, clock=lambda: 0.0, timer=self.clock)
        policy = RetryPolicy(max_retries=retries)
        self.flow = exchange(
            REQUEST, policy, lambda reply: ChunkReader(reply.headers), sources, limits
        )
        self.step = next(self.flow)
        self.text = ""

    def answer(self, value: object, after: float) -> object:
        """Let time pass, answer the step, and return the next step that is no delivery."""
        self.clock.now += after
        self.step = self.flow.send(value)  # type: ignore[arg-type]
        while isinstance(self.step, Deliver):
            self.text += "".join(str(item.text) for item in self.step.items)
            self.step = self.flow.send(None)
        return self.step

    def expect(self, limit: float | None) -> None:
        assert isinstance(self.step, Send | Receive)
        assert self.step.limit == (None if limit is None else pytest.approx(limit))


def word(text: str) -> bytes:
    return wire.sse(wire.chunk(text), done=False)


def test_without_limits_no_step_has_one() -> None:
    play = Script(TimeLimits())
    play.expect(None)
    play.answer(Reply(200, {}), after=1_000)
    play.expect(None)
    play.answer(COMMENT, after=1_000)
    play.expect(None)


def test_comments_are_no_data() -> None:
    play = Script(TimeLimits(idle=10))
    play.expect(10)
    play.answer(Reply(200, {}), after=4)
    play.expect(6)
    play.answer(COMMENT, after=5)
    play.expect(1)
    with pytest.raises(OpenRouterIdleTimeoutError, match="idle_timeout=10 s"):
        play.answer(COMMENT, after=1)


def test_data_starts_idle_timeout_anew() -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(200, {}), after=9)
    play.answer(word("Hel"), after=0.5)
    play.expect(10)
    with pytest.raises(OpenRouterIdleTimeoutError) as caught:
        play.answer(LOST, after=10)  # how the link reports that it ended the wait
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hel" == play.text


@pytest.mark.parametrize("status", [200, 503])
def test_the_bytes_of_a_json_body_are_data_and_its_padding_is_not(status: int) -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(status, {}), after=1)
    play.answer(wire.PADDING, after=1)
    play.expect(8)
    play.answer(b'{"id"', after=1)
    play.expect(10)
    play.answer(b': "gen-1"', after=9)
    play.expect(10)
    play.answer(b"\n  \n", after=9)
    play.expect(1)


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("data", [b"data: {", b"\xef\xbb\xbfdata:", b"error: ", b"<html>", b'{"a'])
def test_bytes_of_an_event_a_body_or_a_page_are_data_before_it_is_whole(
    data: bytes, status: int
) -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(status, {}), after=9)
    for piece in (data, b'"id":', b'"gen-1"', b"  x"):
        play.answer(piece, after=0.9)
        play.expect(10)


@pytest.mark.parametrize("between", [b"", b'data: {"id":\n'])
def test_a_comment_in_pieces_is_no_data(between: bytes) -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(200, {}), after=0)
    play.answer(COMMENT + between, after=0)
    for left, piece in ((6, b": OPENROUTER"), (3, b" PROCESSING"), (1, b"\n: and"), (0.5, b"\n")):
        play.answer(piece, after=play.step.limit - left)  # type: ignore[union-attr,operator]
        play.expect(left)


def test_data_at_the_last_moment_is_read_but_ends_the_wait() -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(200, {}), after=1)
    with pytest.raises(OpenRouterIdleTimeoutError) as caught:
        play.answer(word("Hello"), after=9)  # the watchdog has shut the connection down
    assert play.text == "Hello"
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"


def test_an_answer_that_is_complete_at_the_last_moment_is_an_answer() -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(200, {}), after=1)
    play.answer(wire.sse(wire.chunk("Hello"), *wire.ending()), after=9)
    assert play.text == "Hello"


def test_a_late_failure_leaves_the_next_attempt_its_time() -> None:
    play = Script(TimeLimits(idle=10), retries=1)
    play.answer(Reply(503, {}), after=1)
    play.answer(wire.to_json(wire.error(503, "Busy")), after=9)
    assert isinstance(play.step, Sleep)
    play.answer(None, after=0.5)
    play.expect(10)


def test_a_slow_reader_is_not_taken_for_a_slow_server() -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(200, {}), after=1)
    step = play.flow.send(word("Hello"))
    assert not isinstance(step, Receive)
    play.clock.now += 500  # the caller has something else to do
    play.step = play.flow.send(None)
    play.expect(10)


def test_each_attempt_has_its_own_idle_timeout() -> None:
    play = Script(TimeLimits(idle=10), retries=1)
    play.answer(Reply(503, {}), after=9)
    play.answer(b"", after=0)
    assert isinstance(play.step, Sleep)
    play.answer(None, after=0.5)
    play.expect(10)


def test_total_timeout_spans_retries_and_the_waits_between_them() -> None:
    play = Script(TimeLimits(total=10), retries=5)
    play.expect(10)
    play.answer(Reply(503, {}), after=4)
    play.expect(6)
    play.answer(b"", after=1)
    play.answer(None, after=0.5)
    play.expect(4.5)
    with pytest.raises(OpenRouterTotalTimeoutError, match="total_timeout=10 s"):
        play.answer(LOST, after=4.5)


def test_no_wait_is_begun_that_total_timeout_would_end() -> None:
    play = Script(TimeLimits(total=10), retries=5)
    play.answer(Reply(429, {"retry-after": "20", "x-generation-id": "gen-1"}), after=1)
    play.answer(wire.to_json(wire.error(429, "Slow down")), after=1)
    with pytest.raises(OpenRouterTotalTimeoutError, match="no time for another attempt") as caught:
        play.answer(b"", after=0)
    assert "Slow down" in str(caught.value)
    assert (caught.value.status_code, caught.value.retry_after) == (429, 20)
    assert caught.value.generation_id == "gen-1"
    assert caught.value.__cause__ is not None


def test_a_stream_that_never_pauses_ends_at_total_timeout() -> None:
    play = Script(TimeLimits(idle=5, total=10))
    play.answer(Reply(200, {}), after=1)
    for _ in range(4):
        play.answer(word("a"), after=2)
    play.expect(1)
    with pytest.raises(OpenRouterTotalTimeoutError) as caught:
        play.answer(word("b"), after=2)
    assert caught.value.partial is not None
    assert caught.value.partial.content == "aaaab"


def test_an_error_status_is_reported_even_if_its_body_never_ends() -> None:
    play = Script(TimeLimits(idle=10))
    play.answer(Reply(402, {}), after=1)
    with pytest.raises(Exception, match="402"):
        play.answer(LOST, after=9)


def test_a_failure_within_the_limits_stays_what_it_is() -> None:
    play = Script(TimeLimits(idle=10, total=10))
    play.answer(Reply(200, {}), after=1)
    with pytest.raises(OpenRouterConnectionError):
        play.answer(LOST, after=1)


@pytest.mark.parametrize("limits", [TimeLimits(idle=10), TimeLimits(total=10)])
def test_a_connection_that_takes_too_long_is_not_tried_again(limits: TimeLimits) -> None:
    play = Script(limits, retries=5)
    unsent = TransportFailure(OpenRouterTimeoutError("Timed out."), unsent=True)
    with pytest.raises(OpenRouterTimeoutError, match="_timeout=10 s"):
        play.answer(unsent, after=10)


def test_after_the_end_of_an_answer_its_connection_is_given_up_soon() -> None:
    play = Script(TimeLimits())
    play.answer(Reply(200, {}), after=1)
    play.answer(wire.sse(wire.chunk("Hello"), *wire.ending()), after=1)
    play.expect(1)
    play.answer(COMMENT, after=0.6)
    play.expect(0.4)
    with pytest.raises(StopIteration):
        play.answer(COMMENT, after=0.6)


def test_patience_without_limits_never_ends() -> None:
    patience = Deadlines(TimeLimits(), Clock())
    assert patience.start_waiting() is None
    assert patience.exceeded() is None


@pytest.mark.parametrize("value", [0, -1, True, "5", float("inf"), float("nan"), [1]])
def test_a_limit_that_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="idle_timeout is in seconds"):
        check_limit(value, "idle_timeout")


def test_a_limit_may_be_absent() -> None:
    assert check_limit(None, "total_timeout") is None
    assert check_limit(5, "total_timeout") == 5.0


def test_timeout_is_patient_with_reading_and_not_with_connecting() -> None:
    assert default_timeout() == httpx.Timeout(600.0, connect=10.0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, httpx.Timeout(2.0)),
        (0.5, httpx.Timeout(0.5)),
        (None, httpx.Timeout(None)),
        (httpx.Timeout(3.0, connect=1.0), httpx.Timeout(3.0, connect=1.0)),
        ({"timeout": 3.0, "connect": 1.0}, httpx.Timeout(3.0, connect=1.0)),
    ],
)
def test_every_form_of_timeout_reaches_the_request(value: Any, expected: httpx.Timeout) -> None:
    assert to_timeout(value) == expected


@pytest.mark.parametrize("value", [0, -1, True, "30", float("nan"), [1], {"seconds": 3}])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        check_timeout(value)
