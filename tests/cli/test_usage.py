"""The meter and its table."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from langchain_openrouter_o3._cli.answer import Meter, Usage, table_rows

UNKNOWN = "\N{EN DASH}"


def answer(cost: Any = None) -> AIMessage:
    metadata = {} if cost is None else {"cost": cost}
    usage = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    return AIMessage("", response_metadata=metadata, usage_metadata=usage)


def listened(*answers: AIMessage) -> Usage:
    meter = Meter()
    for each in answers:
        meter.on_chat_model_start({}, [])
        meter.on_llm_end(LLMResult(generations=[[ChatGeneration(message=each)]]))
    return meter.read("step")


def test_answers_add_up() -> None:
    usage = listened(answer(0.25), answer(0.5))
    assert (usage.input, usage.output, usage.cost) == (4, 6, 0.75)
    assert usage.cells()[:2] == ["step", "4"]
    assert usage.cells()[6] == "0.750000"


def test_what_is_not_reported_is_unknown() -> None:
    assert listened().cells() == ["step", *[UNKNOWN] * 6]
    assert listened(answer(), AIMessage("")).cells()[1:5] == [UNKNOWN] * 4
    assert listened(answer(0.25), answer("NaN")).cells()[6] == UNKNOWN
    usage = listened(answer(0.25), answer())
    assert (usage.input, usage.cached, usage.reasoning, usage.cost) == (4, None, None, None)


def test_only_messages_of_models_count() -> None:
    meter = Meter()
    human = ChatGeneration(message=HumanMessage("hi"))
    meter.on_llm_end(LLMResult(generations=[[human, Generation(text="hi")]]))
    assert meter.read("step").seconds is None


def test_a_total_with_an_unknown_part_is_unknown() -> None:
    known, unknown = listened(answer(0.25)), listened(answer())
    assert len(table_rows([known])) == 2
    assert table_rows([known, known])[-1][6] == "0.500000"
    assert table_rows([known, unknown])[-1][6] == UNKNOWN
