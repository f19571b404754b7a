"""Every recorded exchange gives the right message or the right error, in every mode."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.modes import comparable, outcome
from tests.helpers.recordings import Recording, canned, load, split_model

RECORDINGS = load()

if not RECORDINGS:
    pytest.skip("no recordings here; set OPENROUTER_RECORDINGS", allow_module_level=True)


def by_name(recording: Recording) -> str:
    return recording.name


every_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=by_name)
answers = [recording for recording in RECORDINGS if not recording.fails]
every_answer = pytest.mark.parametrize("recording", answers, ids=by_name)
every_failure = pytest.mark.parametrize(
    "recording", [recording for recording in RECORDINGS if recording.fails], ids=by_name
)


@every_recording
def test_all_modes_agree_over_a_socket(
    recording: Recording, emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    modes = ("invoke", "stream", "ainvoke", "astream")
    results = []
    for mode in modes:
        emulator.play(canned(recording))
        results.append(comparable(outcome(mode, model)))
    assert results[1:] == results[:1] * 3


@every_recording
@pytest.mark.parametrize("size", [1, 7])
def test_the_split_of_the_bytes_does_not_matter(recording: Recording, size: int) -> None:
    whole = comparable(outcome("invoke", split_model(recording, len(recording.raw) or 1)))
    # A long answer goes in at most 20,000 pieces, which are a few bytes then.
    split = split_model(recording, max(size, len(recording.raw) // 20_000))
    assert comparable(outcome("invoke", split)) == whole
    assert comparable(outcome("stream", split)) == whole
    assert comparable(outcome("astream", split)) == whole


@every_answer
def test_the_message_is_what_was_recorded(recording: Recording) -> None:
    message = received(recording)
    assert message.content == recording.expected_text("content")
    assert message.additional_kwargs.get("refusal", "") == recording.expected_text("refusal")
    reasoning = message.additional_kwargs.get("reasoning_content", "")
    if expected := recording.expected_text("reasoning"):
        assert reasoning == expected
    details = message.additional_kwargs.get("reasoning_details", [])
    assert [e for e in details if e["type"] == "reasoning.encrypted"] == (
        recording.expected_encrypted()
    )
    annotations = [item for delta in recording.deltas for item in delta.get("annotations") or []]
    assert message.additional_kwargs.get("annotations", []) == annotations


@every_answer
def test_tool_calls_are_what_was_recorded(recording: Recording) -> None:
    message = received(recording)
    raw = message.additional_kwargs.get("tool_call_arguments", {})
    expected = recording.expected_calls()
    assert sorted(raw.items()) == sorted((identity, args) for identity, _, args in expected)
    complete = {call["id"]: call for call in message.tool_calls}
    broken = {call["id"]: call for call in message.invalid_tool_calls}
    for identity, name, arguments in expected:
        args = parsed(arguments)
        found = broken if args is None else complete
        wanted = arguments if args is None else args
        assert (found[identity]["name"], found[identity]["args"]) == (name, wanted)


@every_answer
def test_usage_and_metadata_are_what_was_recorded(recording: Recording) -> None:
    message = received(recording)
    metadata = message.response_metadata
    usage = recording.expected_last("usage")
    if usage is None:
        assert message.usage_metadata is None
    else:
        assert message.usage_metadata is not None
        counts: Any = message.usage_metadata
        for ours, theirs in (
            ("input_tokens", "prompt_tokens"),
            ("output_tokens", "completion_tokens"),
            ("total_tokens", "total_tokens"),
        ):
            assert counts[ours] == usage[theirs]
        thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
        assert counts.get("output_token_details", {}).get("reasoning") == thinking
        for key in ("cost", "is_byok", "cost_details"):
            assert metadata.get(key) == usage.get(key)
    for key, name in (("provider", "provider"), ("model", "model_name"), ("id", "id")):
        assert metadata.get(name) == recording.expected_last(key)
    for key in ("finish_reason", "native_finish_reason"):
        assert metadata.get(key) == recording.expected_finish(key)
    assert metadata["model_provider"] == "openrouter"


@every_answer
def test_history_goes_back_losslessly(recording: Recording) -> None:
    message = received(recording)
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    results = [ToolMessage("done", tool_call_id=str(call["id"])) for call in calls]
    wire = messages_to_wire([HumanMessage("Hello"), message, *results])[1]
    assert wire.get("content", "") == message.content
    assert wire.get("reasoning_details") == message.additional_kwargs.get("reasoning_details")
    sent = [
        (c["id"], c["function"]["name"], c["function"]["arguments"])
        for c in wire.get("tool_calls", [])
    ]
    expected = [(i, n, a or "{}") for i, n, a in recording.expected_calls()]
    assert sent == expected
    assert wire.get("refusal", "") == recording.expected_text("refusal")


@every_failure
def test_failures_are_typed_and_keep_what_came(recording: Recording) -> None:
    error = outcome("stream" if recording.is_stream else "invoke", whole(recording))
    assert isinstance(error, OpenRouterError)
    assert "user_" not in f"{error} {error.body}"
    if recording.status != 200:
        assert error.status_code == recording.status
    text = recording.expected_text("content") if recording.status == 200 else ""
    if text:
        assert error.partial is not None
        assert error.partial.content == text


def parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return None


def whole(recording: Recording) -> ChatOpenRouterO3:
    return split_model(recording, max(len(recording.raw), 1))


def received(recording: Recording) -> AIMessage:
    result = outcome("invoke", whole(recording))
    assert isinstance(result, AIMessage)
    return result
