"""Living in somebody's application: arguments, callbacks, prompts, model facts."""

from __future__ import annotations

import math
import sys
import tempfile
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelNotFoundError
from langchain_core.messages import ChatMessage, HumanMessage, SystemMessage

from tests.helpers import wire
from tests.helpers.factories import failed, hello, streamed
from tests.pains.cases.processes import run_script
from tests.pains.harness import EVERY_MODE, STREAMED, Harness, Observation, case, safe_if

MAX_CALLS_PER_CHUNK = 1_000


@case("P64")
def tokens_are_counted_offline(harness: Harness) -> Observation:
    with tempfile.TemporaryDirectory() as folder:
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "TIKTOKEN_CACHE_DIR": folder}
        (told,) = run_script("tokens", harness.client.key, harness.emulator.base_url, **nowhere)
    return safe_if(told.startswith("returned"), told)


@case("P66")
def an_argument_is_misspelt(harness: Harness) -> Observation:
    typo = harness.attempt(lambda: harness.model(temprature=1))
    mine: dict[str, Any] = {}
    harness.attempt(lambda: harness.model(model_kwargs=mine, temprature=1))
    accepted = "accepted with a warning" if harness.warnings_about("temprature") else "accepted"
    told = f"temprature=1: {accepted if typo.succeeded else typo.kind}"
    changed = "changed" if mine else "left alone"
    return safe_if(not typo.succeeded and not mine, f"{told}; the caller's model_kwargs: {changed}")


@case("P67")
def nobody_is_named(harness: Harness) -> Observation:
    harness.ask()
    headers = harness.requests[0].headers
    credited = [f"{key}: {headers[key]}" for key in ("http-referer", "x-title") if key in headers]
    return safe_if(not credited, f"sent {', '.join(credited)}" if credited else "nobody credited")


@case("P71", STREAMED)
def callbacks_watch_a_stream(harness: Harness) -> Observation:
    seen: list[Any] = []

    class Watcher(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
            del token, kwargs
            seen.append(chunk)

    deltas = wire.tool_deltas("get_weather", ['{"city":', '"Paris"}'])
    harness.play(streamed(*map(wire.tool_chunk, deltas), *wire.ending("tool_calls")))
    harness.ask(callbacks=[Watcher()])
    pieces = [piece for chunk in seen if chunk for piece in chunk.message.tool_call_chunks]
    joined = "".join(piece["args"] or "" for piece in pieces)
    return safe_if(joined == '{"city":"Paris"}', f"callbacks saw arguments {joined!r}")


@case("P72")
def streaming_is_disabled(harness: Harness) -> Observation:
    harness.attempt(lambda: list(harness.model(disable_streaming=True).stream("Hello")))
    streams = [request for request in harness.requests if (request.body or {}).get("stream")]
    return safe_if(
        harness.requests and not streams, f"{len(streams)} of {harness.count} with stream: true"
    )


@case("P73", EVERY_MODE)
def no_endpoint_is_found(harness: Harness) -> Observation:
    harness.play(failed(404, wire.error(404, "No endpoints found that support tool use.")))
    outcome = harness.ask()
    known = isinstance(outcome.error, ModelNotFoundError)
    worded = "No endpoints found" in str(outcome.error)
    told = f"{outcome.kind}, {'a' if known else 'no'} ModelNotFoundError"
    return safe_if(known and worded, told)


def work_of(model: Any) -> int:
    """Count the Python functions that the reading of one stream calls."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        del frame, argument
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in model.stream("Hello"):
            pass
    finally:
        sys.setprofile(before)
    return calls


@case("P74")
def a_stream_is_long(harness: Harness) -> Observation:
    model = harness.model()
    model.invoke("Hello")
    work = []
    for size in (100, 300):
        harness.play(streamed(*[wire.chunk("word ")] * size, *wire.ending()))
        work.append(work_of(model))
    calls = round((work[1] - work[0]) / 200, -1)
    return safe_if(calls <= MAX_CALLS_PER_CHUNK, f"about {calls:.0f} Python calls per chunk")


@case("P75", EVERY_MODE)
def the_models_facts(harness: Harness) -> Observation:
    harness.reply({**wire.body("Hello"), "model": "openai/o3-mini-2025-01-31"})
    model = harness.model()
    served = harness.hear(model).response_metadata.get("model_name")
    profile = model.profile or {}
    known = profile.get("max_input_tokens")
    told = f"profile: {known or 'no'} input tokens; served model told: {served}"
    return safe_if(known == 200_000 and served == "openai/o3-mini-2025-01-31", told)


@case("P76")
def system_prompts_are_lists_or_late(harness: Harness) -> Observation:
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    harness.play(hello())
    messages = [SystemMessage([cached]), HumanMessage("Hi"), SystemMessage("Now in French.")]
    harness.attempt(lambda: harness.model().invoke(messages))
    expected = [
        {"role": "system", "content": [cached]},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Now in French."},
    ]
    good = harness.sent()["messages"] == expected
    return safe_if(good, "sent as they are" if good else f"sent {harness.sent()['messages']}")


@case("P77")
def the_developer_speaks(harness: Harness) -> Observation:
    tagged = SystemMessage("A", additional_kwargs={"__openai_role__": "developer"})
    messages = [
        tagged,
        ChatMessage(content="B", role="developer"),
        SystemMessage("C"),
        HumanMessage("Hi"),
    ]
    harness.play(hello())
    outcome = harness.attempt(lambda: harness.model().invoke(messages))
    if not harness.requests:
        return safe_if(condition=False, seen=outcome)
    roles = [message["role"] for message in harness.sent()["messages"]]
    told = f"sent roles {', '.join(roles)}"
    return safe_if(roles == ["developer", "developer", "system", "user"], told)


@case("P78")
def values_are_none_or_not_a_number(harness: Harness) -> Observation:
    unset: Any = dict.fromkeys(("max_tokens", "parallel_tool_calls", "seed", "temperature", "user"))
    harness.attempt(lambda: harness.model().invoke("Hello", **unset))
    odd: Any = {"logit_bias": {"1": math.nan}}
    nan = harness.attempt(lambda: harness.model(model="openai/gpt-4.1-mini").invoke("Hello", **odd))
    nulls = [
        key
        for request in harness.requests
        for key, value in (request.body or {}).items()
        if value is None
    ]
    bodies = [request.raw for request in harness.requests[1:]]
    changed = any(b"null" in raw or b"NaN" in raw for raw in bodies)
    told = f"sent null for {', '.join(nulls)}" if nulls else "no nulls sent"
    return safe_if(not nulls and not changed, f"{told}; NaN: {'sent' if changed else nan.kind}")
