"""The request body is the one that `ChatOpenAI` sends, wherever both mean the same.

The oracle is an independent implementation; both talk to the same server over real sockets.
Left out of the comparison, because they differ on purpose (user-facing reasons in
docs/decisions.md): `content: null` beside tool calls (we send no null), bare strings inside a
content list (theirs are not valid parts), and the names of the token limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire

MODEL = "openai/gpt-4.1-mini"  # a model to which neither client withholds anything
ANSWER = Canned(pieces=wire.to_json(wire.body("ok")))

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)
parts = st.lists(st.builds(lambda text: {"type": "text", "text": text}, words), min_size=1)
content: Any = words | parts
scalars = st.none() | st.booleans() | st.integers(-9, 9) | words
arguments = st.dictionaries(names, scalars | st.lists(scalars, max_size=3), max_size=3)


@st.composite
def tool_turn(draw: st.DrawFn) -> list[BaseMessage]:
    count = draw(st.integers(1, 3))
    identities = [f"call_{draw(st.integers(0, 10**6))}_{position}" for position in range(count)]
    calls = [
        {"name": draw(names), "args": draw(arguments), "id": identity, "type": "tool_call"}
        for identity in identities
    ]
    results = [ToolMessage(draw(content), tool_call_id=identity) for identity in identities]
    text = draw(st.just("") | words)
    return [AIMessage(text, tool_calls=calls), *draw(st.permutations(results))]


@st.composite
def conversations(draw: st.DrawFn) -> list[BaseMessage]:
    messages: list[BaseMessage] = []
    if draw(st.booleans()):
        kwargs = draw(st.sampled_from([{}, {"__openai_role__": "developer"}]))
        messages.append(SystemMessage(draw(content), additional_kwargs=kwargs))
    for _ in range(draw(st.integers(1, 3))):
        messages.append(HumanMessage(draw(content), name=draw(st.none() | names)))
        messages += draw(tool_turn() | st.builds(lambda text: [AIMessage(text)], content))
    messages.append(HumanMessage(draw(content)))
    return messages


class Clients:
    def __init__(self, emulator: Emulator) -> None:
        from langchain_openai import ChatOpenAI

        self.emulator = emulator
        self.answer = ANSWER
        url = emulator.base_url
        self.ours = ChatOpenRouterO3(base_url=url, api_key=KEY, model=MODEL)
        self.oracle = ChatOpenAI(base_url=url, api_key=KEY, model=MODEL, max_retries=0)  # type: ignore[arg-type]

    def bodies(self, messages: Any, bind: Any = None, **call: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for model in (self.ours, self.oracle):
            self.emulator.play(self.answer)
            bound = bind(model) if bind else model
            bound.invoke(messages, **call)
            body = self.emulator.requests[-1].body
            assert body is not None
            found.append(comparable(body))
        return found


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    for message in body["messages"]:
        if message.get("content", "") is None:
            del message["content"]
        for call in message.get("tool_calls", ()):  # we write them compactly, as OpenAI's models do
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return {key: value for key, value in body.items() if (key, value) != ("stream", False)}


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    with Emulator() as emulator:
        pair = Clients(emulator)
        yield pair
        pair.ours.close()
        pair.oracle.root_client.close()


@given(messages=conversations())
def test_conversations_are_written_the_same(clients: Clients, messages: list[BaseMessage]) -> None:
    ours, theirs = clients.bodies(messages)
    assert ours == theirs


class Inner(BaseModel):
    """An inner object."""

    unit: str = Field(description="Unit")


class Measure(BaseModel):
    """Measure something."""

    value: float
    inner: Inner
    tags: list[str] = []
    note: str | None = None


def add(first: int, second: int = 2) -> int:
    """Add two numbers.

    Args:
        first: One number.
        second: Another.
    """
    return first + second


SCHEMA_TOOL = {
    "title": "lookup",
    "description": "Look a word up.",
    "type": "object",
    "properties": {"word": {"type": "string", "enum": ["a", "b"]}},
    "required": ["word"],
}
OPENAI_TOOL = {
    "type": "function",
    "function": {
        "name": "ping",
        "description": "Ping.",
        "parameters": {"type": "object", "properties": {}},
    },
}
tool_lists = st.lists(
    st.sampled_from([Measure, add, SCHEMA_TOOL, OPENAI_TOOL]), min_size=1, max_size=4, unique_by=id
)
choices = st.sampled_from([None, "any", "required", "auto", "none", True])


@given(tools=tool_lists, choice=choices, seed=st.none() | st.integers(0, 99))
def test_tools_and_their_choice_are_written_the_same(
    clients: Clients, tools: list[Any], choice: Any, seed: int | None
) -> None:
    call = {} if seed is None else {"seed": seed, "temperature": 0.5, "user": "u"}
    ours, theirs = clients.bodies(
        "Hello", lambda model: model.bind_tools(tools, tool_choice=choice), **call
    )
    assert ours == theirs


@pytest.mark.parametrize("tool", [Measure, add, SCHEMA_TOOL, OPENAI_TOOL])
def test_a_named_tool_choice_is_written_the_same(clients: Clients, tool: Any) -> None:
    from langchain_core.utils.function_calling import convert_to_openai_tool

    name = convert_to_openai_tool(tool)["function"]["name"]
    ours, theirs = clients.bodies(
        "Hi",
        lambda m: (
            m.bind_tools([tool, add], tool_choice=name)
            if tool is not add
            else m.bind_tools([add], tool_choice=name)
        ),
    )
    assert ours == theirs


class Report(BaseModel):
    """A report."""

    title: str
    inner: Inner
    marks: list[int]


def test_a_strict_schema_is_written_the_same_when_nothing_is_optional(clients: Clients) -> None:
    clients.answer = Canned(
        pieces=wire.to_json(wire.body('{"title":"t","inner":{"unit":"m"},"marks":[1]}'))
    )
    ours, theirs = clients.bodies("Hello", lambda model: model.with_structured_output(Report))
    for body in (ours, theirs):
        schema = body["response_format"]["json_schema"]
        assert schema["strict"] is True
        schema.pop("description", None)  # theirs stays inside the schema only
    assert ours["response_format"] == theirs["response_format"]
