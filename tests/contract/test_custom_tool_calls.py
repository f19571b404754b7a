"""Calls of OpenAI's custom tools, which take one text: kept, executable, and given back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, merge_message_runs
from langchain_core.tools import Tool

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError, OpenRouterStreamCutError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.scripted import add_up, read_chunks, read_message

INPUT = 'print("Grüße, 🐑")\n\\d+ {"a": 1}'
CODE: dict[str, Any] = {"type": "custom", "custom": {"name": "run", "format": {"type": "text"}}}


def custom(text: str = INPUT, identity: str = "call_1", index: int = 0) -> wire.Json:
    call = {"name": "run", "input": text}
    return {"index": index, "id": identity, "type": "custom", "custom": call}


def deltas(*pieces: str, identity: str = "call_1", index: int = 0) -> list[wire.Json]:
    rest = ({"index": index, "custom": {"input": piece}} for piece in pieces)
    return [custom("", identity, index), *rest]


def streamed(*events: Any, finish: str = "tool_calls", done: bool = True) -> Canned:
    body = wire.sse(*events, *(wire.ending(finish) if done else []), done=done)
    return Canned(headers={"content-type": "text/event-stream"}, pieces=body)


def whole(*calls: wire.Json, finish: str = "tool_calls") -> Canned:
    return Canned(pieces=wire.to_json(wire.body(None, finish=finish, tool_calls=list(calls))))


def answers() -> list[Canned]:
    pieces = [INPUT[:7], "", INPUT[7:20], INPUT[20:]]
    return [
        whole(custom()),
        streamed(*map(wire.tool_chunk, deltas(*pieces))),
        streamed(wire.tool_chunk(*deltas(*pieces))),
        streamed(wire.tool_chunk(custom())),
    ]


every_answer = pytest.mark.parametrize(
    "answer", answers(), ids=["body", "deltas", "one event", "one delta"]
)


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    body = emulator.requests[-1].body
    assert body is not None
    messages: list[dict[str, Any]] = body["messages"]
    return messages


def ask(
    emulator: Emulator, model: ChatOpenRouterO3, *history: Any, said: str = "Done"
) -> list[dict[str, Any]]:
    emulator.play(Canned(pieces=wire.to_json(wire.body(said))))
    model.invoke([HumanMessage("Run it"), *history])
    return sent(emulator)[1:]


@every_mode
@every_answer
@pytest.mark.parametrize("version", [None, "v1"])
def test_a_custom_call_keeps_its_name_and_its_text_and_goes_back(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, answer: Canned, version: str | None
) -> None:
    emulator.play(answer)
    message = MODES[mode](model.model_copy(update={"output_version": version}))
    assert message.invalid_tool_calls == []
    assert message.tool_calls == [
        {"name": "run", "args": {"__arg1": INPUT}, "id": "call_1", "type": "tool_call"}
    ]
    answered, result = ask(emulator, model, message, ToolMessage("ok", tool_call_id="call_1"))
    call = custom()
    del call["index"]
    assert answered["tool_calls"] == [call]
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "ok"}


@every_mode
def test_custom_calls_and_functions_stand_beside_each_other(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    function = wire.tool_deltas("add", ['{"a":', "1}"], "call_2", 1)
    second = deltas("x", "y", identity="call_3", index=2)
    emulator.play(streamed(*map(wire.tool_chunk, [*deltas("a", "b"), *function, *second])))
    message = MODES[mode](model)
    assert [call["args"] for call in message.tool_calls] == [
        {"__arg1": "ab"},
        {"a": 1},
        {"__arg1": "xy"},
    ]
    results = [ToolMessage("ok", tool_call_id=f"call_{number}") for number in (1, 2, 3)]
    answered, *_ = ask(emulator, model, message, *results)
    assert [call["type"] for call in answered["tool_calls"]] == ["custom", "function", "custom"]
    assert answered["tool_calls"][1]["function"]["arguments"] == '{"a":1}'


@every_mode
@pytest.mark.parametrize("cut", ["body", "stream"])
def test_a_custom_call_that_was_cut_is_never_executable(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, cut: str
) -> None:
    part = streamed(*map(wire.tool_chunk, deltas("rm -rf /t")), finish="length")
    emulator.play(part if cut == "stream" else whole(custom("rm -rf /t"), finish="length"))
    message = MODES[mode](model)
    assert message.tool_calls == []
    assert [call["name"] for call in message.invalid_tool_calls] == ["run"]
    answered, *_ = ask(emulator, model, message, ToolMessage("cut", tool_call_id="call_1"))
    assert answered["tool_calls"][0]["custom"] == {"name": "run", "input": "rm -rf /t"}


@every_mode
def test_a_custom_call_cut_by_the_end_of_the_stream_is_kept_in_the_error(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(streamed(*map(wire.tool_chunk, deltas("rm -rf /t")), done=False))
    with pytest.raises(OpenRouterStreamCutError) as caught:
        MODES[mode](model)
    partial = caught.value.partial
    assert partial is not None
    assert partial.tool_calls == []
    assert "rm -rf /t" in str(partial.invalid_tool_calls[0]["args"])


@every_mode
@pytest.mark.parametrize(
    "call",
    [
        {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": ""}},
        {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": None}},
        {"id": "call_1", "type": "custom", "custom": {"name": "run"}},
        {"id": "call_1", "custom": {"name": "run"}},
    ],
)
def test_a_custom_call_without_text_has_an_empty_one(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, call: wire.Json
) -> None:
    emulator.play(whole(call))
    assert MODES[mode](model).tool_calls[0]["args"] == {"__arg1": ""}


@every_mode
def test_a_custom_call_without_a_name_is_not_executable(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(whole({"id": "call_1", "type": "custom", "custom": {"input": "x"}}))
    message = MODES[mode](model)
    assert (message.tool_calls, len(message.invalid_tool_calls)) == ([], 1)


@every_mode
def test_a_function_beside_an_empty_custom_field_is_a_function(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(whole({**wire.tool_call("add", '{"a":1}'), "custom": None}))
    assert MODES[mode](model).tool_calls[0]["args"] == {"a": 1}


def test_a_text_that_was_edited_goes_back_as_it_is(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(whole(custom()))
    message = model.invoke("Hello")
    message.tool_calls[0]["args"] = {"__arg1": "edited"}
    answered, *_ = ask(emulator, model, message, ToolMessage("ok", tool_call_id="call_1"))
    assert answered["tool_calls"][0]["custom"]["input"] == "edited"
    for odd in ({"__arg1": 5}, {"code": "x"}, {"__arg1": "x", "y": 1}, {}):
        message.tool_calls[0]["args"] = odd
        with pytest.raises(OpenRouterInputError, match=r"messages\[1\].*'call_1' takes one text"):
            ask(emulator, model, message, ToolMessage("ok", tool_call_id="call_1"))


def test_what_an_invalid_custom_call_holds_goes_back_even_if_it_is_odd(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    odd: Any = {"name": "run", "args": "bare text", "id": "call_1", "error": None}
    message = AIMessage(
        "", invalid_tool_calls=[odd], additional_kwargs={"custom_tool_calls": ["call_1"]}
    )
    answered, *_ = ask(emulator, model, message, ToolMessage("ok", tool_call_id="call_1"))
    assert answered["tool_calls"][0]["custom"] == {"name": "run", "input": "bare text"}


def test_merged_messages_keep_their_custom_calls(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(whole(custom("a")), whole(custom("b", "call_2")))
    merged: Any = merge_message_runs([model.invoke("Hello"), model.invoke("Hello")])
    results = [ToolMessage("ok", tool_call_id=f"call_{number}") for number in (1, 2)]
    answered, *_ = ask(emulator, model, *merged, *results)
    assert [call["custom"]["input"] for call in answered["tool_calls"]] == ["a", "b"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_an_agent_runs_a_custom_call_by_a_tool_of_its_name(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    ran: list[str] = []

    def run(code: str) -> str:
        ran.append(code)
        return "ran"

    emulator.play(whole(custom()), Canned(pieces=wire.to_json(wire.body("Done"))))
    agent: Any = create_agent(model, [Tool(name="run", func=run, description="Run code.")])
    assert agent.invoke({"messages": [("user", "Run it")]})["messages"][-1].text == "Done"
    assert ran == [INPUT]
    assert sent(emulator)[-2]["tool_calls"][0]["custom"]["input"] == INPUT


def test_a_custom_tool_is_bound_verbatim(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(whole(custom()))
    assert model.bind_tools([CODE]).invoke("Run it").tool_calls[0]["name"] == "run"
    body = emulator.requests[-1].body
    assert body is not None
    assert body["tools"] == [CODE]


@given(pieces=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
def test_any_text_in_any_pieces_is_read_whole(pieces: list[str]) -> None:
    stream = wire.sse(*map(wire.tool_chunk, deltas(*pieces)), *wire.ending("tool_calls"))
    total = add_up(read_chunks(stream))
    for message in (total, read_message(stream)):
        assert [call["args"] for call in message.tool_calls] == [{"__arg1": "".join(pieces)}]
    raw = total.additional_kwargs["tool_call_arguments"]["call_1"]
    assert json.loads(raw) == {"__arg1": "".join(pieces)}
