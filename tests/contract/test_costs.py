"""Sums of costs: every billed answer once, cached ones free, over threads and tasks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from pydantic import BaseModel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    CostTracker,
    ModelCosts,
    OpenRouterAPIError,
    OpenRouterCreditsError,
    OpenRouterTimeoutError,
    OpenRouterTruncatedError,
    track_costs,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import STREAM
from tests.helpers.modes import MODES, every_mode, streamed_modes

PRICE = 0.000198  # of every answer of tests/helpers/wire.py


def answer(mode: str, counts: wire.Json | None = None) -> Canned:
    if "stream" in mode:
        return Canned(
            headers=STREAM, pieces=wire.sse(wire.chunk("Hello"), *wire.ending(counts=counts))
        )
    return Canned(pieces=wire.to_json(wire.body("Hello", counts=counts)))


@every_mode
def test_costs_and_tokens_are_summed_per_model(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(answer(mode), answer(mode), answer(mode))
    with track_costs() as costs:
        for _ in range(3):
            MODES[mode](model)
    assert costs.cost == 0.000594  # exactly: money does not drift
    (spent,) = costs.by_model.values()
    assert costs.by_model.keys() == {wire.MODEL}
    assert (spent.answers, spent.cached_answers, spent.unpriced_answers) == (3, 0, 0)
    assert spent.usage is not None
    assert spent.usage["input_tokens"] == 60
    assert spent.usage["output_token_details"]["reasoning"] == 90
    assert costs.unfinished == 0


def test_protocol_events_are_counted_too(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(answer("stream"))
    with track_costs() as costs:
        assert model.stream_events("Hello", version="v3").output.text == "Hello"
    assert (costs.cost, costs.unfinished) == (PRICE, 0)


def test_what_is_asked_outside_the_block_is_not_counted(model: ChatOpenRouterO3) -> None:
    model.invoke("Hello")
    with track_costs() as costs:
        pass
    model.invoke("Hello")
    assert (costs.cost, costs.by_model) == (0, {})


def test_every_block_counts_what_happens_within_it(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(*[answer("invoke")] * 3)
    with track_costs() as outer:
        model.invoke("Hello")
        with track_costs() as inner:
            model.invoke("Hello", config={"callbacks": [outer]})  # heard of twice, counted once
        model.invoke("Hello")
    assert (outer.by_model[wire.MODEL].answers, inner.by_model[wire.MODEL].answers) == (3, 1)


def test_cached_answers_are_free(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, cache=InMemoryCache())
    emulator.play(answer("invoke"))
    with track_costs() as costs:
        answers = [model.invoke("Hello").text for _ in range(3)]
    assert answers == ["Hello"] * 3
    assert len(emulator.requests) == 1
    spent = costs.by_model[wire.MODEL]
    assert (spent.cost, spent.answers, spent.cached_answers) == (PRICE, 1, 2)
    assert spent.usage is not None
    assert spent.usage["input_tokens"] == 20


def test_batches_tasks_and_threads_are_summed(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(*[answer("invoke")] * 40)
    with track_costs() as costs:
        model.batch(["Hello"] * 10)
        asyncio.run(model.abatch(["Hello"] * 10))

        async def tasks() -> None:
            await asyncio.gather(*(model.ainvoke("Hello") for _ in range(10)))

        asyncio.run(tasks())
        with ThreadPoolExecutor(10) as plain:  # plain threads do not inherit the block
            for _ in range(10):
                plain.submit(model.invoke, "Hello", {"callbacks": [costs]})
    assert costs.by_model[wire.MODEL].answers == 40
    assert costs.cost == pytest.approx(40 * PRICE, abs=1e-12)


def test_structured_output_that_fails_is_billed_once(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    class City(BaseModel):
        """A city."""

        name: str

    emulator.play(Canned(pieces=wire.to_json(wire.body('{"na', finish="length"))))
    with track_costs() as costs, pytest.raises(OpenRouterTruncatedError):
        model.with_structured_output(City).invoke("Hello")
    assert costs.by_model[wire.MODEL].answers == 1


@streamed_modes
def test_a_failed_answer_that_was_billed_counts(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    failed = {**wire.chunk(), **wire.error(502, "Broken"), "usage": wire.usage()}
    emulator.play(Canned(headers=STREAM, pieces=wire.sse(wire.chunk("Hel"), failed)))
    with track_costs() as costs, pytest.raises(OpenRouterAPIError):
        MODES[mode](model)
    assert (costs.cost, costs.by_model[wire.MODEL].answers) == (PRICE, 1)


def test_both_of_two_blocks_hear_of_a_failure(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(Canned(delay=60))
    with track_costs() as outer, track_costs() as inner, pytest.raises(OpenRouterTimeoutError):
        model.invoke("Hello", idle_timeout=0.1)
    assert outer.by_model == inner.by_model == {wire.MODEL: ModelCosts(unpriced_answers=1)}


def test_a_refused_request_costs_nothing(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(Canned(status=402, pieces=wire.to_json(wire.error(402, "No credits"))))
    with track_costs() as costs, pytest.raises(OpenRouterCreditsError):
        model.invoke("Hello")
    assert (costs.by_model, costs.unfinished) == ({}, 0)


def test_an_answer_that_never_came_may_be_billed(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(Canned(delay=60))
    with track_costs() as costs, pytest.raises(OpenRouterTimeoutError):
        model.invoke("Hello", timeout=0.1)
    assert costs.by_model == {wire.MODEL: ModelCosts(unpriced_answers=1)}


def test_a_stream_that_is_closed_early_is_counted_as_unpriced(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(Canned(headers=STREAM, pieces=wire.sse(wire.chunk("a"), *wire.ending())))
    with track_costs() as costs:
        stream = model.stream("Hello")
        next(stream)
        assert costs.unfinished == 1
        stream.close()  # type: ignore[attr-defined]
    (spent,) = costs.by_model.values()
    assert (spent.answers, spent.unpriced_answers, costs.unfinished) == (0, 1, 0)


def test_a_stream_that_is_closed_after_its_last_chunk_has_its_price(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(answer("stream"))
    with track_costs() as costs:
        stream = model.stream("Hello")
        while next(stream).chunk_position != "last":
            pass
        stream.close()  # type: ignore[attr-defined]
    assert costs.by_model[wire.MODEL].answers == 1
    assert costs.cost == PRICE


@pytest.mark.parametrize("price", [None, "free", True])
def test_an_answer_without_a_price_is_not_free(
    emulator: Emulator, model: ChatOpenRouterO3, price: object
) -> None:
    emulator.play(answer("invoke", wire.usage(cost=price)))
    with track_costs() as costs:
        model.invoke("Hello")
    spent = costs.by_model[wire.MODEL]
    assert (spent.cost, spent.answers, spent.unpriced_answers) == (0, 0, 1)
    assert spent.usage is not None


@pytest.mark.parametrize(
    ("details", "charged"),
    [({"upstream_inference_cost": 0.5}, 0.5), ({"upstream_inference_cost": None}, 0), ([], 0)],
)
def test_what_a_provider_charges_to_your_own_key_is_told_apart(
    emulator: Emulator, model: ChatOpenRouterO3, details: object, charged: float
) -> None:
    own = wire.usage(cost=0.01, is_byok=True, cost_details=details)
    emulator.play(answer("invoke", own))
    with track_costs() as costs:
        model.invoke("Hello")
    spent = costs.by_model[wire.MODEL]
    assert (spent.cost, spent.upstream_cost) == (0.01, charged)


def test_a_tracker_shows_its_sums(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(answer("invoke"))
    costs = CostTracker()
    model.invoke("Hello", config={"callbacks": [costs]})
    assert repr(costs).startswith("CostTracker(cost=0.000198, by_model={'openai/o3-mini'")


@pytest.mark.parametrize(
    "generations",
    [[], [[]], [[Generation(text="Hello")]], [[ChatGeneration(message=AIMessage("Hello"))]]],
)
def test_another_model_without_usage_is_counted_as_unpriced(generations: Any) -> None:
    from uuid import uuid4

    costs, run = CostTracker(), uuid4()
    costs.on_chat_model_start({}, [], run_id=run, metadata={"ls_model_name": "other"})
    costs.on_llm_end(LLMResult(generations=generations), run_id=run)
    costs.on_llm_end(LLMResult(generations=generations), run_id=run)
    assert costs.by_model == {"other": ModelCosts(unpriced_answers=1)}
