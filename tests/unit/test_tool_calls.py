"""Tool calls in every shape that providers have sent, and none executable unless it is whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, message_chunk_to_message

from langchain_openrouter_o3._wire.parsing import LenientParser
from langchain_openrouter_o3._wire.tool_arguments import parse_arguments
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY, ToolCalls, make_unparseable
from tests.helpers.scripted import add_up, read_chunks, read_message
from tests.helpers.wire import body, chunk, ending, sse, to_json, tool_call, tool_chunk, tool_deltas


def both(*deltas: Any) -> list[AIMessage]:
    data = sse(*map(tool_chunk, deltas), *ending("tool_calls"))
    return [read_message(data), message_chunk_to_message(add_up(read_chunks(data)))]  # type: ignore[list-item]


def made(message: AIMessage) -> list[tuple[Any, ...]]:
    return [(call["id"], call["name"], call["args"]) for call in message.tool_calls]


def delta(arguments: Any = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments}
    if "name" in more:
        function["name"] = more.pop("name")
    return {**more, "function": function}


ONE = [("call_1", "f", {"a": 1})]


@pytest.mark.parametrize(
    "deltas",
    [
        tool_deltas("f", ['{"a"', ":1}"]),
        tool_deltas("f", ['{"a"', ":1}"], index=2),
        [tool_call("f", '{"a"'), tool_call("f", ":1}")],
        [tool_call("f", '{"a":1}')],
        [tool_call("f", '{"a"'), delta(":1}", index=0, id="", name="")],
        [tool_call("f", '{"a"'), delta(":1}", index=0, id=None, name=None)],
        [delta('{"a"', id="call_1", name="f"), delta(":1}")],
        [delta('{"a"', index=0, name="f"), delta(":1}", index=0, id="call_1")],
        [delta(None, index=0, id="call_1"), delta('{"a":1}', index=0, name="f")],
        [{"index": 0, "id": "call_1", "function": {"name": "f"}}, delta('{"a":1}', index=0)],
        [delta({"a": 1}, index=0, id="call_1", name="f")],
        [delta([{"type": "text", "text": '{"a":1}'}], index=0, id="call_1", name="f")],
        [tool_call("f", '{"a":1}'), {"index": 0}, {"index": 0, "function": None}],
        [{"index": 0, "id": "call_1", "name": "f", "arguments": '{"a":1}'}],
        [tool_call("f", ""), {"index": 0, "arguments": '{"a":1}'}],
    ],
)
def test_one_call_is_read_from_any_shape_of_its_deltas(deltas: list[Any]) -> None:
    for message in both(*deltas):
        assert made(message) == ONE
        assert json.loads(message.additional_kwargs[ARGUMENTS_KEY]["call_1"]) == {"a": 1}


@pytest.mark.parametrize("arguments", ["", " \n", "{}", None])
def test_no_arguments_are_an_empty_object(arguments: str | None) -> None:
    for message in both(delta(arguments, index=0, id="call_1", name="f")):
        assert made(message) == [("call_1", "f", {})]


@pytest.mark.parametrize("arguments", ["[1]", "1", '"x"', "null", "{", '{"a":1}}', "nonsense"])
def test_arguments_that_are_no_object_make_an_invalid_call_with_its_text(arguments: str) -> None:
    for message in both(tool_call("f", arguments)):
        assert message.tool_calls == []
        (call,) = message.invalid_tool_calls
        assert (call["name"], call["id"]) == ("f", "call_1")
        assert (call["args"] or "").startswith(arguments)
        assert message.additional_kwargs[ARGUMENTS_KEY] == {"call_1": arguments}


@pytest.mark.parametrize(
    "deltas",
    [
        [tool_call("f", '{"a":1}', f"call_{n}", 0) for n in range(15)],
        [delta('{"a":1}', id=f"call_{n}", name="f") for n in range(15)],
        [tool_call("f", '{"a":1}', f"call_{n}", n + 1) for n in range(15)],
    ],
)
def test_a_new_id_is_a_new_call_whatever_its_index(deltas: list[Any]) -> None:
    for message in both(*deltas):
        assert made(message) == [(f"call_{n}", "f", {"a": 1}) for n in range(15)]


def test_interleaved_calls_are_kept_apart_by_index() -> None:
    heads = [tool_call("f", '{"a":', "call_0", 0), tool_call("g", '{"b":', "call_1", 1)]
    rest = [delta("2}", index=1), delta("1}", index=0)]
    for message in both(*heads, *rest):
        assert made(message) == [("call_0", "f", {"a": 1}), ("call_1", "g", {"b": 2})]


def test_without_index_and_id_a_name_begins_the_next_call() -> None:
    for message in both(delta('{"a":1}', name="f"), delta('{"b":', name="g"), delta("2}")):
        assert [(c["name"], c["args"]) for c in message.tool_calls] == [
            ("f", {"a": 1}),
            ("g", {"b": 2}),
        ]


def test_missing_ids_are_made_up_the_same_way_every_time() -> None:
    first, second = both(delta("{}", index=0, name="f"), delta("{}", index=1, name="f"))
    assert made(first) == made(second)
    ids = [call["id"] for call in first.tool_calls]
    assert len(set(ids)) == 2
    assert all(identity and identity.startswith("call_") for identity in ids)


@pytest.mark.parametrize(
    "elsewhere",
    [
        tool_chunk({"index": 0, "parameters": {"a": 1}}),
        tool_chunk({"index": 0, "function": {"name": "f", "input": {"a": 1}}}),
        tool_chunk({"index": 0, "function": {"params": '{"a":1}'}}),
        tool_chunk({"index": 0, "function": {"arguments": ""}, "partial_json": '{"a":1}'}),
        tool_chunk({"index": 0, "function": {"name": "f"}, "arguments": '{"a":1}'}),
        chunk(tool_calls='{"a":1}'),
        chunk(tool_calls={"0": {"a": 1}}),
        chunk(function_call={"arguments": '{"a":1}'}),
        tool_chunk(delta("{}", index=0, name="f_draft")),
    ],
)
def test_a_call_whose_arguments_may_be_elsewhere_does_not_run(elsewhere: Any) -> None:
    data = sse(tool_chunk(tool_call("f", "")), elsewhere, *ending("tool_calls"))
    for message in (read_message(data), add_up(read_chunks(data))):
        assert [call["name"] for call in message.tool_calls] == []
        kept = json.dumps([message.response_metadata, message.additional_kwargs])
        assert '"a' in kept.replace("\\", "") or "f_draft" in kept


def test_what_stands_beside_the_arguments_of_a_call_is_kept_and_the_call_runs() -> None:
    signature = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    call = {**tool_call("f", '{"a":'), **signature}
    for message in both(call, delta("1}", index=0, status="")):
        assert made(message) == ONE
        assert message.response_metadata["tool_calls"] == {"index": 0, **signature}


def test_what_cannot_be_arguments_takes_no_trust_from_a_call_without_any() -> None:
    call = {**tool_call("f", ""), "extra_content": {"google": {"thought_signature": "c2ln"}}}
    for reason in ("tool_calls", "FinishReason.STOP", "done"):
        data = sse(tool_chunk(call), *ending(reason))
        for message in (read_message(data), add_up(read_chunks(data))):
            assert [made["args"] for made in message.tool_calls] == [{}]


def test_a_closing_message_brings_the_arguments_that_the_deltas_did_not() -> None:
    last = chunk("", finish="tool_calls")
    last["choices"][0]["message"] = {"content": None, "tool_calls": [tool_call("f", '{"a":1}')]}
    data = sse(tool_chunk(tool_call("f", "")), last)
    for message in (read_message(data), message_chunk_to_message(add_up(read_chunks(data)))):
        assert made(message) == ONE  # type: ignore[arg-type]


def test_a_later_echo_for_older_clients_takes_nothing_from_a_call_without_arguments() -> None:
    data = sse(
        tool_chunk(tool_call("f", "")),
        chunk(function_call={"name": "f", "arguments": "{}"}),
        *ending("tool_calls"),
    )
    for message in (read_message(data), message_chunk_to_message(add_up(read_chunks(data)))):
        assert made(message) == [("call_1", "f", {})]  # type: ignore[arg-type]


@pytest.mark.parametrize("indexes", [(0, 1), (0, 0), (None, None)])
@pytest.mark.parametrize("identity", ["call_1", None])
def test_two_calls_of_a_body_are_two_calls_even_with_one_id(
    indexes: tuple[int | None, int | None], identity: str | None
) -> None:
    calls = [tool_call("f", f'{{"x":{n}}}') for n in (1, 2)]
    for call, index in zip(calls, indexes, strict=True):
        call.update(index=index, id=identity)
    message = read_message(to_json(body(None, finish="tool_calls", tool_calls=calls)))
    assert [call["args"] for call in message.tool_calls] == [{"x": 1}, {"x": 2}]
    assert len({call["id"] for call in message.tool_calls}) == 2


def test_doubled_ids_are_made_unique_around_ids_that_exist() -> None:
    calls = [tool_call("f", "{}", identity, n) for n, identity in enumerate(["a", "a_2", "a", "a"])]
    message = read_message(to_json(body(None, finish="tool_calls", tool_calls=calls)))
    assert [call["id"] for call in message.tool_calls] == ["a", "a_2", "a_3", "a_4"]


def test_a_call_without_a_name_is_not_executable() -> None:
    for message in both(delta('{"a":1}', index=0, id="call_1")):
        assert message.tool_calls == []
        assert [call["name"] for call in message.invalid_tool_calls] == [None]


def test_only_the_last_call_of_a_truncated_answer_is_distrusted() -> None:
    calls = ToolCalls(LenientParser())
    calls.feed([tool_call("f", "", "call_0", 0), tool_call("g", "", "call_1", 1)])
    valid, invalid = calls.parsed(truncated=True)
    assert [call["name"] for call in valid] == ["f"]
    assert [call["name"] for call in invalid] == ["g"]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("{}", {}),
        (' {"a": "line\nbreak"} ', {"a": "line\nbreak"}),
        ("", {}),
        ("{", None),
        ("[" * 100_000, None),
        ('{"a":' + "9" * 5_000 + "}", None),
        ('{"a":NaN}', None),
        ('{"a":1e999}', None),
        ('{"a":"\\ud83d"}', None),
        ('{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    ],
    ids=[
        *(
            "empty",
            "raw break",
            "nothing",
            "cut",
            "deep",
            "huge",
            "no number",
            "infinity",
            "half",
            "whole",
        ),
    ],
)
def test_arguments_are_parsed_whole_or_not_at_all(text: str, parsed: Any) -> None:
    assert parse_arguments(text) == parsed


def test_nothing_is_an_answer_only_when_nothing_more_was_to_come() -> None:
    assert parse_arguments(" ", cut=True) is None


@pytest.mark.parametrize("hopeless", ["nonsense", "]", "{]", "[" * 100_000, '{"a":' + "9" * 5_000])
def test_what_core_cannot_complete_needs_no_spoiling(hopeless: str) -> None:
    assert make_unparseable(hopeless) in ("", "]", "}")
    assert parse_arguments(hopeless + make_unparseable(hopeless)) is None
