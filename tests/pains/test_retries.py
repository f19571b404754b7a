"""How often a request is sent, counted at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from langchain_openrouter_o3 import (
    OpenRouterAPIError,
    OpenRouterError,
    OpenRouterRateLimitError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import JSON, STREAM, build, failed, hello
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator


@every_mode
def test_p03_a_slow_answer_is_asked_for_once(emulator: Emulator, mode: str) -> None:
    emulator.play(Canned(delay=30))
    with pytest.raises(OpenRouterTimeoutError):
        MODES[mode](build(emulator, timeout=httpx.Timeout(10, read=0.2)))
    assert len(emulator.requests) == 1


def test_p03_by_default_a_request_may_take_minutes_and_a_connection_may_not(
    emulator: Emulator,
) -> None:
    limits: list[dict[str, float]] = []

    class Watching(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            limits.append(request.extensions["timeout"])
            return super().handle_request(request)

    with httpx.Client(transport=Watching(), timeout=5) as client:
        build(emulator, http_client=client).invoke("Hello")
    assert limits[0]["read"] >= 300
    assert limits[0]["connect"] <= 30


@every_mode
@pytest.mark.parametrize("retries", [0, 2])
def test_p04_max_retries_counts_extra_requests(emulator: Emulator, mode: str, retries: int) -> None:
    emulator.play(*[failed(503)] * 5)
    with pytest.raises(OpenRouterAPIError):
        MODES[mode](build(emulator, max_retries=retries))
    assert len(emulator.requests) == 1 + retries


@every_mode
@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "0"},
        {"retry_after_ms": "1"},
        {"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"},
    ],
)
def test_p05_a_rate_limit_is_waited_out(emulator: Emulator, mode: str, headers: Any) -> None:
    emulator.play(failed(429, **headers), hello(mode))
    assert MODES[mode](build(emulator)).text == "Hello"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("timeout", [30, 2.5, httpx.Timeout(30), None])
def test_p06_timeouts_are_seconds_in_every_form(emulator: Emulator, timeout: Any) -> None:
    # Thirty or even two and a half milliseconds would be over long before the answer.
    emulator.play(Canned(headers=JSON, pieces=wire.to_json(wire.body("Hello")), delay=0.2))
    assert build(emulator, timeout=timeout).invoke("Hi").text == "Hello"
    assert len(emulator.requests) == 1


@every_mode
@pytest.mark.parametrize("shape", ["error", "with user", "null choices", "in the choice"])
def test_p07_an_error_inside_a_success_is_retried_like_its_status(
    emulator: Emulator, mode: str, shape: str
) -> None:
    payload = wire.error(502, "Upstream gave up")
    payload["error"]["availability"] = {"retry_after": 0.001}
    if shape == "with user":
        payload["user_id"] = "user_2abcdefgh"
    elif shape == "null choices":
        payload["choices"] = None
    elif shape == "in the choice":
        payload = wire.envelope(choices=[{"index": 0, **payload}])
    canned = Canned(headers=JSON, pieces=wire.to_json(payload))
    emulator.play(canned, hello(mode), canned)
    assert MODES[mode](build(emulator)).text == "Hello"
    assert len(emulator.requests) == 2
    with pytest.raises(OpenRouterAPIError, match="Upstream gave up") as caught:
        MODES[mode](build(emulator, max_retries=0))
    assert caught.value.status_code == 502
    assert "user_2abc" not in f"{caught.value} {caught.value.body}"


STATUSES: dict[int, tuple[type[Exception], int]] = {
    400: (ModelInvalidRequestError, 1),
    401: (ModelAuthenticationError, 1),
    402: (ModelPermissionDeniedError, 1),
    403: (ModelPermissionDeniedError, 1),
    404: (ModelNotFoundError, 1),
    408: (ModelTimeoutError, 3),
    413: (ModelInvalidRequestError, 1),
    422: (ModelInvalidRequestError, 1),
    429: (ModelRateLimitError, 3),
    500: (ModelAPIError, 3),
    503: (ModelAPIError, 3),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
@pytest.mark.parametrize("status", STATUSES)
def test_p32_middleware_repeats_only_what_can_succeed(emulator: Emulator, status: int) -> None:
    kind, requests = STATUSES[status]
    emulator.play(*[failed(status)] * 3)
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
    agent: Any = create_agent(build(emulator, max_retries=0), middleware=[retry])
    with pytest.raises(kind) as caught:
        agent.invoke({"messages": [("user", "Hello")]})
    assert isinstance(caught.value, OpenRouterError)
    assert caught.value.status_code == status
    assert len(emulator.requests) == requests


@every_mode
@pytest.mark.parametrize("place", ["header", "body"])
def test_p38_an_absurd_wait_is_given_up_at_once(emulator: Emulator, mode: str, place: str) -> None:
    error = wire.error(429, "Later")
    headers = {"retry_after": "7200"} if place == "header" else {"x_ratelimit_limit": "1"}
    if place == "body":
        error["error"]["availability"] = {"retryable": True, "retry_after": 7200}
    emulator.play(failed(429, error, **headers))
    with pytest.raises(OpenRouterRateLimitError) as caught:
        MODES[mode](build(emulator))
    assert caught.value.retry_after == 7200
    assert len(emulator.requests) == 1


@every_mode
def test_p39_the_servers_word_on_retrying_is_taken(emulator: Emulator, mode: str) -> None:
    final, passing = wire.error(503, "Nobody can"), wire.error(400, "Odd")
    final["error"]["availability"] = {"retryable": False}
    passing["error"]["availability"] = {"retryable": True, "retry_after": 0.001}
    emulator.play(failed(503, final))
    with pytest.raises(OpenRouterAPIError, match="Nobody can") as caught:
        MODES[mode](build(emulator))
    assert not caught.value.is_retryable
    assert len(emulator.requests) == 1
    emulator.play(failed(400, passing), hello(mode))
    assert MODES[mode](build(emulator)).text == "Hello"


def test_p39_nothing_is_repeated_once_text_has_been_delivered(emulator: Emulator) -> None:
    broken = wire.sse(wire.chunk("Half"), wire.error(503, "Down"), done=False)
    emulator.play(Canned(headers=STREAM, pieces=broken))
    with pytest.raises(OpenRouterAPIError, match="Down"):
        list(build(emulator).stream("Hi"))
    assert len(emulator.requests) == 1
