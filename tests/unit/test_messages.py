"""LangChain's messages on the wire: what each becomes, and what is refused by name and index."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3._wire.reasoning import reasoning_details_to_wire
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY
from langchain_openrouter_o3.errors import OpenRouterInputError
from tests.helpers.wire import encrypted, summary


def call(identity: str | None = "1", name: str = "f", **args: Any) -> Any:
    return {"name": name, "args": args, "id": identity}


def asked(*calls: Any, **more: Any) -> AIMessage:
    return AIMessage("", tool_calls=list(calls), **more)


def wire_of(message: BaseMessage, *results: ToolMessage, **how: Any) -> dict[str, Any]:
    return messages_to_wire([message, *results], **how)[0]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (HumanMessage("hi"), {"role": "user", "content": "hi"}),
        (HumanMessageChunk(content="hi"), {"role": "user", "content": "hi"}),
        (SystemMessage("be"), {"role": "system", "content": "be"}),
        (
            SystemMessage("be", additional_kwargs={"__openai_role__": "developer"}),
            {"role": "developer", "content": "be"},
        ),
        (ChatMessage(content="be", role="developer"), {"role": "developer", "content": "be"}),
        (HumanMessage([]), {"role": "user", "content": ""}),
        (AIMessage([]), {"role": "assistant", "content": ""}),
        (AIMessage("yes", name="bot"), {"role": "assistant", "name": "bot", "content": "yes"}),
        (AIMessage(""), {"role": "assistant", "content": ""}),
        (
            HumanMessage("hi", additional_kwargs={"name": "Zoë B."}),
            {"role": "user", "name": "Zo__B_", "content": "hi"},
        ),
        (
            AIMessage("", additional_kwargs={"refusal": "no"}),
            {"role": "assistant", "refusal": "no"},
        ),
        (
            AIMessage("", additional_kwargs={"images": [1]}),
            {"role": "assistant", "content": "", "images": [1]},
        ),
        (
            HumanMessage(["a", {"type": "text", "text": "b"}]),
            {"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]},
        ),
        (
            AIMessage(["a", {"type": "refusal", "refusal": "no"}]),
            {"role": "assistant", "content": [{"type": "text", "text": "a"}], "refusal": "no"},
        ),
    ],
)
def test_a_message_becomes_its_own_role(message: BaseMessage, expected: dict[str, Any]) -> None:
    assert wire_of(message) == expected


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (FunctionMessage(content="x", name="f"), "FunctionMessage cannot be sent"),
        (RemoveMessage(id="1"), "RemoveMessage cannot be sent"),
        (ChatMessage(content="x", role="narrator"), "role 'narrator'"),
        (HumanMessage([{"type": "non_standard", "value": {}}]), "type 'non_standard'"),
        (HumanMessage([{"type": "text"}]), "needs its text"),
        (
            AIMessage([{"type": "tool_use", "id": "9", "name": "f", "input": {}}]),
            "'9' is not among",
        ),
        (ToolMessage("x", tool_call_id="1"), "'1' answers no call"),
        (asked(call()), "have no result"),
        (asked(call(x=object())), "not JSON"),
        (asked(call(x=float("nan"))), "not JSON"),
        (
            asked(call(), additional_kwargs={ARGUMENTS_KEY: "{}"}),
            "holds strings by call id",
        ),
    ],
)
def test_what_has_no_place_on_the_wire_is_refused_by_index(
    message: BaseMessage, match: str
) -> None:
    with pytest.raises(OpenRouterInputError, match=rf"messages\[1\].*{match}"):
        messages_to_wire([HumanMessage("hi"), message])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "reasoning", "reasoning": ["a"]},
        {"type": "thinking", "thinking": 5},
        {"type": "tool_use", "id": ["x"]},
        {"type": "image", "base64": 5},
        {"type": "audio", "source_type": "base64"},
    ],
)
def test_a_nonsensical_block_is_refused_like_any_other(block: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterInputError, match=r"messages\[0\]"):
        messages_to_wire([AIMessage([block])])


def test_a_reasoning_block_in_openais_own_form_is_sent_or_refused_but_never_dropped() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "secret plan"}],
        "encrypted_content": "gAAAAAB",
    }
    try:
        sent = repr(wire_of(AIMessage([thought, {"type": "text", "text": "hi"}])))
    except OpenRouterInputError as refused:
        sent = f"{refused} secret plan"  # naming it is as good
    assert "secret plan" in sent


def test_openais_responses_history_goes_over() -> None:
    message = AIMessage(
        [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "t"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": "{}"},
        ],
        tool_calls=[call("1")],
    )
    sent = wire_of(message, ToolMessage("x", tool_call_id="1"))
    assert sent["tool_calls"][0]["id"] == "1"
    assert sent["reasoning"] == "t"


def test_a_legacy_function_call_is_refused() -> None:
    legacy = AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}})
    with pytest.raises(OpenRouterInputError, match="function_call"):
        messages_to_wire([legacy])


def test_odd_ids_become_plain_ones_on_both_sides() -> None:
    odd = "functions.get weather:0/é"
    wire = messages_to_wire([asked(call(odd)), ToolMessage("x", tool_call_id=odd)])
    assert wire[0]["tool_calls"][0]["id"] == wire[1]["tool_call_id"] != odd


def test_an_empty_conversation_is_refused() -> None:
    with pytest.raises(OpenRouterInputError, match="empty"):
        messages_to_wire([])


# --- Tool calls and their results ---


def test_the_models_own_argument_string_goes_back_byte_for_byte() -> None:
    raw = '{ "a":1,\n"b" : "\\u00e9" }'
    message = asked(call("1", a=1, b="é"), additional_kwargs={ARGUMENTS_KEY: {"1": raw}})
    sent = wire_of(message, ToolMessage("x", tool_call_id="1"))
    assert sent == {
        "role": "assistant",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": raw}}
        ],
    }


@pytest.mark.parametrize(
    ("raw", "args", "sent"),
    [
        ('{"a":1}', {"a": 2}, '{"a":2}'),
        ('{"a":1}', {"a": True}, '{"a":true}'),
        ('{"a":[0]}', {"a": [False]}, '{"a":[false]}'),
        ('{"a":1.0}', {"a": True}, '{"a":true}'),
        ('{"a":1.5}', {"a": 1}, '{"a":1}'),
        ('{"a":[1,2]}', {"a": [2, 1]}, '{"a":[2,1]}'),
        ('{"a":null}', {}, "{}"),
        ("", {}, "{}"),
        ('{"a"', {"a": 1}, '{"a":1}'),
        (5, {"a": 1}, '{"a":1}'),
    ],
)
def test_edited_arguments_replace_the_models_string(raw: Any, args: Any, sent: str) -> None:
    message = asked(call("1", **args), additional_kwargs={ARGUMENTS_KEY: {"1": raw}})
    wire = wire_of(message, ToolMessage("x", tool_call_id="1"))
    assert wire["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize(
    ("raw", "args"),
    [
        ('{"a":1.0,"b":0.5}', {"b": 0.5, "a": 1}),
        ('{"a":1e2,"b":[-0.0]}', {"a": 100, "b": [0]}),
        ('{"b": {"d": "1.0", "c": []}, "a": true}', {"a": True, "b": {"c": [], "d": "1.0"}}),
    ],
)
def test_the_models_string_stays_while_only_the_writing_has_changed(raw: str, args: Any) -> None:
    """JavaScript writes 1.0 as 1; databases sort keys."""
    message = asked(call("1", **args), additional_kwargs={ARGUMENTS_KEY: {"1": raw}})
    wire = wire_of(message, ToolMessage("x", tool_call_id="1"))
    assert wire["tool_calls"][0]["function"]["arguments"] == raw


def test_calls_keep_their_order_though_their_strings_have_lost_it() -> None:
    message = asked(
        call("b", "g"), call("a"), additional_kwargs={ARGUMENTS_KEY: {"a": "{}", "b": "{}"}}
    )
    results = [ToolMessage("x", tool_call_id=i) for i in "ba"]
    assert [each["id"] for each in wire_of(message, *results)["tool_calls"]] == ["b", "a"]


def test_valid_and_invalid_calls_go_back_in_the_order_in_which_they_came() -> None:
    message = asked(
        call("b", "g"),
        invalid_tool_calls=[
            {"name": "f", "args": '{"x"]', "id": "a", "error": None, "type": "invalid_tool_call"}
        ],
        additional_kwargs={ARGUMENTS_KEY: {"a": '{"x"', "b": "{}"}},
    )
    results = [ToolMessage("x", tool_call_id=i) for i in "ab"]
    functions = [c["function"] for c in wire_of(message, *results)["tool_calls"]]
    assert functions == [{"name": "f", "arguments": '{"x"'}, {"name": "g", "arguments": "{}"}]


def test_over_long_ids_become_short_ones_on_both_sides() -> None:
    identity = "x" * 90
    answer, result = messages_to_wire(
        [asked(call(identity)), ToolMessage("x", tool_call_id=identity)]
    )
    assert len(answer["tool_calls"][0]["id"]) <= 64
    assert answer["tool_calls"][0]["id"] == result["tool_call_id"]


def test_calls_without_ids_pair_with_their_results_in_order() -> None:
    history = [
        asked(call(None, "f"), call(None, "g")),
        ToolMessage("1", tool_call_id=""),
        ToolMessage("2", tool_call_id=""),
    ]
    answer, first, second = messages_to_wire(history)
    ids = [c["id"] for c in answer["tool_calls"]]
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert len(set(ids)) == 2
    assert messages_to_wire(history) == [answer, first, second]


def test_ids_may_repeat_from_turn_to_turn() -> None:
    turn = [asked(call("functions.add:0")), ToolMessage("x", tool_call_id="functions.add:0")]
    assert len(messages_to_wire([*turn, *turn])) == 4


def test_two_calls_with_one_id_are_not_sent_with_one_result() -> None:
    with pytest.raises(OpenRouterInputError):
        messages_to_wire([asked(call("1"), call("1", "g")), ToolMessage("x", tool_call_id="1")])


def test_a_tool_that_found_nothing_says_nothing() -> None:
    """LangChain keeps an empty list that a tool returns as the content of its message."""
    found = messages_to_wire([asked(call()), ToolMessage([], tool_call_id="1")])
    assert found[1]["content"] == ""


def test_a_second_result_for_a_call_is_refused() -> None:
    result = ToolMessage("x", tool_call_id="1")
    with pytest.raises(OpenRouterInputError, match="open calls: none"):
        messages_to_wire([asked(call("1")), result, result])


def test_call_blocks_that_repeat_the_tool_calls_are_sent_once() -> None:
    message = AIMessage(
        [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "1", "name": "f", "input": {}}],
        tool_calls=[call("1")],
    )
    sent = wire_of(message, ToolMessage("x", tool_call_id="1"))
    assert sent["content"] == [{"type": "text", "text": "x"}]
    assert len(sent["tool_calls"]) == 1


# --- Reasoning ---

DETAILS = [summary("think"), encrypted("gAAA"), {"type": "reasoning.future", "x": {"y": [1]}}]


@pytest.mark.parametrize("text", ["think", None])
def test_reasoning_details_go_back_unmodified_and_alone(text: str | None) -> None:
    kwargs = {"reasoning_details": DETAILS, "reasoning_content": text}
    sent = wire_of(AIMessage("x", additional_kwargs=kwargs))
    assert sent == {"role": "assistant", "content": "x", "reasoning_details": DETAILS}


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("x", additional_kwargs={"reasoning_content": "hm"}),
        *convert_to_messages([{"role": "assistant", "content": "x", "reasoning": "hm"}]),
        AIMessage([{"type": "reasoning", "reasoning": "hm"}, "x"]),
        AIMessage([{"type": "thinking", "thinking": "hm"}, "x"]),
    ],
)
def test_reasoning_without_details_goes_back_as_text(message: BaseMessage) -> None:
    assert wire_of(message)["reasoning"] == "hm"


def test_text_that_the_details_do_not_hold_goes_beside_them() -> None:
    kwargs = {"reasoning_details": [encrypted("g")], "reasoning_content": "hm"}
    sent = wire_of(AIMessage("x", additional_kwargs=kwargs))
    assert (sent["reasoning"], sent["reasoning_details"]) == ("hm", [encrypted("g")])


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([{"id": "rs_1", "type": "x"}], [{"type": "x"}]),
        ([{"id": "rs_1", "data": "d"}], [{"id": "rs_1", "data": "d"}]),
        (
            [{"id": "rs_1"}, {"id": "rs_1", "data": "d"}],
            [{"id": "rs_1"}, {"id": "rs_1", "data": "d"}],
        ),
        ([{"id": "tool_1"}], [{"id": "tool_1"}]),
        ([{"id": ["odd"], "data": "d"}], [{"id": ["odd"], "data": "d"}]),
        (["odd", None], ["odd", None]),
    ],
)  # fmt: skip
def test_only_a_dangling_openai_id_is_left_out(entries: list[Any], expected: list[Any]) -> None:
    assert reasoning_details_to_wire(entries) == expected


# --- Parts ---

IMAGE = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "x", "cache_control": {"a": 1}},
         {"type": "text", "text": "x", "cache_control": {"a": 1}}),
        ({"type": "text", "text": "x", "extras": {"cache_control": {"a": 1}}},
         {"type": "text", "text": "x", "cache_control": {"a": 1}}),
        ({"type": "text-plain", "text": "x", "mime_type": "text/plain"},
         {"type": "text", "text": "x"}),
        (IMAGE, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
        ({"type": "image_url", "image_url": {"url": "u"}, "index": 0},
         {"type": "image_url", "image_url": {"url": "u"}}),
        ({"type": "file", "url": "https://e.org/a.pdf", "filename": "a.pdf"},
         {"type": "file", "file": {"file_data": "https://e.org/a.pdf", "filename": "a.pdf"}}),
        ({"type": "file", "url": "https://e.org/a.pdf"},
         {"type": "file", "file": {"file_data": "https://e.org/a.pdf"}}),
        ({"type": "file", "file": {"file_data": "x"}},
         {"type": "file", "file": {"file_data": "x"}}),
        ({"type": "input_audio", "input_audio": {"data": "x"}, "extra": None},
         {"type": "input_audio", "input_audio": {"data": "x"}}),
    ],
)  # fmt: skip
def test_a_block_becomes_its_part(block: dict[str, Any], part: dict[str, Any]) -> None:
    assert wire_of(HumanMessage([block]))["content"] == [part]


@pytest.mark.parametrize("block", [IMAGE, {"type": "image_url", "image_url": {"url": "u"}}])
@pytest.mark.parametrize("kind", [HumanMessage, SystemMessage])
def test_a_model_without_eyes_is_shown_no_image(block: dict[str, Any], kind: Any) -> None:
    with pytest.raises(OpenRouterInputError, match="no image input"):
        wire_of(kind([block]), image_inputs=False)
