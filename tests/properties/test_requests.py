"""Requests over generated histories and arguments."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import chain, count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3._wire.request import encode_body
from langchain_openrouter_o3.emulator import Emulator
from langchain_openrouter_o3.errors import OpenRouterInputError
from tests.conftest import KEY
from tests.helpers.answers import ARGUMENTS, TEXTS, GeneratedAnswer, generated_answers
from tests.helpers.scripted import add_up, read_chunks, read_message
from tests.helpers.wire import to_json

JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("abß", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text("abcxyz", min_size=1, max_size=3), JSON, max_size=4)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "debug": OBJECTS,
    "extra_body": OBJECTS.map(lambda body: {f"new_{key}": value for key, value in body.items()}),
    "max_tokens": st.integers(16, 99),
    "plugins": st.lists(OBJECTS.map(lambda plugin: {"id": "p", **plugin}), min_size=1, max_size=2),
    "provider": st.just({"order": ["OpenAI"], "max_price": {"prompt": 1, "request": 2}}),
    "reasoning": st.just({"summary": "auto", "effort": "low"}),
    "request_metadata": st.dictionaries(st.text("abc", max_size=3), st.just("x"), max_size=4),
    "seed": st.integers(0, 9),
    "session_id": st.just("s"),
    "trace": OBJECTS,
    "user": st.just("u"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@st.composite
def shuffled(draw: st.DrawFn, value: Any) -> Any:
    """The same JSON with the keys of all objects in some order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: draw(shuffled(value[key])) for key in keys}
    return [draw(shuffled(item)) for item in value] if isinstance(value, list) else value


@st.composite
def said_twice(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """One set of arguments, twice spread over the model, a binding and a call."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
    said = {name: draw(VALUES[name]) for name in names}
    spread = []
    for _ in range(2):
        places: list[dict[str, Any]] = [{}, {}, {}]
        for name in draw(st.permutations(names)):
            places[draw(st.integers(0, 2))][name] = draw(shuffled(said[name]))
        spread.append(places)
    return spread


@settings(suppress_health_check=[*HealthCheck])
@given(spread=said_twice())
def test_equal_calls_are_equal_bytes(server: Emulator, spread: list[list[dict[str, Any]]]) -> None:
    server.reset()
    for model, bound, call in spread:
        asked = ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, **model).bind(**bound)
        asked.invoke("Hello", **call)
    first, second = (request.raw for request in server.requests)
    assert first == second
    values = {name: value for place in spread[0] for name, value in place.items()}
    body = json.loads(first)
    for key, value in values.get("extra_body", {}).items():
        assert body[key] == value


TEXT_BLOCKS = st.one_of(
    TEXTS,
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "text-plain", "text": text, "mime_type": "text/plain"}, TEXTS),
)
ODD_BLOCKS = st.one_of(
    st.builds(lambda kind: {"type": kind}, st.sampled_from(["non_standard", "video", "x", ""])),
    st.builds(lambda text: {"type": "text", "text": text}, st.none() | st.integers()),
    st.builds(lambda url: {"type": "image_url", "image_url": {"url": url}}, TEXTS),
    st.builds(lambda data: {"type": "image", "base64": data, "mime_type": "image/png"}, TEXTS),
    st.builds(lambda data: {"type": "file", "base64": data}, TEXTS),
    st.builds(lambda url: {"type": "file", "url": url, "filename": "a.pdf"}, TEXTS),
    st.builds(lambda data: {"type": "audio", "base64": data}, TEXTS),
)
CONTENTS = st.one_of(TEXTS, st.lists(TEXT_BLOCKS, max_size=3))
NAMES = st.none() | st.sampled_from(["alice", "Bob_2"])
IDS = st.one_of(
    st.builds("call_{}".format, st.integers(0, 99)), st.just("x" * 80), st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
)  # fmt: skip


@st.composite
def turns(draw: st.DrawFn, contents: st.SearchStrategy[Any]) -> list[BaseMessage]:
    kind = draw(st.sampled_from(["human", "system", "chat", "ai", "tools", "tools"]))
    content, name = draw(contents), draw(NAMES)
    if kind == "human":
        return [HumanMessage(content, name=name)]
    if kind == "system":
        return [SystemMessage(content, name=name)]
    if kind == "chat":
        return [ChatMessage(content=content, role="developer", name=name)]
    if kind == "ai":
        return [AIMessage(content, name=name)]
    identities = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    calls = [{"name": "f", "args": draw(ARGUMENTS), "id": identity} for identity in identities]
    results = [ToolMessage(draw(contents), tool_call_id=str(i or "")) for i in identities]
    return [AIMessage(content, tool_calls=calls, name=name), *draw(st.permutations(results))]


def conversations(contents: st.SearchStrategy[Any]) -> st.SearchStrategy[list[BaseMessage]]:
    return st.lists(turns(contents), min_size=1, max_size=4).map(lambda made: list(chain(*made)))


def texts_of(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [block if isinstance(block, str) else block["text"] for block in content]


@given(messages=conversations(CONTENTS))
def test_every_text_name_call_and_argument_is_on_the_wire(messages: list[BaseMessage]) -> None:
    wire = messages_to_wire(messages)
    assert len(wire) == len(messages)
    for message, sent in zip(messages, wire, strict=True):
        assert texts_of(sent.get("content", "")) == texts_of(message.content) or (
            not message.content and (sent.get("tool_calls") or sent["content"] == "")
        )
        assert sent.get("name") == message.name
        if isinstance(message, AIMessage):
            functions = [call["function"] for call in sent.get("tool_calls", [])]
            expected = [(call["name"], call["args"]) for call in message.tool_calls]
            assert [(f["name"], json.loads(f["arguments"])) for f in functions] == expected


@given(messages=conversations(CONTENTS))
def test_every_result_has_the_id_of_its_own_call_and_all_ids_are_acceptable(
    messages: list[BaseMessage],
) -> None:
    wire = messages_to_wire(messages)
    known: dict[str, str] = {}
    for message, sent in zip(messages, wire, strict=True):
        if isinstance(message, AIMessage):
            ids = [call["id"] for call in sent.get("tool_calls", [])]
            assert all(0 < len(identity) <= 64 for identity in ids)
            assert len(set(ids)) == len(ids)
            originals = [str(call["id"] or "") for call in message.tool_calls]
            known = dict(zip(originals, ids, strict=True))
        elif isinstance(message, ToolMessage):
            assert sent["tool_call_id"] == known[message.tool_call_id]


@given(messages=conversations(st.one_of(TEXTS, st.lists(TEXT_BLOCKS | ODD_BLOCKS, max_size=3))))
def test_odd_content_is_sent_or_refused_and_never_changed(messages: list[BaseMessage]) -> None:
    before = copy.deepcopy(messages)
    for image_inputs in (True, False):
        sent = attempt(messages, image_inputs=image_inputs)
        assert sent is None or json.loads(encode_body({"messages": sent}))["messages"] == sent
    assert messages == before


def attempt(messages: list[BaseMessage], *, image_inputs: bool) -> list[dict[str, Any]] | None:
    try:
        return messages_to_wire(messages, image_inputs=image_inputs)
    except OpenRouterInputError as error:
        assert "messages[" in str(error)  # noqa: PT017 - both outcomes are right
        return None


def results_for(message: AIMessage) -> Iterator[ToolMessage]:
    for call in (*message.tool_calls, *message.invalid_tool_calls):
        yield ToolMessage("done", tool_call_id=str(call["id"]))


@given(answer=generated_answers(), mode=st.sampled_from(["body", "stream", "chunks"]))
def test_an_answer_goes_back_as_it_came(answer: GeneratedAnswer, mode: str) -> None:
    said = answer.body["choices"][0]["message"]
    if mode == "body":
        message = read_message(to_json(answer.body))
    elif mode == "stream":
        message = read_message(answer.stream())
    else:
        message = message_chunk_to_message(add_up(read_chunks(answer.stream())))  # type: ignore[assignment]
    before = message.model_copy(deep=True)
    sent = messages_to_wire([HumanMessage("hi"), message, *results_for(message)])[1]
    assert sent.get("reasoning_details") == said.get("reasoning_details")
    assert (sent.get("content") or None) == said["content"]
    assert sent.get("refusal") == said["refusal"]
    arguments = [call["function"]["arguments"] for call in said.get("tool_calls", [])]
    returned = [call["function"]["arguments"] for call in sent.get("tool_calls", [])]
    # An empty string is not JSON; "{}" means the same and every provider accepts it.
    assert returned == [text or "{}" for text in arguments]
    assert message == before


@given(
    calls=st.lists(st.tuples(IDS, ARGUMENTS), min_size=1, max_size=3, unique_by=lambda c: c[0]),
    rest=st.sampled_from([[], [HumanMessage("next")], [AIMessage("next")]]),
)
def test_a_call_without_its_result_is_refused(
    calls: list[tuple[str | None, Any]], rest: list[BaseMessage]
) -> None:
    numbers = count()
    made = [{"name": f"f{next(numbers)}", "args": args, "id": i} for i, args in calls]
    with pytest.raises(OpenRouterInputError, match=r"messages\[1\]"):
        messages_to_wire([HumanMessage("hi"), AIMessage("", tool_calls=made), *rest])
