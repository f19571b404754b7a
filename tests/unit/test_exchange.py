"""The flow of a request, played over a scripted performer: no network, no clock, no chance."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_openrouter_o3._http.exchange import MAX_ERROR_BODY, Sources
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.steps import Reply, Request, TransportFailure
from langchain_openrouter_o3._wire.readers import ChunkReader, MessageReader
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterConnectionError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterNotFoundError,
    OpenRouterRateLimitError,
    OpenRouterTimeoutError,
)
from tests.helpers.scripted import (
    AsyncScriptedPerformer,
    Attempt,
    Response,
    ScriptedPerformer,
    aplay,
    play,
    read_chunks,
    read_message,
)
from tests.helpers.wire import PADDING, body, chunk, ending, error, sse, to_json

GOOD = Response([to_json(body("Hello"))])
STREAM = Response([sse(chunk("Hel"), chunk("lo"), *ending())])


def messages(reply: Reply) -> MessageReader:
    return MessageReader(reply.headers)


def chunks(reply: Reply) -> ChunkReader:
    return ChunkReader(reply.headers)


def stopping(reply: Reply) -> ChunkReader:
    return ChunkReader(reply.headers, ["END"])


def lost(*, unsent: bool = False) -> TransportFailure:
    return TransportFailure(OpenRouterConnectionError("The connection was lost."), unsent)


def text_of(received: list[Any]) -> str:
    return "".join(item.message.text for item in received)


def failing(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response([to_json(error(status, "No."))], status=status, headers=named)


def in_body(code: int, **availability: Any) -> Response:
    payload = error(code, "No.")
    if availability:
        payload["error"]["availability"] = availability
    return Response([PADDING, to_json(payload)])


@pytest.mark.parametrize(
    ("first", "waits"),
    [
        (failing(429), [0.5]),
        (failing(503, retry_after="3"), [3.0]),
        (failing(503, retry_after_ms="250", retry_after="3"), [0.25]),
        (failing(500), [0.5]),
        (failing(408), [0.5]),
        (failing(529), [0.5]),
        (in_body(502), [0.5]),
        (in_body(429, retry_after=7), [7.0]),
        (in_body(400, retryable=True), [0.5]),
        (Response([sse({**chunk(), **error(502)})]), [0.5]),
        (Response([sse(error(429), done=False)]), [0.5]),
        (Response([sse(": OPENROUTER PROCESSING", {**error(502), "choices": []})]), [0.5]),
        (lost(unsent=True), [0.5]),
    ],
)
@pytest.mark.parametrize("reader", [messages, chunks])
def test_a_failure_before_any_content_is_tried_again(
    first: Attempt, waits: list[float], reader: Any
) -> None:
    performer = ScriptedPerformer(first, STREAM)
    (*_, last) = play(reader, performer)
    assert performer.slept == waits
    assert (performer.sent, performer.closed) == (2, 1)
    assert last is not None


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (failing(400), OpenRouterError),
        (failing(404), OpenRouterNotFoundError),
        (failing(429, retry_after="61"), OpenRouterRateLimitError),
        (in_body(503, retryable=False), OpenRouterAPIError),
        (in_body(429, retry_after=7_200), OpenRouterRateLimitError),
        (lost(), OpenRouterConnectionError),
        (Response([lost()]), OpenRouterConnectionError),
        (Response([b"<html>busy</html>"]), OpenRouterMalformedResponseError),
        (
            TransportFailure(OpenRouterTimeoutError("Nothing came.", retryable=False)),
            OpenRouterTimeoutError,
        ),
    ],
)
@pytest.mark.parametrize("reader", [messages, chunks])
def test_a_failure_that_a_retry_cannot_mend_is_raised_at_once(
    first: Attempt, expected: type[OpenRouterError], reader: Any
) -> None:
    performer = ScriptedPerformer(first)
    with pytest.raises(expected):
        list(play(reader, performer))
    assert (performer.sent, performer.slept, performer.closed) == (1, [], 1)


def test_a_negative_wait_in_a_body_never_reaches_the_clock() -> None:
    performer = ScriptedPerformer(in_body(503, retryable=True, retry_after=-5), GOOD)
    list(play(messages, performer))
    assert all(seconds >= 0 for seconds in performer.slept)


def test_everything_after_the_end_marker_is_drained_and_ignored() -> None:
    trailer = b"data: garbage\n\ndata: " + to_json(chunk("more")) + b"\n\n"
    performer = ScriptedPerformer(Response([sse(chunk("Hello"), *ending()), trailer, b"x" * 9]))
    received = list(play(chunks, performer))
    assert text_of(received) == "Hello"
    assert performer.unread == 0


def test_a_connection_lost_after_the_end_marker_loses_nothing() -> None:
    performer = ScriptedPerformer(Response([sse(chunk("Hello"), *ending()), lost()]))
    assert text_of(list(play(chunks, performer))) == "Hello"
    assert performer.sent == 1


def test_a_stop_sequence_closes_the_stream_at_once() -> None:
    pieces = [sse(chunk("Hello E"), done=False), sse(chunk("ND more"), done=False)]
    performer = ScriptedPerformer(Response([*pieces, sse(chunk("unread"), *ending())]))
    received = list(play(stopping, performer))
    assert text_of(received) == "Hello "
    assert (performer.unread, performer.closed) == (1, 1)
    assert received[-1].message.response_metadata["stop_sequence"] == "END"


def test_a_stop_sequence_in_the_last_unfinished_event_is_honoured_too() -> None:
    data = sse(chunk("Hello END"), done=False).rstrip(b"\n")
    assert "".join(c.text for c in read_chunks(data, stop=["END"])) == "Hello "


@pytest.mark.parametrize(
    ("status", "words"),
    [
        *((status, "redirect .* base_url") for status in (301, 302, 303, 307, 308)),
        *((status, f"HTTP {status} is neither") for status in (300, 304)),
    ],
)
def test_a_redirect_is_refused_because_it_would_carry_the_key_away(status: int, words: str) -> None:
    performer = ScriptedPerformer(Response([], status, {"location": "https://elsewhere.test"}))
    with pytest.raises(OpenRouterMalformedResponseError, match=words) as caught:
        list(play(messages, performer))
    assert caught.value.status_code == status
    assert not caught.value.is_retryable
    assert performer.sent == 1


def test_an_error_body_is_read_only_up_to_a_limit() -> None:
    performer = ScriptedPerformer(Response([b"x" * (MAX_ERROR_BODY // 2)] * 9, 400))
    with pytest.raises(OpenRouterError):
        list(play(messages, performer))
    assert performer.unread > 0


def test_an_error_status_whose_body_is_lost_keeps_its_meaning() -> None:
    performer = ScriptedPerformer(Response([b'{"error":', lost()], 404))
    with pytest.raises(OpenRouterNotFoundError):
        list(play(messages, performer))


def test_a_missing_end_marker_after_the_finish_is_no_error() -> None:
    assert read_message(sse(chunk("Hello"), *ending(), done=False)).text == "Hello"


def test_a_request_does_not_show_its_key_or_body() -> None:
    headers = RequestHeaders({"authorization": "Bearer sk-1"})
    request = Request("https://openrouter.test", headers, b"secret")
    assert "sk-1" not in f"{request!r}{headers!r}"
    assert "secret" not in repr(request)
    assert repr(headers) == "RequestHeaders(authorization)"


def test_chance_and_time_have_real_sources_by_default() -> None:
    sources = Sources()
    assert 0.0 <= sources.jitter() < 1.0
    assert sources.clock() > 1_700_000_000


# --- The two drivers ---

SCRIPTS: list[list[Attempt]] = [
    [STREAM],
    [GOOD],
    [failing(503, retry_after="1"), STREAM],
    [lost(unsent=True), lost(unsent=True), GOOD],
    [Response([sse(chunk("Hel")), lost()])],
    [failing(400)],
]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("reader", [messages, chunks])
async def test_both_drivers_deliver_the_same_and_close_the_performer(
    script: list[Attempt], reader: Any
) -> None:
    performer, aperformer = ScriptedPerformer(*script), AsyncScriptedPerformer(*script)
    received: list[Any] = []
    areceived: list[Any] = []
    failure = afailure = None
    try:
        for item in play(reader, performer):
            received.append(item)  # noqa: PERF402 - what came before a failure counts
    except OpenRouterError as caught:
        failure = caught
    try:
        async for item in aplay(reader, aperformer):
            areceived.append(item)  # noqa: PERF401 - same
    except OpenRouterError as caught:
        afailure = caught
    assert received == areceived
    assert (type(failure), str(failure)) == (type(afailure), str(afailure))
    assert received or failure
    assert (performer.sent, performer.slept, performer.closed) == (
        aperformer.performer.sent,
        aperformer.performer.slept,
        1,
    )
    assert aperformer.performer.closed == 1


async def test_a_consumer_that_stops_early_closes_the_performer() -> None:
    performer, aperformer = ScriptedPerformer(STREAM), AsyncScriptedPerformer(STREAM)
    flow, aflow = play(chunks, performer), aplay(chunks, aperformer)
    assert next(flow).text == (await anext(aflow)).text == "Hel"
    flow.close()
    await aflow.aclose()
    assert (performer.closed, aperformer.performer.closed) == (1, 1)


async def test_an_exception_of_the_consumer_closes_the_performer() -> None:
    performer, aperformer = ScriptedPerformer(STREAM), AsyncScriptedPerformer(STREAM)
    flow, aflow = play(chunks, performer), aplay(chunks, aperformer)
    next(flow)
    await anext(aflow)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        await aflow.athrow(KeyboardInterrupt())
    assert (performer.closed, aperformer.performer.closed) == (1, 1)
