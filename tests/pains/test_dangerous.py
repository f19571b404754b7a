"""Answers that break off, fail in disguise or are no answers: never taken for a success."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterConnectionError,
    OpenRouterContextOverflowError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterRateLimitError,
    OpenRouterStreamCutError,
)
from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import JSON, STREAM, build, failed, hello, streamed, sum_up, whole
from tests.helpers.modes import MODES, every_mode, streamed_modes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator import Emulator

ARGUMENTS = '{"path": "/home/me", "how": ["deep", {"ask": "n\\"o", "times": 3}]}'
FAILURE = {
    **wire.chunk(finish="error"),
    **wire.error(502, "Upstream gave up", error_type="provider_unavailable", provider_name="Azure"),
}


def delta_stream(arguments: str) -> list[wire.Json]:
    return [wire.tool_chunk(delta) for delta in wire.tool_deltas("delete", [arguments])]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
@pytest.mark.parametrize("how", ["length", "end", "error"])
@pytest.mark.parametrize("streaming", [True, False])
def test_p01_a_call_cut_in_mid_stream_is_not_executed(
    emulator: Emulator,
    how: str,
    streaming: bool,  # noqa: FBT001
) -> None:
    deleted: list[str] = []

    def delete(path: str) -> str:
        """Delete a folder."""
        deleted.append(path)
        return "gone"

    tail = {"length": wire.ending("length"), "end": [], "error": [FAILURE]}[how]
    emulator.play(
        streamed(*delta_stream('{"path": "/home'), *tail, done=how == "length"),
        hello("stream"),
    )
    agent: Any = create_agent(build(emulator, streaming=streaming), [delete])
    question = {"messages": [("user", "Tidy up")]}
    with contextlib.suppress(OpenRouterError):
        if streaming:
            agent.invoke(question)
        else:
            list(agent.stream(question, stream_mode="messages"))
    assert deleted == []
    assert emulator.requests


def test_p01_no_length_of_a_cut_call_sums_up_to_an_executable_one(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    for cut in range(1, len(ARGUMENTS)):
        emulator.play(streamed(*delta_stream(ARGUMENTS[:cut]), *wire.ending("length")))
        total = sum_up(model.stream("Tidy up"))
        assert total.tool_calls == [], cut
        assert total.additional_kwargs["tool_call_arguments"] == {"call_1": ARGUMENTS[:cut]}


@streamed_modes
@pytest.mark.parametrize("code", [502, "server_error"])
@pytest.mark.parametrize("beside", ["a choice", "nothing", "no choices"])
def test_p02_a_failure_of_the_provider_in_mid_stream_raises(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, code: int | str, beside: str
) -> None:
    error = copy.deepcopy(FAILURE)
    error["error"]["code"] = code
    if beside == "nothing":
        error = {"error": error["error"]}
    elif beside == "no choices":
        error["choices"] = []
    emulator.play(streamed(wire.chunk("partial"), error))
    with pytest.raises(OpenRouterAPIError, match="Upstream gave up") as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "partial"
    facts = (caught.value.code, caught.value.error_type, caught.value.provider_name)
    assert facts == (code, "provider_unavailable", "Azure")
    assert caught.value.generation_id == wire.GENERATION


@every_mode
@pytest.mark.parametrize("place", ["top", "choice", "finish"])
def test_p08_an_error_beside_an_answer_is_not_overlooked(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, place: str
) -> None:
    body = wire.body("Half")
    if place == "top":
        body |= wire.error(429)
    elif place == "choice":
        body["choices"][0] |= wire.error(429)
    else:
        body["choices"][0]["finish_reason"] = "error"
    emulator.play(whole(body))
    failed_itself = place == "finish"
    kind: type[OpenRouterError] = OpenRouterAPIError if failed_itself else OpenRouterRateLimitError
    with pytest.raises(kind) as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Half"


@streamed_modes
def test_p09_a_stream_that_just_ends_raises_with_what_had_come(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(streamed(wire.chunk("Half an"), wire.chunk(" answer"), done=False))
    with pytest.raises(OpenRouterStreamCutError) as caught:
        MODES[mode](model)
    assert isinstance(caught.value, OpenRouterConnectionError)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Half an answer"
    emulator.play(streamed(wire.chunk("Whole"), *wire.ending(), done=False))
    assert MODES[mode](model).text == "Whole"


def mutations(chunk: wire.Json) -> Iterator[wire.Json]:
    """Yield the chunk with each of its fields, at any depth, once missing and once null."""

    def places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield (*path, key)
            if isinstance(item, dict | list):
                yield from places(item, (*path, key))

    for *path, key in places(chunk, ()):
        for missing in (True, False):
            mutated = copy.deepcopy(chunk)
            target: Any = mutated
            for step in path:
                target = target[step]
            if missing:
                del target[key]
            else:
                target[key] = None
            yield mutated


def test_p26_a_field_that_is_missing_or_null_costs_no_text(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    finish, last = wire.ending()
    head, text = wire.chunk(), wire.chunk("Hello")
    for mutated in mutations(head):
        emulator.play(streamed(mutated, text, finish, last))
        assert sum_up(model.stream("Hi")).text == "Hello"
    for mutated in mutations(last):
        emulator.play(streamed(text, finish, mutated))
        assert sum_up(model.stream("Hi")).text == "Hello"


@every_mode
@pytest.mark.parametrize("native", ["network_error", None])
def test_p31_an_empty_success_is_an_error_that_may_be_retried(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, native: str | None
) -> None:
    body = wire.body(None, counts=wire.usage(20, 0, reasoning=0))
    body["choices"][0]["native_finish_reason"] = native
    emulator.play(whole(body))
    with pytest.raises(OpenRouterEmptyResponseError, match=str(native)) as caught:
        MODES[mode](model)
    assert caught.value.is_retryable
    emulator.play(whole(wire.body("")))  # billed: the model's own silence
    assert MODES[mode](model).response_metadata["native_finish_reason"] == "completed"


@every_mode
@pytest.mark.parametrize(
    "error",
    [
        wire.error(400, "Provider returned error", error_type="context_length_exceeded"),
        wire.error(400, "This endpoint's maximum context length is 200000 tokens."),
    ],
)
def test_p33_a_full_context_is_recognised(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, error: wire.Json
) -> None:
    emulator.play(failed(400, error), whole(error))
    for _ in range(2):  # as a status and inside a success
        with pytest.raises(OpenRouterContextOverflowError):
            MODES[mode](model)


@streamed_modes
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (wire.to_json(wire.error(502, "Down")), OpenRouterAPIError),
        (b"<html>Please log in</html>", OpenRouterMalformedResponseError),
    ],
)
def test_p58_a_stream_answered_with_something_else_is_understood(
    emulator: Emulator,
    model: ChatOpenRouterO3,
    mode: str,
    body: bytes,
    kind: type[OpenRouterError],
) -> None:
    headers = {"content-type": "text/html"} if body.startswith(b"<") else JSON
    emulator.play(Canned(headers=headers, pieces=body), whole(wire.body("Hello")))
    with pytest.raises(kind, match=r"Down|Please log in"):
        MODES[mode](model)
    assert MODES[mode](model).text == "Hello"


@streamed_modes
def test_p59_a_broken_event_is_a_typed_error_and_odd_framing_is_none(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(streamed(wire.chunk("Half"), '{"id": "gen', done=False))
    with pytest.raises(OpenRouterMalformedResponseError, match="gen") as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Half"
    plain = wire.sse(wire.chunk("Grüße 🐑"), *wire.ending())
    odd = b"\xef\xbb\xbf" + plain.replace(b"data:", b"event: message\ndata:")
    odd = odd.replace(b',"object"', b'\ndata: ,"object"').replace(b"\n", b"\r\n")
    emulator.play(Canned(headers=STREAM, pieces=[bytes([byte]) for byte in odd]))
    assert MODES[mode](model).text == "Grüße 🐑"


@streamed_modes
def test_p60_comments_in_a_stream_are_skipped(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    busy = [wire.PROCESSING] * 3
    emulator.play(streamed(*busy, wire.chunk("Hel"), *busy, wire.chunk("lo"), *wire.ending()))
    assert MODES[mode](model).text == "Hello"
