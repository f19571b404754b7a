"""How often a request is sent, counted at the server."""

from __future__ import annotations

from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import JSON, failed, hello
from tests.pains.harness import EVERY_MODE, Harness, Observation, case, safe_if, said, text_of

HOPELESS = (400, 401, 402, 403, 404, 413, 422)
HELLO = wire.to_json(wire.body("Hello"))


def unavailable(**headers: str) -> Canned:
    """Answer 503, with no word on when to come back unless told."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Canned(status=503, headers={**JSON, **named}, pieces=wire.to_json(wire.error(503)))


@case("P03")
def an_answer_takes_more_than_five_seconds(harness: Harness) -> Observation:
    slow = Canned(headers=JSON, pieces=HELLO, delay=5.5)
    harness.play(*[slow] * 4)
    outcome = harness.ask(limit=12)
    good = text_of(outcome) == "Hello" and len(harness.requests) == 1
    return safe_if(good, f"{said(outcome)}, {harness.count}")


@case("P04", EVERY_MODE)
def no_retries_are_wanted(harness: Harness) -> Observation:
    harness.play(*[unavailable()] * 20)
    outcome = harness.ask(max_retries=0, limit=4)
    once = outcome.finished and len(harness.requests) == 1
    return safe_if(once, f"{outcome.kind}, {harness.count}")


@case("P05")
def a_rate_limit_passes_after_a_second(harness: Harness) -> Observation:
    harness.play(failed(429, retry_after="1"), hello())
    outcome = harness.ask()
    return safe_if(text_of(outcome) == "Hello", f"{said(outcome)}, {harness.count}")


@case("P06")
def a_timeout_of_thirty(harness: Harness) -> Observation:
    harness.play(*[Canned(headers=JSON, pieces=HELLO, delay=0.2)] * 50)
    outcome = harness.ask(timeout=30, limit=3)
    thirty = f"timeout=30 and an answer after 0.2 s: {said(outcome)}, {harness.count}"
    built = harness.attempt(lambda: harness.model(timeout=2.5))
    fraction = "accepted" if built.succeeded else built.kind
    good = text_of(outcome) == "Hello" and built.succeeded
    return safe_if(good, f"{thirty}; timeout=2.5: {fraction}")


@case("P07", EVERY_MODE)
def an_error_comes_inside_a_success(harness: Harness) -> Observation:
    payload = wire.error(502, "Upstream gave up")
    harness.play(Canned(headers=JSON, pieces=wire.to_json(payload)), hello(harness.mode))
    outcome = harness.ask()
    return safe_if(text_of(outcome) == "Hello", f"{said(outcome)}, {harness.count}")


@case("P32")
def middleware_decides_on_retries(harness: Harness) -> Observation:
    repeated = []
    for status in HOPELESS:
        harness.emulator.reset()
        harness.play(*[failed(status)] * 3)
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
        agent: Any = create_agent(harness.model(max_retries=0), middleware=[retry])
        harness.attempt(partial(agent.invoke, {"messages": [("user", "Hello")]}))
        if len(harness.requests) != 1:
            repeated.append(str(status))
    told = f"sent 3 times: {', '.join(repeated)}" if repeated else "each sent once"
    return safe_if(not repeated, told)


@case("P38", EVERY_MODE)
def the_server_asks_for_two_hours(harness: Harness) -> Observation:
    harness.play(*[unavailable(retry_after="7200")] * 5)
    outcome = harness.ask(limit=5)
    return safe_if(outcome.finished, f"{outcome.kind}, {harness.count}")


@case("P39", EVERY_MODE)
def the_server_says_not_to_retry(harness: Harness) -> Observation:
    final = wire.error(503, "Nobody can")
    final["error"]["availability"] = {"retryable": False}
    harness.play(*[Canned(status=503, headers=JSON, pieces=wire.to_json(final))] * 20)
    outcome = harness.ask(limit=4)
    return safe_if(len(harness.requests) == 1, f"{outcome.kind}, {harness.count}")
