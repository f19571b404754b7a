"""Reasoning: read, kept and given back as it came; its effort asked for once and correctly."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    messages_from_dict,
    messages_to_dict,
)
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from tests.helpers import wire
from tests.helpers.factories import build, hello, sent, streamed, whole
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator import Emulator

SUMMARY = ["First ", "this, ", "then that."]
FUTURE = {"type": "reasoning.future", "index": 2, "new": {"deep": [1, None]}}
WHOLE = [wire.summary("".join(SUMMARY)), wire.encrypted("gAAAB=", index=0), FUTURE]


def play_thoughts(emulator: Emulator, mode: str, details: list[wire.Json]) -> None:
    """Answer with reasoning; in a stream each summary comes in pieces, index 0 twice."""
    if "stream" not in mode:
        emulator.play(whole(wire.body("Done", reasoning_details=details)))
        return
    pieces = [wire.summary(text) for text in SUMMARY] if details else []
    others = [entry for entry in details if entry["type"] != "reasoning.summary"]
    deltas = [[piece] for piece in [*pieces, *others]] or [[]]
    events = [wire.chunk(reasoning_details=delta) for delta in deltas]
    emulator.play(streamed(*events, wire.chunk("Done"), *wire.ending()))


def sent_back(emulator: Emulator, model: ChatOpenRouterO3, answer: AIMessage) -> Any:
    """Send an answer as history and return its reasoning in the request."""
    emulator.play(hello())
    model.invoke([HumanMessage("Hi"), answer, HumanMessage("Go on")])
    return sent(emulator)["messages"][1].get("reasoning_details")


@every_mode
def test_p12_streamed_ciphertext_is_what_a_whole_answer_holds(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    play_thoughts(emulator, mode, WHOLE)
    answer = MODES[mode](model)
    assert answer.additional_kwargs["reasoning_details"] == WHOLE
    assert sent_back(emulator, model, answer) == WHOLE


WAYS: dict[str, Callable[[AIMessage], Any]] = {
    "as it is": lambda answer: answer,
    "a checkpoint": lambda answer: messages_from_dict(messages_to_dict([answer]))[0],
    "dumps and loads": lambda answer: loads(dumps(answer), allowed_objects=[AIMessage]),
}


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@every_mode
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("details", [WHOLE, []])
def test_p13_reasoning_goes_back_whatever_way_the_history_took(
    emulator: Emulator, mode: str, way: str, version: str, details: list[wire.Json]
) -> None:
    model = build(emulator, output_version=version)
    play_thoughts(emulator, mode, details)
    answer = WAYS[way](MODES[mode](model))
    assert sent_back(emulator, model, answer) == details


def test_p14_an_id_without_its_ciphertext_is_left_out_and_one_with_it_is_kept(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    dangling = {**wire.summary("Thought"), "id": "rs_dangling"}
    paired = [{**wire.summary("More"), "id": "rs_1"}, wire.encrypted("gAAAB=", "rs_1")]
    kept = copy.deepcopy([dangling, *paired])
    answer = AIMessage("Done", additional_kwargs={"reasoning_details": kept})
    assert sent_back(emulator, model, answer) == [wire.summary("Thought"), *paired]
    assert kept == [dangling, *paired]


@every_mode
def test_p15_unknown_kinds_of_reasoning_do_not_grow(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    answer = AIMessage("Done", additional_kwargs={"reasoning_details": [FUTURE]})
    for _ in range(3):
        details = sent_back(emulator, model, answer)
        play_thoughts(emulator, mode, details)
        answer = MODES[mode](model)
    assert answer.additional_kwargs["reasoning_details"][-1] == FUTURE


@pytest.mark.parametrize(
    ("constructor", "call", "expected"),
    [
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "high"}}, {"effort": "high"}),
        ({"reasoning": {"effort": "low"}}, {"reasoning_effort": "high"}, {"effort": "high"}),
        (
            {"reasoning_effort": "low", "include_reasoning": False},
            {},
            {"effort": "low", "exclude": True},
        ),
    ],
)
def test_p34_the_effort_is_on_the_wire_once(
    emulator: Emulator, constructor: Any, call: Any, expected: Any
) -> None:
    build(emulator, **constructor).invoke("Hi", **call)
    assert sent(emulator).keys() == {"model", "messages", "reasoning"}
    assert sent(emulator)["reasoning"] == expected


def test_p34_two_efforts_in_one_place_are_refused(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    both: Any = {"reasoning": {"effort": "low"}, "reasoning_effort": "high"}
    with pytest.raises(OpenRouterInputError, match="drop one"):
        model.invoke("Hi", **both)
    with pytest.raises(ValidationError, match="drop one"):
        build(emulator, **both)
    assert emulator.requests == []


@every_mode
def test_p35_reasoning_goes_to_the_one_endpoint(emulator: Emulator, mode: str) -> None:
    model = build(emulator, reasoning={"effort": "high", "summary": "auto"})
    assert MODES[mode](model).text
    assert [request.path for request in emulator.requests] == ["/api/v1/chat/completions"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reasoning": {"effort": "xlow"}},
        {"reasoning": {"newkey": 1}},
        {"reasoning_effort": "xlow"},
        {"reasoning_effort": "xhigh"},
    ],
)
def test_p37_a_misspelt_effort_is_refused_and_a_new_one_can_be_forced(
    emulator: Emulator, model: ChatOpenRouterO3, wrong: Any
) -> None:
    with pytest.raises(ValueError, match=r"xlow|newkey|xhigh|reasoning_effort"):
        build(emulator, **wrong)
    with pytest.raises(OpenRouterInputError):
        model.invoke("Hi", **wrong)
    assert emulator.requests == []
    emulator.play(hello())
    model.invoke("Hi", extra_body={"reasoning": {"effort": "xlow"}})
    assert sent(emulator)["reasoning"] == {"effort": "xlow"}
