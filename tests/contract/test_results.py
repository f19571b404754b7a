"""What callbacks and tracers find beside the message: generation_info and llm_output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.outputs import LLMResult

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator

INFO = {"finish_reason": "stop", "model_name": wire.MODEL, "id": wire.GENERATION}
TOKENS = {
    "prompt_tokens": 20,
    "completion_tokens": 40,
    "total_tokens": 60,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
OUTPUT = {"model_name": wire.MODEL, "id": wire.GENERATION, "token_usage": TOKENS}


class Ends(BaseCallbackHandler):
    """Keeps every result that ends a call."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:  # noqa: ARG002
        self.results.append(response)

    @property
    def generation(self) -> Any:
        return self.results[-1].generations[0][0]


def played(streamed: bool = True, **how: Any) -> Canned:  # noqa: FBT001, FBT002
    if streamed:
        body = wire.sse(wire.chunk("Hel"), wire.chunk("lo"), *wire.ending(**how))
        return Canned(headers={"content-type": "text/event-stream"}, pieces=body)
    return Canned(pieces=wire.to_json(wire.body("Hello", **how)))


def watched(model: ChatOpenRouterO3, **changes: Any) -> tuple[ChatOpenRouterO3, Ends]:
    ends = Ends()
    return model.model_copy(update={"callbacks": [ends], **changes}), ends


@every_mode
@pytest.mark.parametrize("streamed", [True, False], ids=["events", "body"])
@pytest.mark.parametrize("version", [None, "v1"])
def test_tracers_find_the_finish_reason_and_the_ids(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    mode: str,
    *,
    streamed: bool,
    version: str | None,
) -> None:
    spied, ends = watched(model, output_version=version)
    emulator.play(played(streamed))
    message = MODES[mode](spied)
    assert ends.generation.generation_info == INFO
    assert message.response_metadata["finish_reason"] == "stop"
    assert "token_usage" not in message.response_metadata
    if "stream" not in mode:  # core makes the result of a stream itself
        assert ends.results[-1].llm_output == OUTPUT


@every_mode
def test_the_metadata_is_the_same_in_every_mode(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(played(), played())
    assert MODES[mode](model).response_metadata == model.invoke("Hello").response_metadata


def test_streaming_under_invoke_tells_as_much(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    spied, ends = watched(model)
    emulator.play(played())
    spied.invoke("Hello", stream=True)
    assert ends.generation.generation_info == INFO
    assert ends.results[-1].llm_output == OUTPUT


def test_what_is_not_known_is_left_out(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    spied, ends = watched(model)
    emulator.play(Canned(pieces=wire.to_json(body)), Canned(pieces=wire.to_json(body)))
    spied.invoke("Hello")
    assert ends.generation.generation_info is None
    assert ends.results[-1].llm_output == {}
    list(spied.stream("Hello"))
    assert ends.generation.generation_info is None


def test_an_answer_from_the_cache_counts_no_tokens(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    spied, ends = watched(model, cache=InMemoryCache())
    emulator.play(played())
    spied.invoke("Hello")
    spied.invoke("Hello")
    assert ends.generation.generation_info == INFO
    assert [result.llm_output for result in ends.results] == [OUTPUT, None]


def test_generate_adds_up_the_counts(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    bare = wire.usage()
    del bare["completion_tokens_details"]
    emulator.play(played(), played(streamed=False), played(counts=bare))
    questions: Any = [[HumanMessage("a")], [HumanMessage("b")], [HumanMessage("c")]]
    result = model.generate(questions)
    assert result.llm_output == {
        "model_name": wire.MODEL,
        "token_usage": {
            "prompt_tokens": 60,
            "completion_tokens": 120,
            "total_tokens": 180,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 60},
        },
    }
    emulator.play(played(), played())
    result = asyncio.run(model.agenerate(questions[:2]))
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 120


def test_generate_adds_nothing_for_answers_without_counts(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    cached = model.model_copy(update={"cache": InMemoryCache()})
    emulator.play(Canned(pieces=wire.to_json(body)))
    question: Any = [[HumanMessage("Hello")], [HumanMessage("Hello")]]
    assert cached.generate(question).llm_output == {}
