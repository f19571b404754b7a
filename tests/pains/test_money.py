"""Tokens and dollars: asked for sensibly, counted once, the same in every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterCreditsError,
    OpenRouterInputError,
    OpenRouterTruncatedError,
    track_costs,
)
from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import STREAM, build, failed, hello, sent, streamed, whole
from tests.helpers.modes import MODES, every_mode, streamed_modes

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

UNSUPPORTED: dict[str, Any] = {
    "temperature": 0.0,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "logprobs": True,
    "parallel_tool_calls": False,
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_p36_what_the_model_does_not_have_is_named_and_not_sent(
    emulator: Emulator, model: ChatOpenRouterO3, name: str
) -> None:
    argument = {name: UNSUPPORTED[name]}
    with pytest.warns(UserWarning, match=name):
        model.invoke("Hi", **argument)
    with pytest.warns(UserWarning, match=name):
        configured = build(emulator, **argument)
    configured.invoke("Hi")
    assert [sent(emulator, n).keys() for n in (0, 1)] == [{"model", "messages"}] * 2
    model.invoke("Hi", extra_body=argument)
    assert sent(emulator)[name] == UNSUPPORTED[name]


@every_mode
def test_p36_stop_is_kept_by_the_client(emulator: Emulator, mode: str) -> None:
    emulator.play(whole(wire.body("One. Two. Three.")))
    assert MODES[mode](build(emulator, stop=["Two"])).text == "One. "
    assert "stop" not in sent(emulator)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_p40_too_small_a_limit_is_refused_with_the_reason(
    emulator: Emulator, model: ChatOpenRouterO3, name: str
) -> None:
    limit: Any = {name: 15}
    for refusing, call in ((model, limit), (build(emulator, **limit), {})):
        with pytest.raises(OpenRouterInputError, match=r"below 16.*reasoning"):
            refusing.invoke("Hi", **call)
    assert emulator.requests == []
    limit[name] = 16
    model.invoke("Hi", **limit)
    assert sent(emulator)["max_tokens"] == 16


@every_mode
def test_p41_too_few_credits_are_explained(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    words = "You requested up to 100000 tokens, but can only afford 5000."
    emulator.play(failed(402, wire.error(402, words)))
    with pytest.raises(OpenRouterCreditsError, match=r"afford 5000.*lower max_tokens") as caught:
        MODES[mode](model)
    assert not caught.value.is_retryable


@every_mode
def test_p42_a_budget_eaten_by_reasoning_can_be_seen(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    counts = wire.usage(completion=2000, reasoning=1984)
    eaten = whole(wire.body("", finish="length", counts=counts))
    emulator.play(eaten, eaten)
    answer = MODES[mode](model)
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_token_details"]["reasoning"] == 1984
    reader = model.with_structured_output({"title": "A", "type": "object", "properties": {}})
    with pytest.raises(OpenRouterTruncatedError, match=r"2000 tokens, 1984 of them.*max_tokens"):
        reader.invoke("Hi")


def test_p42_the_limit_has_one_name_on_the_wire(emulator: Emulator) -> None:
    build(emulator, max_tokens=900).invoke("Hi", max_completion_tokens=800)
    assert sent(emulator).keys() == {"model", "messages", "max_tokens"}
    assert sent(emulator)["max_tokens"] == 800


def finish(choices: Any = None, **extra: Any) -> wire.Json:
    """Make a last event with other choices, or the finish again."""
    event = wire.chunk(finish="stop")
    return {**event, **({} if choices is None else {"choices": choices}), **extra}


COUNTS = wire.usage(20, 40, reasoning=30)
UNFINISHED = wire.chunk()["choices"]
USAGE_SHAPES: dict[str, list[wire.Json]] = {
    "without choices": [wire.chunk("Hello"), finish(), finish([], usage=COUNTS)],
    "beside an open choice": [wire.chunk("Hello"), finish(), finish(UNFINISHED, usage=COUNTS)],
    "on a second finish": [wire.chunk("Hello"), finish(), finish(usage=COUNTS)],
    "on every chunk": [
        {**wire.chunk("Hel"), "usage": wire.usage(20, 1, reasoning=0)},
        {**wire.chunk("lo"), "usage": wire.usage(20, 2, reasoning=0)},
        finish(usage=COUNTS),
        finish([], usage=COUNTS),
    ],
}
usage_shapes = pytest.mark.parametrize("shape", USAGE_SHAPES)


@streamed_modes
@usage_shapes
def test_p43_usage_is_counted_once(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, shape: str
) -> None:
    emulator.play(streamed(*USAGE_SHAPES[shape]))
    answer = MODES[mode](model)
    assert answer.text == "Hello"
    assert answer.usage_metadata is not None
    counted = [answer.usage_metadata[key] for key in ("input_tokens", "output_tokens")]
    assert counted == [20, 40]
    assert answer.usage_metadata["total_tokens"] == 60


@streamed_modes
def test_p44_a_repeated_finish_doubles_nothing_and_wipes_nothing(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    call = wire.tool_chunk(wire.tool_call("f", "{}"))
    emulator.play(streamed(call, *wire.ending("tool_calls"), *wire.ending("tool_calls")))
    answer = MODES[mode](model)
    assert answer.response_metadata["finish_reason"] == "tool_calls"
    assert answer.response_metadata["model_name"] == wire.MODEL
    assert answer.response_metadata["service_tier"] == "default"
    assert [call["name"] for call in answer.tool_calls] == ["f"]


@streamed_modes
def test_p45_usage_after_the_finish_is_read_and_never_made_up(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    cached = {**COUNTS, "prompt_tokens_details": {"cached_tokens": 16}}
    late = streamed(wire.chunk("Hello"), finish(), wire.PROCESSING, finish(usage=cached))
    emulator.play(late, streamed(wire.chunk("Hello"), finish()))
    usage = MODES[mode](model).usage_metadata
    assert usage is not None
    assert usage["input_token_details"]["cache_read"] == 16
    assert MODES[mode](model).usage_metadata is None


@every_mode
def test_p46_the_cost_is_there_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    free = {key: value for key, value in COUNTS.items() if not key.startswith(("cost", "is_"))}
    for counts in (COUNTS, free):
        if "stream" in mode:
            emulator.play(streamed(wire.chunk("Hello"), *wire.ending(counts=counts)))
        else:
            emulator.play(whole(wire.body("Hello", counts=counts)))
    keys = ("cost", "cost_details", "is_byok")
    metadata = MODES[mode](model).response_metadata
    assert {key: metadata[key] for key in keys} == {key: COUNTS[key] for key in keys}
    assert MODES[mode](model).response_metadata.keys() == metadata.keys() - set(keys)


def test_p47_cached_answers_are_free(emulator: Emulator) -> None:
    model = build(emulator, cache=InMemoryCache())
    emulator.play(whole(wire.body("Hello", counts=COUNTS)))
    with track_costs() as costs:
        for _ in range(3):
            model.invoke("Hi")
    assert len(emulator.requests) == 1
    spent = costs.by_model[wire.MODEL]
    assert (spent.cost, spent.answers, spent.cached_answers) == (COUNTS["cost"], 1, 2)
    assert spent.usage is not None
    assert spent.usage["total_tokens"] == COUNTS["total_tokens"]


def test_p48_more_than_one_answer_is_refused_early(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.raises(ValidationError, match="one answer"):
        build(emulator, n=2)
    with pytest.raises(OpenRouterInputError, match="one answer"):
        model.invoke("Hi", n=2)
    assert emulator.requests == []
    emulator.play(hello())
    counter = UsageMetadataCallbackHandler()
    build(emulator, n=1).invoke("Hi", config={"callbacks": [counter]})
    assert counter.usage_metadata[wire.MODEL]["total_tokens"] == 60
    assert "n" not in sent(emulator)


def endless() -> Canned:
    words = [wire.sse(wire.chunk(f"{n} "), done=False) for n in range(1_000)]
    return Canned(headers=STREAM, pieces=words, pause=0.01)


def test_p50_an_abandoned_stream_is_hung_up(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(endless())
    for _ in model.stream("Hi"):
        break
    assert emulator.requests[-1].wait_disconnected(5)


async def test_p50_an_abandoned_async_stream_is_hung_up(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    import asyncio

    emulator.play(endless())
    stream: Any = model.astream("Hi")
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(emulator.requests[-1].wait_disconnected, 5)
