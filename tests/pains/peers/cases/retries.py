"""How often a request is sent, counted at the server."""

from __future__ import annotations

from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import JSON, failed, hello
from tests.pains.peers.stage import Observation, Stage, case, safe_if, said, text_of

HOPELESS = (400, 401, 402, 403, 404, 413, 422)
HELLO = wire.to_json(wire.body("Hello"))


def unavailable(**headers: str) -> Canned:
    """Answer 503, with no word on when to come back unless told."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Canned(status=503, headers={**JSON, **named}, pieces=wire.to_json(wire.error(503)))


@case("P03")
def an_answer_takes_more_than_five_seconds(stage: Stage) -> Observation:
    slow = Canned(headers=JSON, pieces=HELLO, delay=5.5)
    stage.play(*[slow] * 4)
    outcome = stage.ask(limit=12)
    good = text_of(outcome) == "Hello" and len(stage.requests) == 1
    return safe_if(good, f"{said(outcome)}, {stage.count}")


@case("P04")
def no_retries_are_wanted(stage: Stage) -> Observation:
    stage.play(*[unavailable()] * 20)
    outcome = stage.ask(max_retries=0, limit=4)
    once = outcome.finished and len(stage.requests) == 1
    return safe_if(once, f"{outcome.kind}, {stage.count}")


@case("P05")
def a_rate_limit_passes_after_a_second(stage: Stage) -> Observation:
    stage.play(failed(429, retry_after="1"), hello())
    outcome = stage.ask()
    return safe_if(text_of(outcome) == "Hello", f"{said(outcome)}, {stage.count}")


@case("P06")
def a_timeout_of_thirty(stage: Stage) -> Observation:
    stage.play(*[Canned(headers=JSON, pieces=HELLO, delay=0.2)] * 50)
    outcome = stage.ask(timeout=30, limit=3)
    thirty = f"timeout=30 and an answer after 0.2 s: {said(outcome)}, {stage.count}"
    built = stage.attempt(lambda: stage.model(timeout=2.5))
    fraction = "accepted" if built.succeeded else built.kind
    good = text_of(outcome) == "Hello" and built.succeeded
    return safe_if(good, f"{thirty}; timeout=2.5: {fraction}")


@case("P07")
def an_error_comes_inside_a_success(stage: Stage) -> Observation:
    payload = wire.error(502, "Upstream gave up")
    stage.play(Canned(headers=JSON, pieces=wire.to_json(payload)), hello())
    outcome = stage.ask()
    return safe_if(text_of(outcome) == "Hello", f"{said(outcome)}, {stage.count}")


@case("P32")
def middleware_decides_on_retries(stage: Stage) -> Observation:
    repeated = []
    for status in HOPELESS:
        stage.emulator.reset()
        stage.play(*[failed(status)] * 3)
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
        agent: Any = create_agent(stage.model(max_retries=0), middleware=[retry])
        stage.attempt(partial(agent.invoke, {"messages": [("user", "Hello")]}))
        if len(stage.requests) != 1:
            repeated.append(str(status))
    told = f"sent 3 times: {', '.join(repeated)}" if repeated else "each sent once"
    return safe_if(not repeated, told)


@case("P38")
def the_server_asks_for_two_hours(stage: Stage) -> Observation:
    stage.play(*[unavailable(retry_after="7200")] * 5)
    outcome = stage.ask(limit=5)
    return safe_if(outcome.finished, f"{outcome.kind}, {stage.count}")


@case("P39")
def the_server_says_not_to_retry(stage: Stage) -> Observation:
    final = wire.error(503, "Nobody can")
    final["error"]["availability"] = {"retryable": False}
    stage.play(*[Canned(status=503, headers=JSON, pieces=wire.to_json(final))] * 20)
    outcome = stage.ask(limit=4)
    return safe_if(len(stage.requests) == 1, f"{outcome.kind}, {stage.count}")
