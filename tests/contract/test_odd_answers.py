"""Odd answers: what is only informational never costs a good one. Over a real socket."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, message_chunk_to_message
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterConnectionError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import odd_fields, wire
from tests.helpers.factories import JSON, STREAM, build_once, failure
from tests.helpers.modes import MODES, comparable, every_mode
from tests.helpers.scripted import add_up, read_chunks, read_message


def stream_of(*payloads: Any, done: bool = True) -> Canned:
    return Canned(headers=STREAM, pieces=wire.sse(*payloads, done=done))


def receive(emulator: Emulator, *answers: Canned) -> list[AIMessage]:
    """Receive one answer in all modes; they must be the same."""
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    messages = []
    for mode in MODES.values():
        emulator.play(*answers)
        messages.append(mode(model))
    assert all(comparable(message) == comparable(messages[0]) for message in messages)
    return messages


def calls_of(message: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


def pieces(name: str, *arguments: str, **more: Any) -> list[Any]:
    """A stream that calls a tool with these pieces of arguments."""
    head = {"index": 0, "id": "call_1", "function": {"name": name, "arguments": ""}, **more}
    deltas = [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
    return [*map(wire.tool_chunk, (head, *deltas)), *wire.ending("tool_calls")]


# --- Information of an unexpected type (W2) ---


@pytest.mark.parametrize("field", odd_fields.FIELDS)
def test_no_type_of_an_informational_field_costs_the_answer(
    emulator: Emulator, field: odd_fields.Field
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    for value, (mode, receives) in zip(odd_fields.SOME, MODES.items(), strict=True):
        for streamed in (False, True):
            answer = odd_fields.answer(field, value, streamed=streamed)
            emulator.play(Canned(headers=STREAM if streamed else {}, pieces=answer))
            lost = odd_fields.lost_from(receives(model), field)
            assert not lost, (field, value, streamed, mode, lost)


def test_an_odd_value_that_comes_again_is_kept_once(emulator: Emulator) -> None:
    events = [wire.chunk("Hi", refusal=False), wire.chunk("", refusal=False)]
    for message in receive(emulator, stream_of(*events, *wire.ending())):
        assert message.response_metadata["refusal"] is False


@pytest.mark.parametrize("field", odd_fields.FIELDS)
def test_no_value_of_an_informational_field_costs_the_answer(field: odd_fields.Field) -> None:
    """The same for every value, without a socket."""
    for value in (*odd_fields.VALUES, *odd_fields.NUMBERS):
        for streamed in (False, True):
            answer = odd_fields.answer(field, value, streamed=streamed)
            added: Any = message_chunk_to_message(add_up(read_chunks(answer)))
            for message in (read_message(answer), added):
                lost = odd_fields.lost_from(message, field)
                assert not lost, (field, value, streamed, lost)
                facts = [message.response_metadata, message.additional_kwargs]
                json.dumps(facts, allow_nan=False)


@every_mode
@pytest.mark.parametrize("number", odd_fields.NUMBERS)
def test_a_number_that_json_does_not_know_is_told_as_a_text_and_is_no_words(
    emulator: Emulator, model: ChatOpenRouterO3, number: str, mode: str
) -> None:
    for place, name in (("usage", "cost"), ("message", "other"), ("message", "refusal")):
        field = odd_fields.Field(place, (name,))
        answer = odd_fields.answer(field, number, streamed="stream" in mode)
        emulator.play(Canned(headers=STREAM if "stream" in mode else {}, pieces=answer))
        message = MODES[mode](model)
        told = {**message.response_metadata, **message.additional_kwargs}[name]
        assert told == {"1e999": "inf", "-1e999": "-inf"}.get(number, number)
        assert message.text == "Hello"


@every_mode
@pytest.mark.parametrize("place", ["top", "choice", "message", "usage"])
def test_no_fact_keeps_a_message_out_of_a_checkpoint(
    emulator: Emulator, model: ChatOpenRouterO3, place: str, mode: str
) -> None:
    """Neither an integer beyond 64 bits, nor what is nested too deep for those who write it."""
    deep: Any = "x"
    for _ in range(300):
        deep = {"a": [deep]}
    field = odd_fields.Field(place, ("other",))
    value = {"long": 2**64, "negative": [-(2**63) - 1], "largest": 2**64 - 1, "deep": deep}
    answer = odd_fields.answer(field, value, streamed="stream" in mode)
    emulator.play(Canned(headers=STREAM if "stream" in mode else {}, pieces=answer))
    message = MODES[mode](model)
    told = {**message.response_metadata, **message.additional_kwargs}["other"]
    assert (told["long"], told["negative"]) == (str(2**64), [str(-(2**63) - 1)])
    assert told["largest"] == 2**64 - 1
    serializer = JsonPlusSerializer()
    assert serializer.loads_typed(serializer.dumps_typed(message)) == message
    assert pickle.loads(pickle.dumps(message)) == message
    message.model_dump_json()


@every_mode
def test_a_count_beyond_64_bits_is_none(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    usage = {**wire.usage(), "completion_tokens": 2**64}
    emulator.play(Canned(pieces=wire.to_json({**wire.body("Hello"), "usage": usage})))
    message = MODES[mode](model)
    assert message.usage_metadata is None
    assert message.response_metadata["usage"] == {**usage, "completion_tokens": str(2**64)}
    serializer = JsonPlusSerializer()
    assert serializer.loads_typed(serializer.dumps_typed(message)) == message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("native_finish_reason", 3),
        ("refusal", False),
        ("reasoning", {}),
        ("reasoning_details", "x"),
        ("annotations", {}),
        ("tool_calls", {}),
    ],
)
def test_what_cannot_be_read_stays_in_the_metadata_as_it_came(
    emulator: Emulator, place: str, value: Any
) -> None:
    field = next(each for each in odd_fields.FIELDS if each.path[-1] == place)
    for streamed in (False, True):
        answer = odd_fields.answer(field, value, streamed=streamed)
        for message in receive(emulator, Canned(headers=STREAM if streamed else {}, pieces=answer)):
            metadata = message.response_metadata
            assert value in (metadata[place], metadata.get(f"openrouter_{place}"))


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({"prompt_tokens": "12"}, None),
        ({"completion_tokens": -1}, None),
        ({"total_tokens": 1.5}, (20, 40, 60)),
        ({"prompt_tokens_details": "none"}, (20, 40, 60)),
        (
            {
                "prompt_tokens_details": {
                    "cache_creation_token_details": {"ephemeral_5m_input_tokens": 0}
                }
            },
            (20, 40, 60),
        ),
        (
            {"completion_tokens_details": {"audio_seconds": 1.5, "reasoning_tokens": 30}},
            (20, 40, 60),
        ),
    ],
)
def test_usage_that_is_no_count_stays_out_of_the_counts_and_whole_beside_them(
    emulator: Emulator, change: dict[str, Any], counted: tuple[int, ...] | None
) -> None:
    usage = {**wire.usage(), **change}
    for message in receive(emulator, stream_of(wire.chunk("Hi"), *wire.ending("stop", usage))):
        assert message.response_metadata["usage"] == usage
        assert message.response_metadata["cost"] == usage["cost"]
        counts = message.usage_metadata
        names = ("input_tokens", "output_tokens", "total_tokens")
        assert (counts and tuple(counts[name] for name in names)) == counted  # type: ignore[literal-required]


def test_a_later_usage_that_cannot_be_read_takes_nothing_away(emulator: Emulator) -> None:
    events = [wire.chunk("Hi"), *wire.ending(), {**wire.envelope(choices=[]), "usage": []}]
    for message in receive(emulator, stream_of(*events)):
        assert message.usage_metadata is not None
        assert message.response_metadata["usage"] == []


# --- Whole or not (W1, W13, W17) ---


NOTHING = {
    "comments": b": OPENROUTER PROCESSING\n\n" * 3,
    "done": b"data: [DONE]\n\n",
    "retry": b"retry: 3000\n\n",
    "nothing": b"",
    "empty deltas": wire.sse(wire.chunk(""), wire.chunk("")),
    "finish without content or usage": wire.sse(wire.chunk("", finish="stop")),
}


@every_mode
@pytest.mark.parametrize("nothing", NOTHING)
def test_a_stream_in_which_nothing_comes_is_repeated(
    emulator: Emulator, mode: str, nothing: str
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=1)
    empty = Canned(headers=STREAM, pieces=NOTHING[nothing])
    emulator.play(empty, stream_of(wire.chunk("Hi"), *wire.ending()))
    assert MODES[mode](model).text == "Hi"
    emulator.play(empty, empty)
    with pytest.raises((OpenRouterAPIError, OpenRouterConnectionError)) as caught:
        MODES[mode](model)
    assert caught.value.is_retryable


@every_mode
def test_a_body_in_which_nothing_comes_is_repeated(emulator: Emulator, mode: str) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=1)
    empty = wire.body(None, finish=None)
    del empty["usage"]
    emulator.play(Canned(pieces=wire.to_json(empty)), Canned(pieces=wire.to_json(wire.body("Hi"))))
    assert MODES[mode](model).text == "Hi"


@pytest.mark.parametrize("count", ["40", None])
def test_an_empty_answer_that_was_paid_for_is_not_bought_again(
    emulator: Emulator, count: str | None
) -> None:
    usage = {**wire.usage(), "completion_tokens": count}
    for message in receive(emulator, Canned(pieces=wire.to_json(wire.body(None, counts=usage)))):
        assert (message.text, message.usage_metadata) == ("", None)
        assert message.response_metadata["cost"] > 0


@every_mode
def test_the_error_of_an_empty_answer_tells_what_it_took(emulator: Emulator, mode: str) -> None:
    answer = Canned(pieces=wire.to_json(wire.body(None, counts=wire.usage(20, 0))))
    error = failure(emulator, mode, answer)
    assert error.partial is not None
    assert error.partial.usage_metadata is not None
    assert error.partial.usage_metadata["input_tokens"] == 20


def test_a_whole_call_that_comes_twice_is_made_once(emulator: Emulator) -> None:
    call = {"id": "call_1", "index": 0, "function": {"name": "f", "arguments": "{}"}}
    other = {**call, "id": "call_2"}
    body = wire.body(None, finish="tool_calls", tool_calls=[call, other, call])
    for message in receive(emulator, Canned(pieces=wire.to_json(body))):
        assert [each["id"] for each in message.tool_calls] == ["call_1", "call_2"]


def test_calls_with_other_arguments_are_other_calls(emulator: Emulator) -> None:
    calls = [
        {"id": "call_1", "function": {"name": "f", "arguments": {"a": value}}}
        for value in (1, True)
    ]
    body = wire.body(None, finish="tool_calls", tool_calls=calls)
    for message in receive(emulator, Canned(pieces=wire.to_json(body))):
        assert len(message.tool_calls) == 2


def test_what_only_looks_like_a_secret_stays_in_an_answer(emulator: Emulator) -> None:
    model = build_once(emulator, default_headers={"X-Region": "production-eu-west"})
    audio = {"data": "AAAA-sk-1234567890abcdefghijklmnopqrstuvwxyz", "region": "production-eu-west"}
    emulator.play(
        Canned(pieces=wire.to_json(wire.body("Hi", audio=audio, parsed={"api_key": "x"})))
    )
    kept = model.invoke("Hello").additional_kwargs
    assert (kept["audio"], kept["parsed"]) == (audio, {"api_key": "x"})


@pytest.mark.parametrize("word", ["null", "None", ""])
def test_the_word_null_is_no_finish_reason(emulator: Emulator, word: str) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    events = [wire.chunk("Hi", finish=word), wire.chunk(" there")]
    for event in events:
        event["choices"][0]["native_finish_reason"] = None
    for mode in MODES.values():
        emulator.play(stream_of(*events))
        with pytest.raises(OpenRouterConnectionError) as caught:
            mode(model)
        assert caught.value.partial is not None
        assert caught.value.partial.text == "Hi there"


def test_the_whole_message_at_the_end_of_a_stream_says_nothing_twice(emulator: Emulator) -> None:
    call = wire.tool_call("f", '{"a":1}')
    message = wire.body("Hello", tool_calls=[call], reasoning="Hm.")["choices"][0]["message"]
    last = wire.chunk("", finish="stop")
    last["choices"][0]["message"] = message
    without_delta = copy.deepcopy(last)
    del without_delta["choices"][0]["delta"]
    begun = [wire.chunk(reasoning="Hm."), wire.chunk("Hel"), wire.chunk("lo")]
    for before in ([], begun, [*begun, wire.tool_chunk(call)], begun[:2]):
        for end in (last, without_delta):
            usage = {**wire.envelope(choices=[]), "usage": wire.usage()}
            for received in receive(emulator, stream_of(*before, end, usage)):
                assert received.text == "Hello"
                assert calls_of(received) == [("f", {"a": 1})]
                assert received.additional_kwargs["reasoning_content"] == "Hm."


@pytest.mark.parametrize(
    "junk",
    [
        b"data: null\n\n",
        b"data: []\n\n",
        b"event: ping\ndata: ping\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b"data: ping\n\n",
        b"data: {broken\n\n",
        b"data: 5\n\n",
    ],
)
def test_what_follows_a_finished_answer_does_not_undo_it(emulator: Emulator, junk: bytes) -> None:
    finish, last = wire.ending()
    begun = wire.sse(wire.chunk("Hi"), finish, done=False)
    for rest in (wire.sse(last), wire.sse(last, done=False) + junk, junk.rstrip()):
        answer = Canned(headers=STREAM, pieces=begun + junk + rest)
        for message in receive(emulator, answer):
            assert message.text == "Hi"


SUCCESSES: list[dict[str, Any]] = [
    {"code": 0, "message": "Success"},
    {"code": 200, "msg": "ok"},
    {"error": {"code": 0, "message": "success"}},
    {"base_resp": {"status_code": 0, "status_msg": "success"}},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
]


@pytest.mark.parametrize("success", SUCCESSES)
def test_a_success_that_is_called_one_is_no_failure(
    emulator: Emulator, success: dict[str, Any]
) -> None:
    usage = {**wire.envelope(choices=[]), "usage": wire.usage(), **success}
    finish, last = wire.ending()
    answers = [
        stream_of(wire.chunk("Hi"), finish, usage),
        stream_of(wire.chunk("Hi"), finish, last, success),
        Canned(pieces=wire.to_json({**wire.body("Hi"), **success})),
    ]
    for answer in answers:
        for message in receive(emulator, answer):
            assert message.text == "Hi"


@pytest.mark.parametrize(
    "words",
    [{"title": "Hm"}, {"message": "Enqueued", "status": "waiting"}, {"cause": "x", "code": "a"}],
)
def test_words_beside_the_usage_or_the_place_of_choices_cost_no_answer(
    emulator: Emulator, words: dict[str, Any]
) -> None:
    chunks: list[dict[str, Any]] = [{"choices": []}, {"usage": wire.usage()}]
    for beside in chunks:
        for message in receive(
            emulator, stream_of({**beside, **words}, wire.chunk("Hi"), *wire.ending())
        ):
            assert message.text == "Hi"


def test_a_blank_value_takes_nothing_away(emulator: Emulator) -> None:
    """Azure's content filter ends a stream with a chunk of its own."""
    blank = {"id": "", "model": "", "created": 0, "choices": [], "usage": None}
    zero = {**wire.envelope(choices=[]), "usage": {**wire.usage(0, 0, reasoning=0), "cost": 0}}
    for tail in (blank, zero):
        for message in receive(emulator, stream_of(wire.chunk("Hi"), *wire.ending(), tail)):
            assert message.response_metadata["model_name"] == wire.envelope()["model"]
            assert message.response_metadata["created"] > 0
            assert message.response_metadata["cost"] > 0
            assert message.usage_metadata is not None
            assert message.usage_metadata["total_tokens"] > 0


def test_a_finish_that_lacks_its_blank_line_is_read_before_what_is_cut(emulator: Emulator) -> None:
    finish, _ = wire.ending()
    begun = wire.sse(wire.chunk("Hi"), finish, done=False).rstrip()
    answer = Canned(headers=STREAM, pieces=begun + b'\n{"id": "gen-')
    for message in receive(emulator, answer):
        assert message.text == "Hi"
        assert message.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "nothing", [b"data: null\n\n", b"data: []\n\n", b"event: ping\ndata: ping\n\n"]
)
def test_events_that_say_nothing_may_come_at_any_time(emulator: Emulator, nothing: bytes) -> None:
    texts = [wire.sse(event, done=False) for event in (wire.chunk("Hi"), *wire.ending())]
    answer = Canned(headers=STREAM, pieces=nothing + nothing.join(texts) + nothing)
    for message in receive(emulator, answer):
        assert message.text == "Hi"


@every_mode
def test_a_broken_chunk_is_an_error_whatever_its_event_is_called(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    broken = b'event: chunk\ndata: {"choices": [\n\n'
    begun = wire.sse(wire.chunk("Hi"), done=False)
    emulator.play(Canned(headers=STREAM, pieces=begun + broken + wire.sse(*wire.ending())))
    with pytest.raises(OpenRouterAPIError, match="is not JSON") as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"


def test_a_whole_message_that_says_something_else_is_kept_beside_the_deltas(
    emulator: Emulator,
) -> None:
    last = wire.chunk("", finish="stop")
    last["choices"][0]["message"] = {"content": "Goodbye"}
    for message in receive(emulator, stream_of(wire.chunk("Hello"), last)):
        assert message.text == "Hello"
        assert message.response_metadata["message"] == {"content": "Goodbye"}


@pytest.mark.parametrize("delta", ["delta", "message", "text"])
def test_a_text_alone_is_a_message(emulator: Emulator, delta: str) -> None:
    events = [wire.chunk("ha"), wire.chunk("ha"), *wire.ending()]
    for event in events:
        event["choices"][0][delta] = event["choices"][0].pop("delta")["content"]
    whole = wire.body()
    del whole["choices"][0]["message"]
    whole["choices"][0]["text" if delta == "text" else "message"] = "haha"
    bodies = Canned(headers=JSON, pieces=wire.to_json(whole))
    for message in (*receive(emulator, stream_of(*events)), *receive(emulator, bodies)):
        assert message.text == "haha"
        assert delta not in message.response_metadata


@pytest.mark.parametrize("nothing", [{}, {"message": None}, {"message": {}}, {"message": 5}])
def test_a_choice_without_a_message_is_an_empty_answer_that_may_be_billed(
    emulator: Emulator, nothing: dict[str, Any]
) -> None:
    whole = wire.body()
    del whole["choices"][0]["message"]
    whole["choices"][0] |= nothing
    for message in receive(emulator, Canned(headers=JSON, pieces=wire.to_json(whole))):
        assert message.text == ""
        assert message.usage_metadata
    with pytest.raises(OpenRouterEmptyResponseError):
        read_message(wire.to_json({**whole, "usage": None}))


def test_a_server_may_call_its_deltas_messages(emulator: Emulator) -> None:
    events = [wire.chunk("ha"), wire.chunk("ha"), *wire.ending()]
    for event in events:
        event["choices"][0]["message"] = event["choices"][0].pop("delta")
    for message in receive(emulator, stream_of(*events)):
        assert message.text == "haha"


@every_mode
@pytest.mark.parametrize("index", [1, "1", 1.0])
def test_choices_are_never_mixed(emulator: Emulator, mode: str, index: Any) -> None:
    other = wire.tool_chunk(wire.tool_call("delete", "{}", "call_2"))
    other["choices"][0]["index"] = index
    first = wire.tool_chunk(wire.tool_call("keep", "{}"))
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    emulator.play(stream_of(first, other, *wire.ending("tool_calls")))
    with pytest.raises(OpenRouterAPIError, match="choices 0 and 1") as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.tool_calls == []


# --- Tool calls (W3, W4, W5, W13) ---


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 7, "function": {"name": "f", "arguments": "{}"}},
        {"id": "call_1", "function": {"name": "f", "arguments": True}},
        {"id": "call_1", "function": {"name": "f", "arguments": 5}},
        {"id": "call_1", "function": {"name": 5, "arguments": "{}"}},
        {"id": "call_1", "function": None},
        {"id": "call_1", "function": "f"},
        {"id": "call_1", "function": {"name": "f", "arguments": ["{}"]}},
        "call f",
        7,
    ],
)
def test_an_odd_call_is_invalid_and_takes_nothing_with_it(emulator: Emulator, odd: Any) -> None:
    good = wire.tool_call("g", '{"b":2}', "call_2", index=1)
    numbered = {"index": 0, **odd} if isinstance(odd, dict) else odd
    whole = wire.body("Hi", finish="tool_calls", tool_calls=[odd, good])
    streamed = [wire.chunk("Hi"), wire.tool_chunk(numbered), wire.tool_chunk(good)]
    for answer in (
        Canned(pieces=wire.to_json(whole)),
        stream_of(*streamed, *wire.ending("tool_calls")),
    ):
        for message in receive(emulator, answer):
            assert message.text == "Hi"
            assert calls_of(message) == [("g", {"b": 2})]
            assert len(message.invalid_tool_calls) == 1


def test_arguments_that_are_an_object_are_read_as_one(emulator: Emulator) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": [1, "ü"]}}}
    whole = wire.body(None, finish="tool_calls", tool_calls=[call])
    answers = (Canned(pieces=wire.to_json(whole)), stream_of(*pieces("f", **call)))
    for answer in answers:
        for message in receive(emulator, answer):
            assert calls_of(message) == [("f", {"a": [1, "ü"]})]


def test_a_fragment_without_a_name_goes_on_with_the_call_of_its_index(emulator: Emulator) -> None:
    head = {"index": 0, "id": "a", "function": {"name": "delete_files", "arguments": ""}}
    rest = [
        {"index": 0, "id": identity, "function": {"arguments": piece}}
        for identity, piece in (("b", '{"folder":'), ("c", '"old"}'))
    ]
    events = [*map(wire.tool_chunk, (head, *rest)), *wire.ending("tool_calls")]
    for message in receive(emulator, stream_of(*events)):
        assert calls_of(message) == [("delete_files", {"folder": "old"})]


@pytest.mark.parametrize("index", [1, None])
def test_no_call_runs_without_arguments_that_another_fragment_may_hold(
    emulator: Emulator, index: int | None
) -> None:
    head: Any = {"index": 0, "id": "a", "function": {"name": "delete_files", "arguments": ""}}
    rest: Any = {"index": index, "id": "b", "function": {"arguments": '{"folder":"old"}'}}
    if index is None:
        del head["index"]
    events = [*map(wire.tool_chunk, (head, rest)), *wire.ending("tool_calls")]
    for message in receive(emulator, stream_of(*events)):
        assert message.tool_calls == []
        assert len(message.invalid_tool_calls) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}", '{"a":1}'],
        ["{}", '{"a"', ":1}"],
        ['{"a":1}', '{"a":1}'],
        ['{"a":1}'] * 3,
        ['{"a"', ":1}", '{"a":1}'],
        ['{"a"', ":1}", '{"a": 1}'],
        ['{"a"', '{"a":1', '{"a":1}'],
        ["{", '{"a":', '{"a":1}', '{"a":1}'],
        ['{"a"', ":", '{"a":1}'],
    ],
)
def test_arguments_that_come_again_are_one_valid_call(
    emulator: Emulator, arguments: list[str]
) -> None:
    for message in receive(emulator, stream_of(*pieces("f", *arguments))):
        assert calls_of(message) == [("f", {"a": 1})]
        assert message.invalid_tool_calls == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([r'{"a":"\\frac{1}', r'{2}"}'], {"a": r"\frac{1}{2}"}),
        (['{"a":{}', "}"], {"a": {}}),
        (['{"a":"x}', '{y"}'], {"a": "x}{y"}),
        (['{"', '{"', ":1}"], {"{": 1}),
        (['{"a":', '{"b":1}', "}"], {"a": {"b": 1}}),
        (["{}"], {}),
        (["{}", "{}"], {}),
        (["{", "}"], {}),
    ],
)
def test_deltas_that_only_look_like_a_repetition_are_deltas(
    emulator: Emulator, arguments: list[str], expected: dict[str, Any]
) -> None:
    for message in receive(emulator, stream_of(*pieces("f", *arguments))):
        assert calls_of(message) == [("f", expected)]


@pytest.mark.parametrize(
    "arguments",
    [
        ['{"a":1}', '{"a":2}'],
        ['{"a":1}', '{"b":1}'],
        ["{}", "[1]"],
        ['{"a":1}', '{"b":1}', " "],
        ['{"a":1}', "x"],
    ],
)
def test_arguments_that_contradict_each_other_stay_invalid(
    emulator: Emulator, arguments: list[str]
) -> None:
    for message in receive(emulator, stream_of(*pieces("f", *arguments))):
        assert message.tool_calls == []
        (call,) = message.invalid_tool_calls
        assert str(call["args"]).startswith("".join(arguments))


def test_the_older_function_call_is_a_tool_call(emulator: Emulator) -> None:
    deltas = [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ":1}"}]
    streamed = [wire.chunk(None, function_call=delta) for delta in deltas]
    whole = wire.body(None, function_call={"name": "f", "arguments": '{"a":1}'})
    for answer in (
        stream_of(*streamed, *wire.ending("function_call")),
        Canned(pieces=wire.to_json(whole)),
    ):
        for message in receive(emulator, answer):
            assert calls_of(message) == [("f", {"a": 1})]
            assert message.tool_calls[0]["id"]


def test_a_call_that_comes_in_both_fields_runs_once(emulator: Emulator) -> None:
    call = wire.tool_call("f", '{"a":1}')
    whole = wire.body(None, tool_calls=[call], function_call=call["function"])
    for message in receive(emulator, Canned(pieces=wire.to_json(whole))):
        assert calls_of(message) == [("f", {"a": 1})]


# --- Characters in halves (W6) ---


def halves(text: str) -> list[Any]:
    """Events whose texts are cut between the UTF-16 units of a text."""
    units = [*text.encode("utf-16-le", "surrogatepass")]
    return [
        bytes(units[start : start + 2]).decode("utf-16-le", "surrogatepass")
        for start in range(0, len(units), 2)
    ]


def escaped_stream(*events: Any) -> Canned:
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Canned(headers=STREAM, pieces=f"{data}data: [DONE]\n\n".encode())


@pytest.mark.parametrize("text", ["Hi 😀!", "😀😀", "é😀"])
def test_a_character_in_two_halves_is_one(emulator: Emulator, text: str) -> None:
    arguments = halves(json.dumps({"a": text}, ensure_ascii=False))
    events = [
        *(wire.chunk(reasoning=half) for half in halves(text)),
        *(wire.chunk(half) for half in halves(text)),
        *pieces("f", *arguments),
    ]
    for message in receive(emulator, escaped_stream(*events)):
        assert message.text == text
        assert message.additional_kwargs["reasoning_content"] == text
        assert calls_of(message) == [("f", {"a": text})]


def test_half_a_character_is_never_delivered(emulator: Emulator) -> None:
    half = "\ud83d"
    detail = wire.summary(half)
    events = [
        {**wire.chunk(f"a{half}b", reasoning=half), half: [half]},
        wire.chunk(f"\ude00{half}", refusal=half, reasoning_details=[detail], other={half: half}),
        *pieces("f", f'{{"a":"{half}x"}}'),
    ]
    for message in receive(emulator, escaped_stream(*events)):
        assert message.text == "a�b��"
        message.model_dump_json().encode()


def test_arguments_that_end_in_half_a_character_are_invalid(emulator: Emulator) -> None:
    for message in receive(emulator, escaped_stream(*pieces("f", '{"a":"\ud83d'))):
        (call,) = message.invalid_tool_calls
        assert str(call["args"]).startswith('{"a":"\ufffd')


# --- Reasoning (W10, W11) ---


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning": "Hm."}, {"reasoning_details": "Hm."}],
        [{"reasoning_details": "Hm."}, {"reasoning": "Hm."}],
        [{"reasoning": "H"}, {"reasoning": "m."}, {"reasoning_details": "Hm."}],
        [{"reasoning": "Hm."}, {"reasoning_details": "H"}, {"reasoning_details": "m."}],
        [
            {"reasoning": "H"},
            {"reasoning": "m.", "reasoning_details": "H"},
            {"reasoning_details": "m."},
        ],
        [{"reasoning": "Hm.", "reasoning_details": "Hm."}],
    ],
)
def test_reasoning_whose_twin_comes_later_is_said_once(
    emulator: Emulator, deltas: list[dict[str, str]]
) -> None:
    events = []
    for delta in deltas:
        fields: dict[str, Any] = dict(delta)
        if "reasoning_details" in delta:
            fields["reasoning_details"] = [wire.summary(delta["reasoning_details"])]
        events.append(wire.chunk(**fields))
    for message in receive(emulator, stream_of(*events, wire.chunk("x"), *wire.ending())):
        assert message.additional_kwargs["reasoning_content"] == "Hm."
        assert len(message.additional_kwargs["reasoning_details"]) == 1
        assert message.additional_kwargs["reasoning_details"][0]["summary"] == "Hm."


@pytest.mark.parametrize("plain", [True, False])
def test_a_closing_piece_that_repeats_the_thought_beside_its_signature_adds_none(
    emulator: Emulator, *, plain: bool
) -> None:
    def piece(text: str, signature: str | None = None) -> Any:
        detail = {"type": "reasoning.text", "text": text, "signature": signature, "index": 0}
        return wire.chunk(reasoning_details=[detail], **({"reasoning": text} if plain else {}))

    events = [piece("ha"), piece("ha"), piece("!"), piece("haha!", "c2ln"), wire.chunk("x")]
    for message in receive(emulator, stream_of(*events, *wire.ending())):
        (entry,) = message.additional_kwargs["reasoning_details"]
        assert (entry["text"], entry["signature"]) == ("haha!", "c2ln")
        assert message.additional_kwargs["reasoning_content"] == "haha!"


def test_null_entries_of_the_details_are_none(emulator: Emulator) -> None:
    details = [None, wire.summary("a"), {}]
    whole = wire.body("x", reasoning_details=details)
    streamed = stream_of(wire.chunk("x", reasoning_details=details), *wire.ending())
    for answer in (Canned(pieces=wire.to_json(whole)), streamed):
        for message in receive(emulator, answer):
            kept = message.additional_kwargs["reasoning_details"]
            assert [entry.get("summary") for entry in kept] == ["a", None]


def test_a_piece_of_a_thought_that_is_no_text_is_kept_raw(emulator: Emulator) -> None:
    def piece(text: Any) -> Any:
        return wire.chunk(reasoning_details=[{"type": "reasoning.text", "text": text, "index": 0}])

    events = [piece("a"), piece("b"), piece(5), piece("c"), wire.chunk("x"), *wire.ending()]
    for message in receive(emulator, stream_of(*events)):
        assert message.additional_kwargs["reasoning_details"][0]["text"] == "abc"
        assert message.response_metadata["reasoning_details"]["text"] == 5


def test_what_had_come_is_always_in_the_partial_message(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    emulator.play(stream_of(wire.chunk("Hi", refusal=False, annotations=3), done=False))
    with pytest.raises(OpenRouterError) as caught:
        model.invoke("Hello")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"


# --- History (W3, W16) ---


@pytest.mark.parametrize("function", [None, {"name": 5, "arguments": "{}"}, {"arguments": "{}"}])
def test_a_call_without_a_name_goes_back_as_openai_takes_it(
    emulator: Emulator, model: ChatOpenRouterO3, function: Any
) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    emulator.play(Canned(pieces=wire.to_json(wire.body(None, tool_calls=[call]))))
    said = model.invoke("Hello")
    assert said.invalid_tool_calls
    model.invoke([HumanMessage("Hello"), said, ToolMessage("No such tool", tool_call_id="call_1")])
    body: Any = emulator.requests[-1].body
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "_"


def test_a_reasoning_item_goes_back_once(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    details = [wire.summary("Hm."), wire.encrypted("gAAA")]
    other = wire.encrypted("gBBB", "rs_other")
    said = AIMessage("Hi", additional_kwargs={"reasoning_details": details})
    later = AIMessage("Yes", additional_kwargs={"reasoning_details": [*details, other]})
    model.invoke([HumanMessage("a"), said, HumanMessage("b"), said, HumanMessage("c"), later])
    body: Any = emulator.requests[-1].body
    sent = body["messages"]
    assert [message.get("reasoning_details") for message in sent[1::2]] == [details, None, [other]]
    assert [message["content"] for message in sent[1::2]] == ["Hi", "Hi", "Yes"]
