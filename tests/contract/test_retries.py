"""Requests that fail: how often they are sent, and what the caller gets. Over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterConnectionError,
    OpenRouterContextOverflowError,
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInvalidRequestError,
    OpenRouterMalformedResponseError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
    OpenRouterStreamCutError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3._http.exchange import Sources
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import STREAM
from tests.helpers.modes import MODES, every_mode


@pytest.fixture
def patient(emulator: Emulator) -> ChatOpenRouterO3:
    """A model with retries whose waits are as short as a server asks for."""
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY)
    model._sources = Sources(jitter=lambda: 1.0)
    return model


def failure(status: int, **metadata: Any) -> Canned:
    return Canned(
        status=status,
        headers={"content-type": "application/json", "retry-after-ms": "1"},
        pieces=wire.to_json({**wire.error(status, "No", **metadata), "user_id": "user_abc123456"}),
    )


def good(mode: str) -> Canned:
    if "stream" in mode:
        body = wire.sse(wire.chunk("Hello"), *wire.ending())
        return Canned(headers=STREAM, pieces=body)
    return Canned(pieces=wire.PADDING * 3 + wire.to_json(wire.body("Hello")))


@every_mode
@pytest.mark.parametrize(
    "status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]
)
def test_passing_failures_are_retried(
    emulator: Emulator, patient: ChatOpenRouterO3, mode: str, status: int
) -> None:
    emulator.play(failure(status), failure(status), good(mode))
    assert MODES[mode](patient).content == "Hello"
    assert len(emulator.requests) == 3
    assert len({request.raw for request in emulator.requests}) == 1


@every_mode
@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, OpenRouterInvalidRequestError, False),
        (401, OpenRouterAuthenticationError, False),
        (402, OpenRouterCreditsError, False),
        (403, OpenRouterPermissionError, False),
        (404, OpenRouterNotFoundError, False),
        (413, OpenRouterInvalidRequestError, False),
        (422, OpenRouterInvalidRequestError, False),
        (501, OpenRouterAPIError, True),
    ],
)
def test_lasting_failures_are_sent_once(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    emulator: Emulator,
    patient: ChatOpenRouterO3,
    mode: str,
    status: int,
    kind: type[OpenRouterError],
    retryable: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    emulator.play(failure(status))
    with pytest.raises(kind) as caught:
        MODES[mode](patient)
    assert len(emulator.requests) == 1
    assert caught.value.status_code == status
    assert caught.value.is_retryable is retryable
    assert "user_abc" not in f"{caught.value} {caught.value.body} {caught.value.response}"


@every_mode
def test_max_retries_counts_extra_attempts_exactly(emulator: Emulator, mode: str) -> None:
    for retries in (0, 1, 3):
        emulator.requests.clear()
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=retries)
        emulator.play(*[failure(503)] * (retries + 1))
        with pytest.raises(OpenRouterAPIError):
            MODES[mode](model)
        assert len(emulator.requests) == retries + 1


@every_mode
@pytest.mark.parametrize("code", [429, 502])
def test_an_error_inside_a_200_is_treated_like_the_status(
    emulator: Emulator, patient: ChatOpenRouterO3, mode: str, code: int
) -> None:
    availability = {"retryable": True, "retry_after": 0.001}
    payload = wire.error(code)
    payload["error"]["availability"] = availability
    body = wire.sse(payload, done=False) if "stream" in mode else wire.to_json(payload)
    headers = STREAM if "stream" in mode else {"content-type": "application/json"}
    emulator.play(Canned(headers=headers, pieces=body), good(mode))
    assert MODES[mode](patient).content == "Hello"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
@pytest.mark.parametrize(
    ("body", "requests"),
    [
        ({"choices": []}, 2),
        ({"choices": None, "usage": None}, 2),
        ({"choices": [None], "usage": wire.usage(20, 0, cost=0)}, 2),
        ({"choices": [{"message": None, "finish_reason": None}]}, 2),
        ({"choices": [], "usage": wire.usage()}, 1),
    ],
)
def test_a_body_without_an_answer_is_asked_for_again_if_it_cost_nothing(
    patient: ChatOpenRouterO3, emulator: Emulator, mode: str, body: Any, requests: int
) -> None:
    emulator.play(Canned(pieces=wire.to_json(wire.envelope(**body))), good(mode))
    if requests == 1:
        with pytest.raises(OpenRouterMalformedResponseError):
            MODES[mode](patient)
    else:
        assert MODES[mode](patient).content == "Hello"
    assert len(emulator.requests) == requests


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (wire.sse(wire.error(502), done=False), OpenRouterAPIError),
        (
            wire.sse({**wire.chunk(finish="error"), **wire.error("server_error")}, done=False),
            OpenRouterAPIError,
        ),
        (
            wire.sse(wire.envelope(choices=[], **wire.error(429)), done=False),
            OpenRouterRateLimitError,
        ),
        (wire.sse(wire.chunk(finish="error")), OpenRouterAPIError),
        (b"", OpenRouterStreamCutError),
        (b"data: [DONE]\n\n", OpenRouterStreamCutError),
        (b'data: {"id":"gen-1","cho', OpenRouterStreamCutError),
        (b"data: not json\n\n", OpenRouterMalformedResponseError),
    ],
)
def test_a_stream_that_breaks_off_is_an_error_with_the_partial_message(
    emulator: Emulator,
    patient: ChatOpenRouterO3,
    mode: str,
    tail: bytes,
    kind: type[OpenRouterError],
) -> None:
    head = wire.sse(
        wire.chunk("Half an ans"),
        *(wire.tool_chunk(d) for d in wire.tool_deltas("delete", ['{"path": "/home'])),
        done=False,
    )
    emulator.play(Canned(headers=STREAM, pieces=[head, tail]))
    with pytest.raises(kind) as caught:
        MODES[mode](patient)
    assert len(emulator.requests) == 1
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Half an ans"
    assert caught.value.partial.tool_calls == []
    assert caught.value.partial.invalid_tool_calls[0]["args"] == '{"path": "/home'
    assert caught.value.generation_id == wire.GENERATION


@every_mode
def test_a_connection_cut_in_the_body_is_not_repeated(
    emulator: Emulator, patient: ChatOpenRouterO3, mode: str
) -> None:
    beginning = b'data: {"id"' if "stream" in mode else b'\n  {"id"'
    emulator.play(Canned(headers=good(mode).headers, pieces=beginning, cut=True))
    with pytest.raises(OpenRouterConnectionError):
        MODES[mode](patient)
    assert len(emulator.requests) == 1


@every_mode
def test_a_refused_connection_is_retried_and_then_typed(mode: str) -> None:
    transport = httpx.HTTPTransport()
    tries: list[str] = []

    class Counting(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            tries.append("sync")
            return transport.handle_request(request)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            tries.append("async")
            async with httpx.AsyncHTTPTransport() as real:
                return await real.handle_async_request(request)

    model = ChatOpenRouterO3(
        base_url="http://127.0.0.1:9/api/v1",
        api_key=KEY,
        max_retries=1,
        http_client=httpx.Client(transport=Counting()),
        http_async_client=httpx.AsyncClient(transport=Counting()),
    )
    with pytest.raises(OpenRouterConnectionError, match="Cannot connect"):
        MODES[mode](model)
    assert len(tries) == 2
    transport.close()


@every_mode
def test_a_read_timeout_is_one_request_and_a_typed_error(emulator: Emulator, mode: str) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, timeout=0.2)
    emulator.play(Canned(delay=5))
    with pytest.raises(OpenRouterTimeoutError, match="read time-out"):
        MODES[mode](model)
    assert len(emulator.requests) == 1


@every_mode
def test_a_timeout_of_one_call_wins(
    emulator: Emulator, patient: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(Canned(delay=5))
    bound: Any = patient.bind(timeout=0.2, max_retries=0)
    with pytest.raises(OpenRouterTimeoutError):
        MODES[mode](bound)
    assert len(emulator.requests) == 1


@every_mode
@pytest.mark.parametrize(
    ("canned", "kind"),
    [
        (Canned(pieces=b""), OpenRouterMalformedResponseError),
        (Canned(pieces=b"\n  \n"), OpenRouterMalformedResponseError),
        (
            Canned(headers={"content-type": "text/html"}, pieces=b"<html>Bad gateway</html>"),
            OpenRouterMalformedResponseError,
        ),
        (Canned(pieces=b'{"choices": []}'), OpenRouterMalformedResponseError),
        (Canned(pieces=b'{"id": "gen-1", "choi'), OpenRouterMalformedResponseError),
        (
            Canned(status=502, headers={"content-type": "text/html"}, pieces=b"<h1>Oh</h1>"),
            OpenRouterAPIError,
        ),
        (
            Canned(status=302, headers={"location": "https://evil.example"}),
            OpenRouterMalformedResponseError,
        ),
        (
            Canned(
                headers={"content-type": "application/json", "content-encoding": "gzip"},
                pieces=b"not gzip",
            ),
            OpenRouterMalformedResponseError,
        ),
        (Canned(status=None), OpenRouterConnectionError),
        (
            Canned(
                status=400,
                pieces=wire.to_json(
                    wire.error(400, "This endpoint's maximum context length is 200000 tokens.")
                ),
            ),
            OpenRouterContextOverflowError,
        ),
        (
            Canned(
                status=403,
                pieces=wire.to_json(
                    wire.error(403, "Flagged", reasons=["violence"], flagged_input="…")
                ),
            ),
            OpenRouterModerationError,
        ),
    ],
)
def test_what_is_no_answer_is_a_typed_error(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    mode: str,
    canned: Canned,
    kind: type[OpenRouterError],
) -> None:
    emulator.play(canned)
    with pytest.raises(kind):
        MODES[mode](model)


def test_waiting_does_not_block_the_event_loop(
    emulator: Emulator, patient: ChatOpenRouterO3
) -> None:
    headers = {"content-type": "application/json", "retry-after": "0.3"}
    emulator.play(Canned(status=429, headers=headers, pieces=wire.to_json(wire.error(429))))

    async def both() -> list[str]:
        order: list[str] = []

        async def note(name: str, work: Callable[[], Any]) -> None:
            await work()
            order.append(name)

        await asyncio.gather(
            note("answer", lambda: patient.ainvoke("Hello")),
            note("other", lambda: asyncio.sleep(0.05)),
        )
        return order

    assert asyncio.run(both()) == ["other", "answer"]
