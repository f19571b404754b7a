"""The master property: chunks add up to the message, and the message is that of the JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, message_chunk_to_message
from langchain_core.utils.json import parse_partial_json

from langchain_openrouter_o3._wire.tool_arguments import parse_arguments
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY, spoil
from langchain_openrouter_o3.errors import OpenRouterStreamCutError
from tests.helpers.answers import (
    CUTS,
    GeneratedAnswer,
    argument_texts,
    cut_up,
    generated_answers,
)
from tests.helpers.scripted import add_up, read_chunks, read_message
from tests.helpers.wire import (
    PADDING,
    body,
    chunk,
    ending,
    split,
    sse,
    to_json,
    tool_call,
    tool_deltas,
)
from tests.helpers.wire import tool_chunk as tools

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk


def comparable(message: AIMessage) -> dict[str, Any]:
    """A message as data. Invalid calls without their spoiled text: the raw one is beside it."""
    data = message.model_dump()
    raw = message.additional_kwargs.get(ARGUMENTS_KEY, {})
    for call in data["invalid_tool_calls"]:
        assert call["args"].startswith(raw[call["id"]])
        del call["args"]
    return data


def summed(chunks: list[AIMessageChunk]) -> AIMessage:
    message = message_chunk_to_message(add_up(chunks))
    assert isinstance(message, AIMessage)
    return message


@given(answer=generated_answers(), cuts=CUTS, done=st.booleans())
def test_chunks_add_up_to_the_message_of_the_same_stream(
    answer: GeneratedAnswer, cuts: list[int], *, done: bool
) -> None:
    pieces = split(answer.stream(done=done), *cuts)

    assert comparable(summed(read_chunks(*pieces))) == comparable(read_message(*pieces))


@given(answer=generated_answers(), cuts=CUTS)
def test_a_stream_gives_the_message_of_the_equivalent_body(
    answer: GeneratedAnswer, cuts: list[int]
) -> None:
    whole = read_message(*split(PADDING * 3 + to_json(answer.body), *cuts))
    streamed = read_message(*split(answer.stream(), *cuts))

    assert comparable(streamed) == comparable(whole)


@given(answer=generated_answers(), cuts=CUTS)
def test_a_body_that_answers_a_stream_request_gives_the_same_message(
    answer: GeneratedAnswer, cuts: list[int]
) -> None:
    pieces = split(to_json(answer.body), *cuts)

    assert comparable(summed(read_chunks(*pieces))) == comparable(read_message(*pieces))


@given(answer=generated_answers())
def test_what_was_generated_is_what_is_read(answer: GeneratedAnswer) -> None:
    said = answer.body["choices"][0]["message"]
    message = read_message(answer.stream())
    details = message.additional_kwargs.get("reasoning_details")

    assert message.content == (said["content"] or "")
    assert message.additional_kwargs.get("refusal") == said["refusal"]
    assert message.additional_kwargs.get("reasoning_content") == said["reasoning"]
    assert message.additional_kwargs.get("annotations") == said.get("annotations")
    assert details == said.get("reasoning_details")
    expected = [
        (call["function"]["name"], call["id"], parse_arguments(call["function"]["arguments"]))
        for call in said.get("tool_calls", [])
    ]
    assert [(call["name"], call["id"], call["args"]) for call in message.tool_calls] == expected


@given(answer=generated_answers())
def test_usage_and_finish_reason_are_counted_once(answer: GeneratedAnswer) -> None:
    total = add_up(read_chunks(answer.stream()))
    counts = answer.body["usage"]

    assert total.usage_metadata is not None
    assert total.usage_metadata["input_tokens"] == counts["prompt_tokens"]
    assert total.usage_metadata["total_tokens"] == counts["total_tokens"]
    finish = answer.body["choices"][0]["finish_reason"]
    assert total.response_metadata["finish_reason"] == finish


@st.composite
def cut_calls(draw: st.DrawFn) -> str:
    """The beginning of the text of an object, never all of it."""
    text = draw(argument_texts())
    return text[: draw(st.integers(0, len(text) - 1))]


CUT_ENDINGS = [
    ("length", "max_output_tokens"),
    ("length", None),
    ("tool_calls", "max_output_tokens"),
    ("tool_calls", "length"),
    ("stop", "MAX_TOKENS"),
]


def cut_ending(finish: str, native: str | None) -> list[dict[str, Any]]:
    events = ending(finish)
    for event in events:
        event["choices"][0]["native_finish_reason"] = native
    return events


@given(arguments=cut_calls(), reason=st.sampled_from(CUT_ENDINGS), data=st.data())
def test_a_call_cut_by_a_limit_is_never_executable_and_keeps_its_raw_text(
    arguments: str, reason: tuple[str, str | None], data: st.DataObject
) -> None:
    deltas = tool_deltas("delete", data.draw(cut_up(arguments)))
    complete = tool_deltas("get_weather", ['{"city":"Oslo"}'], "call_0", 7)
    stream = sse(*(tools(delta) for delta in [*complete, *deltas]), *cut_ending(*reason))
    chunks = read_chunks(stream)
    total = add_up(chunks)

    for message in (total, summed(chunks), read_message(stream), total + type(total)(content="")):
        assert [call["name"] for call in message.tool_calls] == ["get_weather"]
        assert [call["name"] for call in message.invalid_tool_calls] == ["delete"]
        assert message.additional_kwargs[ARGUMENTS_KEY]["call_1"] == arguments


@given(arguments=cut_calls(), reason=st.sampled_from(CUT_ENDINGS))
def test_a_cut_call_in_a_body_is_invalid_with_its_raw_text(
    arguments: str, reason: tuple[str, str | None]
) -> None:
    whole = body(None, finish=reason[0], tool_calls=[tool_call("delete", arguments)])
    whole["choices"][0]["native_finish_reason"] = reason[1]
    message = read_message(to_json(whole))

    assert message.tool_calls == []
    assert [call["args"] for call in message.invalid_tool_calls] == [arguments]


@given(arguments=cut_calls(), text=st.sampled_from(["", "Deleting."]))
def test_a_call_cut_by_the_end_of_the_stream_is_an_error_that_keeps_the_raw_text(
    arguments: str, text: str
) -> None:
    stream = sse(
        chunk(text), *(tools(d) for d in tool_deltas("delete", [arguments])), done=False
    )  # fmt: skip
    for read in (read_message, read_chunks):
        with pytest.raises(OpenRouterStreamCutError) as caught:
            read(stream)
        partial = caught.value.partial
        assert partial is not None
        assert partial.tool_calls == []
        assert [call["args"] for call in partial.invalid_tool_calls] == [arguments]
        assert partial.text == text


@given(arguments=cut_calls())
def test_a_spoiled_text_is_never_completed(arguments: str) -> None:
    end = spoil(arguments)
    deltas = tool_deltas("delete", [arguments, end])
    total = add_up(read_chunks(sse(*map(tools, deltas), *ending("tool_calls"))))

    assert total.tool_calls == []
    assert parse_arguments(arguments + end) is None


@given(text=st.text(st.sampled_from('{}[]":,\\ atru1e\n'), max_size=14))
def test_any_text_can_be_spoiled(text: str) -> None:
    assert not _completed(text + spoil(text))


def _completed(arguments: str) -> bool:
    try:
        return isinstance(parse_partial_json(arguments), dict)
    except ValueError:
        return False
