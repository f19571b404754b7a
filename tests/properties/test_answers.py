"""Generated answers: every way of receiving them gives the same."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import langchain_core
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.utils.json import parse_partial_json

from langchain_openrouter_o3._wire.chunks import (
    build_delta,
    choose_builder,
    direct_delta,
    state_of,
    validated_delta,
)
from langchain_openrouter_o3._wire.text import StopScanner
from langchain_openrouter_o3._wire.tool_arguments import parse_arguments
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY, make_unparseable
from langchain_openrouter_o3.errors import OpenRouterStreamCutError
from tests.helpers.answers import CUTS, GeneratedAnswer, argument_texts, cut_up, generated_answers
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
    end = make_unparseable(arguments)
    deltas = tool_deltas("delete", [arguments, end])
    total = add_up(read_chunks(sse(*map(tools, deltas), *ending("tool_calls"))))
    assert total.tool_calls == []
    assert parse_arguments(arguments + end) is None


@given(text=st.text(st.sampled_from('{}[]":,\\ atruel1\n'), max_size=14))
def test_any_text_can_be_spoiled(text: str) -> None:
    assert not _completed(text + make_unparseable(text))


def _completed(arguments: str) -> bool:
    """Whether core completes a text to an object, or takes it as it is."""
    with contextlib.suppress(ValueError):
        json.loads(arguments)
        return True
    with contextlib.suppress(ValueError):
        return isinstance(parse_partial_json(arguments), dict)
    return False


# Two letters, so that sequences overlap, repeat and are each other's prefixes.
TEXTS = st.text("ab", max_size=20)
SEQUENCES = st.lists(st.text("ab", min_size=1, max_size=5), max_size=4)
CUTS = st.lists(st.integers(0, 20), max_size=8)


def scan(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(sequences)
    passed = "".join([*map(scanner.feed, pieces), scanner.flush()])
    return passed, scanner.matched


def cut(text: str, positions: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(position % (len(text) + 1) for position in positions)})
    return [text[i:j] for i, j in zip(edges, edges[1:], strict=False)]  # noqa: RUF007 - plainer


def first_to_complete(text: str, sequences: list[str]) -> tuple[str, str | None]:
    """Read letter by letter: the text before the sequence that is the first to be complete."""
    for end in range(1, len(text) + 1):
        complete = [sequence for sequence in sequences if text[:end].endswith(sequence)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(text=TEXTS, sequences=SEQUENCES, cuts=CUTS)
def test_any_split_stops_where_the_whole_text_stops(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    assert scan(cut(text, cuts), sequences) == first_to_complete(text, sequences)


@given(text=st.text(), sequences=SEQUENCES, cuts=CUTS)
def test_nothing_is_lost_when_nothing_matches(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    passed, matched = scan(cut(text, cuts), sequences)
    assert matched is not None or passed == text
    assert text.startswith(passed)


@given(text=TEXTS, sequences=SEQUENCES, cuts=CUTS)
def test_no_text_passes_that_a_later_piece_would_have_taken_back(
    text: str, sequences: list[str], cuts: list[int]
) -> None:
    scanner = StopScanner(sequences)
    expected, _ = first_to_complete(text, sequences)
    passed = ""
    for piece in cut(text, cuts):
        passed += scanner.feed(piece)
        assert expected.startswith(passed)


texts = st.text(max_size=20)
json_like = st.text(alphabet='{}[]",:\\ \n\tabn0123456789.eE+-truefalsnu\u00a0\ufeff', max_size=25)
fragments = st.one_of(st.none(), texts, json_like, json_like.map(lambda text: "{" + text))
tool_chunks = st.builds(
    tool_call_chunk,
    name=st.none() | texts,
    args=fragments,
    id=st.none() | texts,
    index=st.none() | st.integers(),
)
kwargs = st.dictionaries(st.sampled_from(["reasoning_content", "refusal"]), texts)
deltas = st.tuples(texts, kwargs, st.lists(tool_chunks, max_size=3))


def build(builder: Any, delta: tuple[Any, ...]) -> Any:
    text, additional, calls = delta
    metadata = {"model_provider": "openrouter"}
    fresh = [call.copy() for call in calls]
    return builder(text, dict(additional), metadata, fresh)


@given(delta=deltas)
def test_both_ways_build_the_same_chunk(delta: tuple[Any, ...]) -> None:
    direct, validated = build(direct_delta, delta), build(validated_delta, delta)
    assert direct == validated
    assert state_of(direct) == state_of(validated)
    assert direct.model_dump_json() == validated.model_dump_json()
    assert repr(direct) == repr(validated)


@given(left=deltas, right=deltas)
def test_both_ways_add_up_to_the_same_message(
    left: tuple[Any, ...], right: tuple[Any, ...]
) -> None:
    sums = []
    for builder in (direct_delta, validated_delta):
        total = build(builder, left) + build(builder, right)
        sums.append(state_of(total.message))
    assert sums[0] == sums[1]


def test_chunks_share_nothing() -> None:
    one, other = (build(build_delta, ("a", {}, [])) for _ in range(2))
    one.message.additional_kwargs["x"] = 1
    one.message.response_metadata["x"] = 1
    one.message.tool_calls.append({"name": "f", "args": {}, "id": "1"})
    assert state_of(other) == state_of(build(validated_delta, ("a", {}, [])))


def test_the_direct_way_is_taken_with_the_installed_langchain_core() -> None:
    assert choose_builder() is direct_delta


def test_a_changed_langchain_core_is_noticed_aloud() -> None:
    def outdated(*delta: Any) -> Any:
        chunk = direct_delta(*delta)
        chunk.message.__dict__.pop("chunk_position")
        return chunk

    with pytest.warns(RuntimeWarning, match=f"langchain-core {langchain_core.__version__}"):
        assert choose_builder(outdated) is validated_delta
