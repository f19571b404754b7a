"""A model that refuses says so in langchain-core's standard: as a block, and as an error."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent, middleware
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelRefusalError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tracers._streaming import _V2StreamingCallbackHandler
from pydantic import BaseModel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterModerationError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

BLOCK = {"type": "refusal", "refusal": "I can not help."}
STREAM = wire.sse(*(wire.chunk(refusal=piece) for piece in ("I can", " not help.")), *wire.ending())
BODY = wire.to_json(wire.body(None, refusal="I can not help."))


class Person(BaseModel):
    """A person."""

    name: str


def streamed(body: bytes = STREAM) -> Canned:
    return Canned(headers={"content-type": "text/event-stream"}, pieces=body)


def whole(body: bytes = BODY) -> Canned:
    return Canned(pieces=body)


def without_index(blocks: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key != "index"} for block in blocks]


@every_mode
@pytest.mark.parametrize("answer", [streamed(), whole()], ids=["events", "body"])
@pytest.mark.parametrize("version", [None, "v1"])
def test_a_refusal_is_one_standard_block(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, answer: Canned, version: str | None
) -> None:
    emulator.play(answer)
    message = MODES[mode](model.model_copy(update={"output_version": version}))
    assert without_index(message.content_blocks) == [BLOCK]
    assert message.additional_kwargs["refusal"] == BLOCK["refusal"]
    assert message.text == ""
    if version == "v1":
        assert without_index(message.content) == [BLOCK]


def test_a_refusal_stands_behind_text_and_calls(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    said: dict[str, Any] = {
        "refusal": "No.",
        "reasoning": "Hm.",
        "tool_calls": [wire.tool_call("f", "{}")],
    }
    emulator.play(whole(wire.to_json(wire.body("Well.", **said))))
    kinds = [block["type"] for block in model.invoke("Hello").content_blocks]
    assert sorted(kinds) == ["reasoning", "refusal", "text", "tool_call"]
    assert kinds[:2] == ["reasoning", "text"]


@pytest.mark.filterwarnings("ignore:.*_chat_model_stream_v3. is in beta")
def test_protocol_events_carry_the_whole_refusal(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(streamed())
    stream = model.stream_events("Hello", version="v3")
    events: list[Any] = list(stream)
    finished = [event["content"] for event in events if event["event"] == "content-block-finish"]
    assert without_index(finished) == [BLOCK]
    # Core's own assembly of the message knows no refusal blocks yet.
    assert stream.output.additional_kwargs["refusal"] == BLOCK["refusal"]


class Protocol(_V2StreamingCallbackHandler, BaseCallbackHandler):
    """Makes `invoke` stream protocol events, as LangGraph does for an agent that is streamed."""


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
@pytest.mark.parametrize("before", ["", "Well. "])
def test_a_call_that_streams_protocol_events_gives_the_block(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, before: str
) -> None:
    body = wire.sse(wire.chunk(before), wire.chunk(refusal=BLOCK["refusal"]), *wire.ending())
    emulator.play(streamed(body))
    chosen = model.model_copy(update={"callbacks": [Protocol()], "cache": InMemoryCache()})
    text = [{"type": "text", "text": before}] if before else []
    for _ in range(2):
        assert without_index(MODES[mode](chosen).content_blocks) == [*text, BLOCK]
    assert len(emulator.requests) == 1


@every_mode
@pytest.mark.parametrize("version", [None, "v1"])
def test_a_refusal_goes_back_as_one(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, version: str | None
) -> None:
    emulator.play(streamed())
    refused = MODES[mode](model.model_copy(update={"output_version": version}))
    model.invoke([HumanMessage("Hello"), refused, HumanMessage("Why?")])
    body = emulator.requests[-1].body
    assert body is not None
    assert body["messages"][1] == {"role": "assistant", "refusal": BLOCK["refusal"]}


def test_no_refusal_block_of_several_is_lost(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    blocks: Any = [{"type": "refusal", "refusal": "No. "}, {"type": "refusal", "refusal": "Never."}]
    model.invoke([HumanMessage("Hello"), AIMessage(blocks), HumanMessage("Why?")])
    body = emulator.requests[-1].body
    assert body is not None
    assert body["messages"][1]["refusal"] == "No. Never."


# --- The error ---


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("answer", [streamed(), whole()], ids=["events", "body"])
def test_a_refused_object_is_cores_error_with_the_message(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, answer: Canned
) -> None:
    reader = model.with_structured_output(Person, method=method)
    emulator.play(answer)
    with pytest.raises(ModelRefusalError, match=r"I can not help\.$") as caught:
        reader.invoke("Ada, as JSON")
    assert isinstance(caught.value, OpenRouterOutputError)
    assert not caught.value.is_retryable
    assert caught.value.raw_message is not None
    assert caught.value.raw_message.content_blocks == [BLOCK]


def test_a_refused_object_is_a_parsing_error_beside_the_raw_message(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(whole())
    outcome = model.with_structured_output(Person, include_raw=True).invoke("Ada")
    assert outcome["parsed"] is None
    assert isinstance(outcome["parsing_error"], ModelRefusalError)
    assert outcome["parsing_error"].raw_message is outcome["raw"]


def test_the_error_is_built_as_core_builds_it() -> None:
    message = AIMessage("", additional_kwargs={"refusal": "No."})
    block: Any = {"type": "refusal", "refusal": "No."}
    error = OpenRouterRefusalError.from_refusal(block, raw_message=message)
    assert isinstance(error, OpenRouterRefusalError)
    assert error.partial is error.raw_message is message
    assert str(error) == "Model refused to produce the requested output: No."
    assert OpenRouterRefusalError().raw_message is None


def failed(error_type: str, where: str) -> Canned:
    """A refusal by a guard, as a status, in a 200 body, in a choice, and in a stream."""
    error = wire.error(403, "The request was declined.", error_type=error_type)
    if where == "status":
        return Canned(status=403, pieces=wire.to_json(error))
    if where == "body":
        return whole(wire.to_json(error))
    if where == "choice":
        body = wire.body("")
        body["choices"][0].update(error)
        return whole(wire.to_json(body))
    return streamed(wire.sse({**wire.chunk(), **error}, done=False))


@every_mode
@pytest.mark.parametrize("where", ["status", "body", "choice", "stream"])
def test_a_refusal_that_is_reported_as_an_error_is_a_refusal(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, where: str
) -> None:
    emulator.play(failed("refusal", where))
    with pytest.raises(OpenRouterRefusalError, match=r"was declined.*fallback") as caught:
        MODES[mode](model)
    assert isinstance(caught.value, ModelRefusalError)
    assert caught.value.error_type == "refusal"
    assert not caught.value.is_retryable
    assert len(emulator.requests) == 1


def test_a_violation_of_a_policy_is_still_moderation(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(failed("content_policy_violation", "status"))
    with pytest.raises(OpenRouterModerationError):
        model.invoke("Hello")


def test_what_came_before_a_reported_refusal_is_in_the_error(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    error = wire.error(403, "Declined.", error_type="refusal")
    emulator.play(streamed(wire.sse(wire.chunk("So far"), {**wire.chunk(), **error})))
    with pytest.raises(OpenRouterRefusalError) as caught:
        list(model.stream("Hello"))
    assert caught.value.raw_message is not None
    assert caught.value.raw_message.text == "So far"


# --- Those who act on it ---


@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
def test_fallbacks_answer_for_a_model_that_refuses(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    emulator.play(whole(), whole(wire.to_json(wire.body('{"name":"Ada"}'))))
    other = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini")
    chain: Any = model.with_fallbacks([other])
    found: Any = MODES[mode](chain.with_structured_output(Person))
    assert found == Person(name="Ada")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
@pytest.mark.skipif(
    not hasattr(middleware, "ModelRefusalMiddleware"), reason="needs langchain 1.5 or newer"
)
@pytest.mark.parametrize("response_format", [None, Person])
def test_the_refusal_middleware_sees_a_refusal_and_the_fallback_answers(
    emulator: Emulator, model: ChatOpenRouterO3, response_format: Any
) -> None:
    other = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini")
    guard: Any = getattr(middleware, "ModelRefusalMiddleware")()  # noqa: B009 - not in every release
    fallback = middleware.ModelFallbackMiddleware(other)
    question: Any = {"messages": [("user", "Hello")]}
    emulator.play(whole())
    agent: Any = create_agent(model, [], middleware=[guard], response_format=response_format)
    with pytest.raises(ModelRefusalError, match="I can not help"):
        agent.invoke(question)
    emulator.play(whole(), whole(wire.to_json(wire.body('{"name":"Ada"}'))))
    agent = create_agent(model, [], middleware=[fallback, guard], response_format=response_format)
    assert agent.invoke(question)["messages"][-1].text == '{"name":"Ada"}'


def test_the_emulators_own_refusal_is_a_block(model: ChatOpenRouterO3) -> None:
    bound = model.bind(response_format=Person)
    total: Any = None
    for chunk in bound.stream("please refuse"):
        total = chunk if total is None else total + chunk
    assert [block["type"] for block in total.content_blocks] == ["reasoning", "refusal"]
