"""Tokens and dollars: asked for sensibly, counted once, the same in every mode."""

from __future__ import annotations

from typing import Any

from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage

from langchain_openrouter_o3 import CostTracker
from tests.helpers import wire
from tests.helpers.factories import failed, get_weather, hello, streamed, whole
from tests.pains.harness import EVERY_MODE, STREAMED, WHOLE, Harness, Observation, case, safe_if
from tests.pains.peers.clients import OURS

UNSUPPORTED: dict[str, Any] = {
    "temperature": 0.2,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "parallel_tool_calls": False,
}


@case("P36")
def parameters_are_not_the_models(harness: Harness) -> Observation:
    fields = {name: value for name, value in UNSUPPORTED.items() if "tool" not in name}
    harness.play(hello())

    def call() -> None:
        model = harness.model(**fields)
        model.bind_tools([get_weather], parallel_tool_calls=False).invoke("Hello")

    outcome = harness.attempt(call)
    body = harness.sent() if harness.requests else {}
    sent = [name for name in UNSUPPORTED if name in body]
    silent = [name for name in UNSUPPORTED if not harness.warnings_about(name)]
    told = f"sent {', '.join(sent) or 'none'}; warned of {len(UNSUPPORTED) - len(silent)} of 4"
    return safe_if(not sent and not silent and outcome.succeeded, told)


@case("P40")
def the_limit_is_too_small(harness: Harness) -> Observation:
    outcome = harness.ask(max_tokens=5)
    return safe_if(
        not harness.requests, f"{outcome.refusal if harness.requests else outcome}, {harness.count}"
    )


@case("P41", EVERY_MODE)
def the_credits_are_too_few(harness: Harness) -> Observation:
    words = "You requested up to 100000 tokens, but can only afford 5000."
    harness.play(failed(402, wire.error(402, words)))
    outcome = harness.ask()
    return safe_if("afford 5000" in str(outcome.error), outcome)


@case("P42")
def reasoning_eats_the_budget(harness: Harness) -> Observation:
    counts = wire.usage(completion=2000, reasoning=1984)
    harness.play(whole(wire.body("", finish="length", counts=counts)))
    schema = {"title": "A", "type": "object", "properties": {"a": {"type": "string"}}}
    eaten = harness.attempt(lambda: harness.model().with_structured_output(schema).invoke("Hello"))
    named = eaten.error is not None and (
        "length" in str(eaten.error) or "max_tokens" in str(eaten.error)
    )
    harness.emulator.reset()
    harness.play(hello())
    harness.attempt(
        lambda: harness.model(max_tokens=900).invoke("Hello", max_completion_tokens=800)
    )
    limits = [key for key in ("max_tokens", "max_completion_tokens") if key in harness.sent()]
    told = f"structured output: {eaten.kind if eaten.error else eaten}; sent {' and '.join(limits)}"
    return safe_if(named and len(limits) == 1, told)


@case("P43", STREAMED)
def usage_is_on_every_chunk(harness: Harness) -> Observation:
    counts = [wire.usage(20, number, reasoning=0) for number in (1, 2, 3, 3)]
    events = [
        wire.chunk("Hel"),
        wire.chunk("lo"),
        wire.chunk(finish="stop"),
        {**wire.chunk(), "choices": []},
    ]
    harness.play(
        streamed(*({**event, "usage": usage} for event, usage in zip(events, counts, strict=True)))
    )
    outcome = harness.ask()
    if not outcome.succeeded:
        return safe_if(condition=False, seen=outcome)
    usage = outcome.value.usage_metadata or {}
    counted = [usage.get(key) for key in ("input_tokens", "output_tokens")]
    return safe_if(counted == [20, 3], f"counted {counted[0]} in, {counted[1]} out; true: 20 and 3")


@case("P44", STREAMED)
def the_finish_is_repeated(harness: Harness) -> Observation:
    harness.play(streamed(wire.chunk("Hello"), *wire.ending()))
    outcome = harness.ask()
    if not outcome.succeeded:
        return safe_if(condition=False, seen=outcome)
    metadata = outcome.value.response_metadata
    facts = [metadata.get(key) for key in ("finish_reason", "model_name")]
    return safe_if(
        facts == ["stop", wire.MODEL], f"finish_reason {facts[0]!r}, model_name {facts[1]!r}"
    )


@case("P47")
def cached_answers_are_counted_again(harness: Harness) -> Observation:
    harness.play(hello())
    model = harness.model(cache=InMemoryCache())
    costs, tokens = CostTracker(), UsageMetadataCallbackHandler()
    listening: Any = {"callbacks": [costs, tokens]}
    outcome = harness.attempt(lambda: [model.invoke("Hello", listening) for _ in range(3)])
    # The others' users have langchain-core's counter.
    counts = [spent.usage for spent in costs.by_model.values() if spent.usage]
    counts = counts if harness.client is OURS else list(tokens.usage_metadata.values())
    total = sum(count["total_tokens"] for count in counts)
    told = f"one answer of 60 tokens, asked for three times: {total} tokens counted"
    return safe_if(outcome.succeeded and total == 60, told if outcome.succeeded else outcome)


@case("P45", STREAMED)
def usage_follows_the_finish(harness: Harness) -> Observation:
    counts = wire.usage(20, 40, reasoning=30, prompt_tokens_details={"cached_tokens": 16})
    finish = wire.chunk(finish="stop")
    late = {**wire.chunk(), "usage": counts}
    harness.play(streamed(wire.chunk("Hello"), finish, wire.PROCESSING, late))
    outcome = harness.ask()
    if not outcome.succeeded:
        return safe_if(condition=False, seen=outcome)
    usage = outcome.value.usage_metadata
    cached = usage and usage.get("input_token_details", {}).get("cache_read")
    return safe_if(cached == 16, f"cached tokens: {cached}" if usage else "no usage")


@case("P46", WHOLE)
def the_cost_is_told(harness: Harness) -> Observation:
    harness.play(whole(wire.body("Hello")), streamed(wire.chunk("Hello"), *wire.ending()))
    told = []
    for name, streaming in (("invoke", False), ("stream", True)):
        outcome = harness.ask(streaming=streaming)
        there = outcome.succeeded and str(wire.usage()["cost"]) in str(outcome.value.model_dump())
        told.append((there, f"{name}: {'cost there' if there else 'no cost'}"))
    return safe_if(all(there for there, _ in told), ", ".join(words for _, words in told))


@case("P48")
def two_answers_are_wanted(harness: Harness) -> Observation:
    answer = wire.body("One")
    answer["choices"].append({**answer["choices"][0], "index": 1})
    harness.play(whole(answer))
    built = harness.attempt(lambda: harness.model(n=2))
    if not built.succeeded:
        return safe_if(condition=True, seen=f"{built.kind} at construction")
    outcome = harness.attempt(lambda: built.value.generate([[HumanMessage("Hello")]]))
    if not outcome.succeeded:
        return safe_if(
            condition=False, seen=f"accepted at construction; {outcome}, {harness.count}"
        )
    messages = [generation.message for generation in outcome.value.generations[0]]
    total = sum((message.usage_metadata or {}).get("total_tokens", 0) for message in messages)
    return safe_if(total == 60, f"{len(messages)} messages with {total} tokens together; true: 60")
