"""Answers that break off, fail in disguise or are no answers."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain_core.exceptions import ContextOverflowError

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import STREAM, failed, hello, streamed, whole
from tests.pains.harness import (
    EVERY_MODE,
    STREAMED,
    Harness,
    Observation,
    case,
    safe_if,
    said,
    text_of,
)

FAILURE = {
    **wire.chunk(finish="error"),
    **wire.error(502, "Upstream gave up", error_type="provider_unavailable", provider_name="Azure"),
}


@case("P01")
def a_tool_call_is_cut(harness: Harness) -> Observation:
    calls = [wire.tool_chunk(delta) for delta in wire.tool_deltas("delete", ['{"path": "/home'])]
    tails = {
        "the token limit": wire.ending("length"),
        "the end of the stream": [],
        "an error": [FAILURE],
    }
    ran: list[str] = []
    for reason, tail in tails.items():

        def delete(path: str, reason: str = reason) -> str:
            """Delete a folder."""
            ran.append(f"{reason}: delete({path!r})")
            return "gone"

        cut = streamed(*calls, *tail, done=reason == "the token limit")
        harness.play(cut, hello("stream"))
        agent: Any = create_agent(harness.model(streaming=True), [delete])
        harness.attempt(partial(agent.invoke, {"messages": [("user", "Tidy up")]}))
        harness.emulator.reset()
    return safe_if(not ran, "ran the tool after " + "; ".join(ran) if ran else "tool not run")


@case("P02", STREAMED)
def a_provider_fails_in_mid_stream(harness: Harness) -> Observation:
    harness.play(streamed(wire.chunk("partial"), FAILURE))
    outcome = harness.ask()
    finish = outcome.value.response_metadata.get("finish_reason") if outcome.succeeded else None
    told = f"{said(outcome)}, finish_reason {finish!r}" if outcome.succeeded else str(outcome)
    return safe_if(not outcome.succeeded, told)


@case("P08", EVERY_MODE)
def an_error_stands_beside_an_answer(harness: Harness) -> Observation:
    taken = []
    for place in ("top level", "choice", "finish reason"):
        body = wire.body("Half")
        if place == "top level":
            body |= wire.error(400)
        elif place == "choice":
            body["choices"][0] |= wire.error(400)
        else:
            body["choices"][0]["finish_reason"] = "error"
        harness.reply(body)
        outcome = harness.ask()
        if outcome.succeeded:
            taken.append(f"{place}: {said(outcome)}")
    return safe_if(not taken, "; ".join(taken) or "raised in all 3 places")


@case("P09", STREAMED)
def a_stream_just_ends(harness: Harness) -> Observation:
    harness.play(streamed(wire.chunk("Half an"), wire.chunk(" answer"), done=False))
    outcome = harness.ask()
    return safe_if(not outcome.succeeded, said(outcome))


def odd_streams() -> dict[str, list[wire.Json]]:
    """Make streams in which one field is missing or null, by the name of the oddity."""
    finish, last = wire.ending()
    text, head = wire.chunk("Hello"), wire.chunk()
    without_finish, null_delta = copy.deepcopy(head), copy.deepcopy(head)
    del without_finish["choices"][0]["finish_reason"]
    null_delta["choices"][0]["delta"] = None
    no_id = {key: value for key, value in text.items() if key != "id"}
    return {
        "choices null beside usage": [text, finish, {**last, "choices": None}],
        "delta null": [null_delta, text, finish, last],
        "finish_reason missing": [without_finish, text, finish, last],
        "created null": [{**head, "created": None}, text, finish, last],
        "model null": [{**head, "model": None}, text, finish, last],
        "id missing": [no_id, finish, last],
        "usage null": [text, finish, {**last, "usage": None}],
    }


@case("P26", STREAMED)
def a_field_is_missing_or_null(harness: Harness) -> Observation:
    lost = []
    streams = odd_streams()
    for name, events in streams.items():
        harness.play(streamed(*events))
        if text_of(harness.ask()) != "Hello":
            lost.append(name)
    told = f"answer lost in {len(lost)} of {len(streams)} streams"
    return safe_if(not lost, f"{told}: {', '.join(lost)}" if lost else told)


@case("P31", EVERY_MODE)
def a_success_is_empty(harness: Harness) -> Observation:
    body = wire.body(None, counts=wire.usage(20, 0, reasoning=0))
    body["choices"][0]["native_finish_reason"] = "network_error"
    harness.reply(body)
    outcome = harness.ask(max_retries=0)
    return safe_if(not outcome.succeeded, said(outcome))


@case("P33", EVERY_MODE)
def the_context_is_full(harness: Harness) -> Observation:
    words = "This endpoint's maximum context length is 200000 tokens."
    harness.play(failed(400, wire.error(400, words, error_type="context_length_exceeded")))
    outcome = harness.ask()
    known = isinstance(outcome.error, ContextOverflowError)
    return safe_if(known, f"{outcome.kind}, {'a' if known else 'no'} ContextOverflowError")


@case("P58", STREAMED)
def a_stream_is_answered_with_something_else(harness: Harness) -> Observation:
    page = Canned(headers={"content-type": "text/html"}, pieces=b"<html>Please log in</html>")
    error = {**wire.error(400, "Not today")}
    harness.play(whole(error), page, whole(wire.body("Hello")))
    outcomes = [harness.ask(max_retries=0) for _ in range(3)]
    understood = [
        "Not today" in str(outcomes[0].error),
        "log in" in str(outcomes[1].error),
        text_of(outcomes[2]) == "Hello",
    ]
    names = ("JSON error", "HTML page", "JSON answer")
    told = [
        f"{name} {'understood' if good else said(outcome)}"
        for name, good, outcome in zip(names, understood, outcomes, strict=True)
    ]
    return safe_if(all(understood), "; ".join(told))


@case("P59", STREAMED)
def an_event_is_broken(harness: Harness) -> Observation:
    harness.play(streamed(wire.chunk("Half"), '{"id": "gen', done=False))
    broken = harness.ask()
    odd = b"\xef\xbb\xbf" + wire.sse(wire.chunk("Grüße 🐑"), *wire.ending())
    odd = odd.replace(b"data:", b"event: message\ndata:").replace(b"\n", b"\r\n")
    harness.play(Canned(headers=STREAM, pieces=[bytes([byte]) for byte in odd]))
    framed = harness.ask()
    # Parsers of JSON and of schemas raise subclasses of ValueError; a client's errors are others.
    typed = broken.error is not None and not isinstance(broken.error, ValueError)
    told = f"broken event: {broken.kind}; byte by byte with BOM and CRLF: {said(framed)}"
    return safe_if(typed and text_of(framed) == "Grüße 🐑", told)


@case("P60", STREAMED)
def a_stream_has_comments(harness: Harness) -> Observation:
    busy = [wire.PROCESSING] * 3
    harness.play(streamed(*busy, wire.chunk("Hel"), *busy, wire.chunk("lo"), *wire.ending()))
    outcome = harness.ask()
    return safe_if(text_of(outcome) == "Hello", said(outcome))
