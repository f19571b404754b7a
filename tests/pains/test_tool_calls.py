"""Tools on the way out, calls on the way in, and both in histories from anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from tests.helpers import wire
from tests.helpers.factories import get_weather, hello, sent, streamed, whole
from tests.helpers.modes import MODES, every_mode, streamed_modes

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator


def play_calls(emulator: Emulator, mode: str, *calls: wire.Json) -> None:
    """Answer with whole calls, in one event or in a body."""
    if "stream" in mode:
        emulator.play(streamed(wire.tool_chunk(*calls), *wire.ending("tool_calls")))
    else:
        emulator.play(whole(wire.body(None, finish="tool_calls", tool_calls=list(calls))))


def round_trip(*calls: tuple[str | None, str]) -> list[Any]:
    """Make a history of calls and their results, by the ids on either side."""
    made = [tool_call(name="get_weather", args={"city": "Paris"}, id=call) for call, _ in calls]
    results = [ToolMessage("Sunny", tool_call_id=result) for _, result in calls]
    return [HumanMessage("Hi"), AIMessage("", tool_calls=made), *results]


def ids_sent(emulator: Emulator) -> tuple[list[str], list[str]]:
    """Return the ids of calls and of results in the last request."""
    messages = sent(emulator)["messages"]
    calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    return calls, [message["tool_call_id"] for message in messages if message["role"] == "tool"]


@every_mode
@pytest.mark.parametrize("arguments", ["[1]", '"text"', "null ", "3"])
def test_p16_arguments_that_are_no_object_cost_only_their_call(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, arguments: str
) -> None:
    good = wire.tool_call("get_weather", '{"city":"Paris"}', "call_2", 1)
    play_calls(emulator, mode, wire.tool_call("get_weather", arguments), good)
    answer = MODES[mode](model)
    assert [call["id"] for call in answer.tool_calls] == ["call_2"]
    assert [call["id"] for call in answer.invalid_tool_calls] == ["call_1"]
    assert answer.additional_kwargs["tool_call_arguments"]["call_1"] == arguments
    assert answer.usage_metadata is not None


@every_mode
@pytest.mark.parametrize(
    "function", [{"arguments": None}, {}, {"arguments": ""}, {"arguments": " "}]
)
def test_p17_no_arguments_are_an_empty_object(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, function: wire.Json
) -> None:
    call = wire.tool_call("now", "")
    call["function"] = {"name": "now", **function}
    play_calls(emulator, mode, call)
    answer = MODES[mode](model)
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("now", {})]


def test_p23_tools_without_parameters_are_completed_and_hopeless_ones_named(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    bare = {"name": "now", "description": "Time", "parameters": {"type": "object"}}
    array = {"type": "object", "properties": {"ids": {"type": "array"}}}
    listing = {"name": "show", "description": "Show", "parameters": array}
    model.bind_tools([bare, listing]).invoke("Hi")
    now, show = (tool["function"]["parameters"] for tool in sent(emulator)["tools"])
    assert now["properties"] == {}
    assert show["properties"]["ids"]["items"] == {}
    assert "items" not in array["properties"]["ids"]  # type: ignore[index]
    union = {"name": "either", "description": "?", "parameters": {"oneOf": [array, array]}}
    with pytest.raises(OpenRouterInputError, match="either"):
        model.bind_tools([get_weather, union])


@streamed_modes
def test_p24_a_name_repeated_in_every_delta_is_one_name(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    deltas = [wire.tool_call("f", piece, "call_1", 0) for piece in ('{"a"', ": 1", "}")]
    another = wire.tool_call("g", "{}", "call_2", 0)  # a new id on the same index
    emulator.play(streamed(*map(wire.tool_chunk, [*deltas, another]), *wire.ending("tool_calls")))
    calls = [(call["name"], call["args"], call["id"]) for call in MODES[mode](model).tool_calls]
    assert calls == [("f", {"a": 1}, "call_1"), ("g", {}, "call_2")]


@streamed_modes
def test_p25_deltas_without_an_index_find_their_calls(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    deltas = [
        *wire.tool_deltas("f", ['{"a"', ": 1}"], "call_1"),
        *wire.tool_deltas("g", ['{"b": 2}'], "call_2"),
    ]
    for delta in deltas:
        del delta["index"]
    emulator.play(streamed(*map(wire.tool_chunk, deltas), *wire.ending("tool_calls")))
    calls = [(call["name"], call["args"]) for call in MODES[mode](model).tool_calls]
    assert calls == [("f", {"a": 1}), ("g", {"b": 2})]


def test_p27_calls_without_an_id_get_the_same_one_every_time(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    for _ in range(2):
        model.invoke(round_trip((None, ""), (None, "")))
    calls, results = ids_sent(emulator)
    assert calls == results
    assert len(set(calls)) == 2
    assert all(calls)
    assert emulator.requests[0].raw == emulator.requests[1].raw


@every_mode
def test_p28_doubled_ids_of_one_turn_are_made_unique(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    twins = [wire.tool_call(name, "{}", "call_1", n) for n, name in enumerate(("f", "g"))]
    if "stream" in mode:
        events = [wire.tool_chunk(twin) for twin in twins]
        emulator.play(streamed(*events, *wire.ending("tool_calls")))
    else:
        play_calls(emulator, mode, *twins)
    calls = MODES[mode](model).tool_calls
    assert [call["name"] for call in calls] == ["f", "g"]
    assert calls[0]["id"] != calls[1]["id"]


def test_p29_over_long_ids_are_shortened_alike_on_both_sides(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    long = ["x" * 83, "x" * 82 + "y"]
    model.invoke(round_trip(*zip(long, long, strict=True)))
    calls, results = ids_sent(emulator)
    assert calls == results
    assert len(set(calls)) == 2
    assert all(len(identity) <= 64 for identity in calls)


@pytest.mark.parametrize("missing", ["result", "call"])
def test_p30_orphans_are_named_before_anything_is_sent(
    emulator: Emulator, model: ChatOpenRouterO3, missing: str
) -> None:
    history = round_trip(("call_7", "call_7"))
    del history[2 if missing == "result" else 1]
    with pytest.raises(OpenRouterInputError, match="call_7"):
        model.invoke([*history, HumanMessage("And?")])
    assert emulator.requests == []


@every_mode
@pytest.mark.parametrize("arguments", ['{"city":"Paris"}', '{ "city" :\t"Par\\u0069s" }'])
def test_p49_the_models_own_argument_string_goes_back_unchanged(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, arguments: str
) -> None:
    play_calls(emulator, mode, wire.tool_call("get_weather", arguments))
    answer = MODES[mode](model)
    assert answer.tool_calls[0]["args"] == {"city": "Paris"}
    emulator.play(hello())
    model.invoke([HumanMessage("Hi"), answer, ToolMessage("Sunny", tool_call_id="call_1")])
    assert sent(emulator)["messages"][1]["tool_calls"][0]["function"]["arguments"] == arguments
    assert list(sent(emulator)) == list(json.loads(emulator.requests[0].raw))[:2]


def test_p56_server_tools_pass_verbatim(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    search = {"type": "openrouter:web_search", "parameters": {"max_results": 3, "later": [None]}}
    emulator.play(hello())
    model.bind_tools([search, get_weather]).invoke("Hi")
    assert sent(emulator)["tools"][0] == search
    assert sent(emulator)["tools"][1]["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (False, "none"),
        (True, "required"),
        ("any", "required"),
        ("get_weather", {"type": "function", "function": {"name": "get_weather"}}),
        (None, None),
    ],
)
def test_p69_every_spelling_of_tool_choice_arrives(
    emulator: Emulator, model: ChatOpenRouterO3, choice: Any, expected: Any
) -> None:
    emulator.play(hello())
    model.bind_tools([get_weather], tool_choice=choice).invoke("Hi")
    assert sent(emulator).get("tool_choice") == expected


def test_p69_unknown_choices_are_refused_and_empty_tool_lists_left_out(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.raises(OpenRouterInputError, match="get_wether"):
        model.bind_tools([get_weather], tool_choice="get_wether")
    model.bind_tools([]).invoke("Hi")
    assert sent(emulator).keys() == {"model", "messages"}
