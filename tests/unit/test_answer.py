"""One answer, whatever its shape: what is read, and what only looks like an answer."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, message_chunk_to_message

from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterContextOverflowError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterRateLimitError,
)
from tests.helpers.scripted import add_up, read_chunks, read_message
from tests.helpers.wire import (
    GENERATION,
    body,
    chunk,
    encrypted,
    ending,
    envelope,
    error,
    sse,
    summary,
    to_json,
    tool_chunk,
    tool_deltas,
    usage,
)


def total_of(data: bytes, **how: Any) -> AIMessage:
    message = message_chunk_to_message(add_up(read_chunks(data, **how)))
    assert isinstance(message, AIMessage)
    return message


def both(*events: Any, **how: Any) -> list[AIMessage]:
    """The message of a stream in both modes."""
    data = sse(*events)
    return [read_message(data, **how), total_of(data, **how)]


def test_the_metadata_is_complete_and_the_same_in_both_modes() -> None:
    counts = usage(cost=0.5)
    streamed = both(chunk("Hi"), *ending("stop", counts))
    whole = read_message(to_json(body("Hi", counts=counts)))
    for message in (*streamed, whole):
        assert message.id is None
        assert message.response_metadata == {
            "model_provider": "openrouter",
            "model_name": "openai/o3-mini",
            "finish_reason": "stop",
            "native_finish_reason": "completed",
            "id": GENERATION,
            "created": 1_785_000_000,
            "provider": "OpenAI",
            "service_tier": "default",
            "cost": 0.5,
            "cost_details": counts["cost_details"],
            "is_byok": False,
        }
        assert message.usage_metadata == {
            "input_tokens": 20,
            "output_tokens": 40,
            "total_tokens": 60,
            "input_token_details": {"cache_read": 0, "cache_creation": 0, "audio": 0, "video": 0},
            "output_token_details": {"reasoning": 30, "image": 0, "audio": 0},
        }


def test_only_the_last_chunk_says_that_it_is_the_last() -> None:
    chunks = read_chunks(sse(chunk("a"), tool_chunk(*tool_deltas("f", [])[:1]), *ending("stop")))
    assert [part.chunk_position for part in chunks] == [None, None, "last"]
    assert chunks[-1].tool_call_chunks == []
    assert {part.response_metadata["model_provider"] for part in chunks} == {"openrouter"}


def test_several_deltas_of_one_call_in_one_event_are_one_call() -> None:
    for message in both(tool_chunk(*tool_deltas("f", ['{"a":', "1}"])), *ending("tool_calls")):
        assert [(call["name"], call["args"]) for call in message.tool_calls] == [("f", {"a": 1})]


@pytest.mark.parametrize("key", ["reasoning_content", "future_text"])
def test_an_unknown_text_in_a_delta_is_kept_and_not_doubled(key: str) -> None:
    events = [chunk(reasoning="think", **{key: "think"}), chunk("x"), *ending()]
    for message in both(*events):
        assert message.additional_kwargs["reasoning_content"] == "think"
        assert message.additional_kwargs[key] == "think"


def test_unknown_fields_are_kept_under_names_that_mean_nothing_to_langchain() -> None:
    event = {**chunk("x", images=[1]), "citations": ["https://e.org"], "output_version": "v9"}
    event["choices"][0]["stop_sequence"] = "odd"
    again = chunk(images=[2], transcript="a")
    for message in both(event, again, chunk(transcript="b"), *ending()):
        assert message.response_metadata["citations"] == ["https://e.org"]
        assert message.response_metadata["openrouter_output_version"] == "v9"
        assert message.response_metadata["openrouter_stop_sequence"] == "odd"
        assert message.additional_kwargs["images"] == [1, 2]
        assert message.additional_kwargs["transcript"] == "ab"


def test_the_metadata_hold_no_header_that_a_gateway_echoes_and_no_false_attempts() -> None:
    echo = {"headers": {"Authorization": "Bearer mine-0123456789", "x": ["sk-or-v1-0123456789"]}}
    counts = usage(attempts=99, response_cache={"status": "hit"}, note=echo)
    found = ["https://e.org/user-12345678/posts", {"organization": "WHO", "project_id": "p"}]
    event = {**chunk("x"), "debug": echo, "openrouter_metadata": {"x": 1}, "search_results": found}
    for message in both(event, *ending("stop", counts)):
        metadata = message.response_metadata
        assert metadata["debug"] == metadata["note"] == {"headers": {"x": ["[redacted]"]}}
        assert metadata["search_results"] == found  # ids are no secrets in an answer
        assert metadata["openrouter_attempts"] == 99
        assert metadata.keys().isdisjoint({"attempts", "response_cache"})


def deep(levels: int, value: str) -> Any:
    return value if levels == 0 else {"a": deep(levels - 1, value)}


@pytest.mark.parametrize(
    ("name", "pieces", "expected"),
    [
        ("name", ["A", "A"], "A"),
        ("model", ["m", "m"], "m"),
        (
            "audio",
            [{"id": "a", "data": "AA", "n": None}, {"data": "BB", "n": 1}, {"id": "a", "n": 2}],
            {"id": "a", "data": "AABB", "n": 2},
        ),
        ("audio", [{"x": 1}, {"a": [1]}, "b", {"a": [1]}, {"a": [2]}], {"a": [1, 2]}),
        ("safety", [{"hate": {"severity": "safe"}}] * 2, {"hate": {"severity": "safe"}}),
        ("audio", [deep(100, "1"), deep(100, "2")], deep(100, "2")),
    ],
)
def test_an_unknown_field_in_pieces_is_joined_by_its_kind(
    name: str, pieces: list[Any], expected: Any
) -> None:
    for message in both(*(chunk("x", **{name: piece}) for piece in pieces), *ending()):
        assert message.additional_kwargs[{"model": "model_name"}.get(name, name)] == expected


def test_usage_within_the_choice_counts_where_there_is_no_other() -> None:
    for others in ({}, {"usage": usage(1, 1, cost=0.25)}):
        last = {**chunk("", finish="stop"), **others}
        last["choices"][0]["usage"] = usage(20, 40, cost=0.5)
        for message in both(chunk("Hi"), last):
            assert message.usage_metadata is not None
            told = message.usage_metadata["input_tokens"], message.response_metadata["cost"]
            assert told == ((1, 0.25) if others else (20, 0.5))


@pytest.mark.parametrize(
    "nothing", [{"message": None, "code": 0}, {"type": "", "code": {}}, "null", [None], [[]]]
)
def test_an_error_that_says_nothing_is_none(nothing: Any) -> None:
    for message in both({**chunk("Hi"), "error": nothing}, chunk(error=nothing), *ending()):
        assert message.text == "Hi"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (
            [{"content": [1], "refusal": None}, {"content": [2]}],
            {"content": [1, 2], "refusal": None},
        ),
        ([None, -0.5], -0.5),
        ([{"content": None}, {"content": [1]}], {"content": [1]}),
        ([{"content": [1]}, {"content": None}], {"content": [1]}),
    ],
)
def test_logprobs_of_all_shapes_are_joined(pieces: list[Any], expected: Any) -> None:
    events = [chunk("x") for _ in pieces]
    for event, piece in zip(events, pieces, strict=True):
        event["choices"][0]["logprobs"] = piece
    for message in both(*events, *ending()):
        assert message.response_metadata["logprobs"] == expected


def test_the_header_names_an_answer_that_does_not_name_itself() -> None:
    event = chunk("x", finish="stop")
    del event["id"]
    message = read_message(sse(event), headers={"x-generation-id": "gen-h"})
    assert message.response_metadata["id"] == "gen-h"


@pytest.mark.parametrize(
    "broken",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": "x"},
        {"choices": [None]},
        {"choices": [1]},
        {"choices": [{"message": {"content": "x"}}] * 2},
    ],
)
def test_a_body_without_its_one_choice_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterMalformedResponseError, match="Malformed answer: "):
        read_message(to_json(broken))


@pytest.mark.parametrize(
    ("content", "finish", "counts"),
    [
        (None, "stop", usage(20, 0)),
        ("", None, usage(20, 0)),
        ("", "network_error", {"prompt_tokens": 1}),
        ("", "stop", {"prompt_tokens": 1}),
        (5, "stop", usage(20, 0)),
        ([5], "stop", {}),
        ("", " Null ", usage(20, 0)),
    ],
)
def test_a_success_without_content_that_nobody_paid_is_an_error(
    content: str | None, finish: str | None, counts: Any
) -> None:
    with pytest.raises(OpenRouterEmptyResponseError, match="empty"):
        read_message(to_json(body(content, finish=finish, counts=counts)))


@pytest.mark.parametrize("nothing", [[], {}, "", False])
def test_an_unknown_field_without_anything_in_it_is_no_content(nothing: Any) -> None:
    answer = body(None, counts=usage(20, 0))
    answer["choices"][0]["message"]["images"] = nothing
    with pytest.raises(OpenRouterEmptyResponseError, match="empty"):
        read_message(to_json(answer))


def test_an_empty_answer_whose_reasoning_was_billed_is_an_answer() -> None:
    message = read_message(to_json(body(None, finish="length", counts=usage(20, 1_984))))
    assert message.text == ""
    assert message.response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize("finish", ["error"])
def test_a_finish_by_error_without_an_error_object_is_an_error(finish: str) -> None:
    data = sse(chunk("partial"), *ending(finish))
    for read in (read_message, read_chunks):
        with pytest.raises(OpenRouterAPIError, match="the provider OpenAI failed") as caught:
            read(data)
        assert caught.value.partial is not None
        assert caught.value.partial.text == "partial"


@pytest.mark.parametrize(
    "payload",
    [
        {**body("partial"), **error(429)},
        {**body("partial"), "choices": [{**body("partial")["choices"][0], **error(429)}]},
        {**error(429), "user_id": "user_2abcdefgh"},
        {**error(429), "choices": None},
        {**error(429), "choices": "nonsense"},
        {**error(429), "choices": [{"message": 5}]},
    ],
)
def test_an_error_beside_content_wins_over_the_content(payload: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterRateLimitError):
        read_message(to_json(payload))


def test_an_error_in_a_stream_keeps_the_last_words_beside_it() -> None:
    event = {**chunk(" world", finish="error"), **error(400, "maximum context length is 5")}
    with pytest.raises(OpenRouterContextOverflowError) as caught:
        read_message(sse(chunk("Hello"), event))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hello world"


@pytest.mark.parametrize(
    "end",
    [
        ["content_filter", "content_filter"],
        ["stop", "network_error"],
        ["stop", "MALFORMED_FUNCTION_CALL"],
        ["length", "length"],
        ["LENGTH", None],
        ["tool_calls", "MAX_OUTPUT_TOKENS"],
        ["CONTENT_FILTER", None],
        ["ERROR", None],
        *([word, None] for word in ("model_length", "abort", "insufficient_system_resource")),
        *(["tool_calls", word] for word in ("cancelled", "incomplete", "max_completion_tokens")),
        ["a new word", None],
        [5, None],
    ],
)
@pytest.mark.parametrize("last", [None, "stop"])
def test_a_call_cut_before_its_first_argument_is_never_executable(
    end: list[Any], last: str | None
) -> None:
    events = ending(end[0])
    for event in events:
        event["choices"][0]["native_finish_reason"] = end[1]
    if last and end[0] not in ("a new word", 5):  # which do not say that anything was cut
        events += ending(last)
    try:
        made = both(*map(tool_chunk, tool_deltas("delete_everything", [])), *events)
    except OpenRouterError as failed:
        made = [failed.partial] if failed.partial else []  # an error is as good
    assert [call for message in made for call in message.tool_calls] == []


def test_a_call_under_way_when_a_stop_sequence_closes_the_stream_is_never_executable() -> None:
    events = [*map(tool_chunk, tool_deltas("delete_everything", [])), chunk("END"), *ending()]
    for message in both(*events, stop=["END"]):
        assert message.tool_calls == []
        assert [call["name"] for call in message.invalid_tool_calls] == ["delete_everything"]


def test_what_comes_after_a_stop_sequence_is_not_part_of_the_answer() -> None:
    later = chunk("Hi END more", tool_calls=tool_deltas("f", ["{}"]))
    for message in both(later, *ending(), stop=["END"]):
        assert (message.text, message.tool_calls) == ("Hi ", [])
        assert message.response_metadata["stop_sequence"] == "END"


def test_text_held_back_for_a_stop_sequence_comes_with_the_end() -> None:
    for message in both(chunk("Hi EN"), *ending(), stop=["END"]):
        assert message.text == "Hi EN"


def test_summary_and_ciphertext_under_one_index_stay_apart() -> None:
    details = [summary("a"), summary("b"), encrypted("gAAA", index=0)]
    events = [chunk(reasoning=d.get("summary"), reasoning_details=[d]) for d in details]
    for message in both(*events, chunk("x"), *ending()):
        assert message.additional_kwargs["reasoning_details"] == [
            summary("ab"),
            encrypted("gAAA", index=0),
        ]
        assert message.additional_kwargs["reasoning_content"] == "ab"


def test_ciphertext_that_comes_again_is_not_doubled() -> None:
    for message in both(
        chunk(reasoning_details=[encrypted("gAAA")]),
        chunk("x"),
        chunk(reasoning_details=[encrypted("gAAA")]),
        *ending(),
    ):
        assert message.additional_kwargs["reasoning_details"] == [encrypted("gAAA")]


def test_summaries_without_their_twin_are_read_all_the_same() -> None:
    whole = body(
        "x", reasoning=None, reasoning_details=[summary("a"), encrypted("g"), summary("b", 2)]
    )
    assert read_message(to_json(whole)).additional_kwargs["reasoning_content"] == "ab"


@pytest.mark.parametrize("details", [[], None])
def test_an_empty_list_of_details_is_not_the_same_as_none(details: Any) -> None:
    message = read_message(to_json(body("x", reasoning_details=details)))
    assert message.additional_kwargs.get("reasoning_details") == details


def test_usage_on_every_chunk_is_counted_once() -> None:
    events = [{**chunk("x"), "usage": usage()} for _ in range(4)]
    for message in both(*events, *ending()):
        assert message.usage_metadata is not None
        assert message.usage_metadata["total_tokens"] == 60


def test_usage_without_counts_is_kept_as_it_came() -> None:
    for message in both(chunk("x"), *ending("stop", {"cost": 1.0, "prompt_tokens": 3})):
        assert message.usage_metadata is None
        assert message.response_metadata["usage"] == {"cost": 1.0, "prompt_tokens": 3}
        assert message.response_metadata["cost"] == 1.0


def test_total_tokens_are_computed_when_they_are_missing() -> None:
    counts = {"prompt_tokens": 2.0, "completion_tokens": 3, "total_tokens": None}
    for message in both(chunk("x"), *ending("stop", counts)):
        assert message.usage_metadata is not None
        assert message.usage_metadata["total_tokens"] == 5


def test_chunks_without_choices_add_nothing() -> None:
    for message in both(chunk("x"), envelope(choices=[]), envelope(choices=None), *ending()):
        assert message.text == "x"


def test_text_held_back_for_a_stop_sequence_is_in_the_partial_message() -> None:
    with pytest.raises(OpenRouterError) as caught:
        read_message(sse(chunk("Hi EN"), error(502), done=False), stop=["END"])
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi EN"


def test_deepseeks_name_for_reasoning_counts_where_openrouters_is_null() -> None:
    for message in both(chunk(reasoning=None, reasoning_content="think"), chunk("x"), *ending()):
        assert message.additional_kwargs["reasoning_content"] == "think"


def test_a_null_in_a_later_piece_of_reasoning_takes_nothing_away() -> None:
    first = {**summary("a"), "id": "rs_1", "signature": None}
    later = {**summary("b"), "id": None, "format": None, "extra": None}
    for message in both(
        chunk(reasoning_details=[first]), chunk(reasoning_details=[later]), chunk("x"), *ending()
    ):
        (entry,) = message.additional_kwargs["reasoning_details"]
        assert entry == {**first, "summary": "ab", "extra": None}


def test_reasoning_may_begin_with_an_entry_whose_text_is_still_null() -> None:
    pieces = [{"type": "reasoning.text", "index": 0, "text": text} for text in (None, "Hm", ".")]
    data = sse(*(chunk("", reasoning_details=[piece]) for piece in pieces), *ending())
    for read in (read_message, lambda body: add_up(read_chunks(body))):
        details = read(data).additional_kwargs["reasoning_details"]
        assert details == [{"type": "reasoning.text", "index": 0, "text": "Hm."}]


def test_an_entry_without_an_index_goes_on_with_the_one_before_unless_it_is_ciphertext() -> None:
    ciphertext = {"type": "reasoning.encrypted", "data": "abc"}
    pieces = [{"type": "reasoning.text", "text": text} for text in ("Hm", ".")]
    details = [*pieces, ciphertext, ciphertext]
    data = sse(*(chunk("", reasoning_details=[each]) for each in details), *ending())
    for read in (read_message, lambda body: add_up(read_chunks(body))):
        entries = read(data).additional_kwargs["reasoning_details"]
        assert entries == [{"type": "reasoning.text", "text": "Hm."}, ciphertext, ciphertext]


def test_reasoning_that_runs_ahead_and_is_followed_by_other_words_loses_nothing() -> None:
    details = {"type": "reasoning.text", "text": "Otherwise", "index": 0}
    payloads = [
        chunk(reasoning="First"),
        chunk(reasoning_details=[details]),
        chunk("Hi"),
        *ending(),
    ]
    message = read_message(sse(*payloads))
    assert message.additional_kwargs["reasoning_content"] == "FirstOtherwise"
