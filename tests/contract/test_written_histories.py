"""A conversation that is written down and read again is sent as if it had never been away."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    merge_message_runs,
    message_chunk_to_message,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.prompts import ChatPromptTemplate
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import TypeAdapter

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers import wire
from tests.helpers.agents import FORMS, WARNING, Turn, call, play, say
from tests.helpers.modes import every_mode

pytestmark = [pytest.mark.filterwarnings("ignore:.*`load"), pytest.mark.filterwarnings(WARNING)]
KINDS: list[Any] = [AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage]
Messages = list[BaseMessage]


def by_dictionaries(messages: Messages) -> Messages:
    return list(messages_from_dict(json.loads(json.dumps(messages_to_dict(messages)))))


def by_dump(messages: Messages) -> Messages:
    return [load(json.loads(json.dumps(dumpd(each))), allowed_objects=KINDS) for each in messages]


def by_dumps(messages: Messages) -> Messages:
    return list(loads(dumps(messages), allowed_objects=KINDS))


def by_prompt_value(messages: Messages) -> Messages:
    value = ChatPromptValue(messages=messages)
    return loads(dumps(value), allowed_objects=[*KINDS, ChatPromptValue]).to_messages()  # type: ignore[no-any-return]


def by_checkpoint(messages: Messages) -> Messages:
    serializer = JsonPlusSerializer()
    return list(serializer.loads_typed(serializer.dumps_typed(messages)))


def by_pickle(messages: Messages) -> Messages:
    return list(pickle.loads(pickle.dumps(messages)))


def by_pydantic(messages: Messages) -> Messages:
    adapter: Any = TypeAdapter(list[AnyMessage])
    return list(adapter.validate_json(adapter.dump_json(messages)))


def by_javascript(messages: Messages) -> Messages:
    """Write as JavaScript does, which has one kind of number: 0.0 becomes 0."""
    written = as_javascript(json.loads(json.dumps(messages_to_dict(messages))))
    return list(messages_from_dict(json.loads(json.dumps(written, ensure_ascii=False))))


def as_javascript(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_javascript(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_javascript(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def by_database(messages: Messages) -> Messages:
    """Write as PostgreSQL's JSONB does: keys are sorted, the short ones first."""
    written = as_database(json.loads(json.dumps(messages_to_dict(messages))))
    return list(messages_from_dict(written))


def as_database(value: Any) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (len(name.encode()), name.encode()))
        return {name: as_database(value[name]) for name in names}
    return [as_database(each) for each in value] if isinstance(value, list) else value


JOURNEYS: list[Callable[[Messages], Messages]] = [
    by_dictionaries,
    by_dump,
    by_dumps,
    by_prompt_value,
    by_checkpoint,
    by_pickle,
    by_pydantic,
    by_javascript,
    by_database,
]
every_journey = pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.__name__)


async def added(model: Any, messages: Messages) -> AIMessage:
    total: Any = None
    async for chunk in model.astream(messages):
        total = chunk if total is None else total + chunk
    return message_chunk_to_message(total)  # type: ignore[return-value]


def streamed(model: Any, messages: Messages) -> Any:
    total: Any = None
    for chunk in model.stream(messages):
        total = chunk if total is None else total + chunk
    return message_chunk_to_message(total)


MODES: dict[str, Callable[[Any, Messages], Any]] = {
    "invoke": lambda model, messages: model.invoke(messages),
    "ainvoke": lambda model, messages: asyncio.run(model.ainvoke(messages)),
    "stream": streamed,
    "astream": lambda model, messages: asyncio.run(added(model, messages)),
}
every_version = pytest.mark.parametrize("version", [None, "v1"])


def thought(name: str) -> dict[str, Any]:
    cited = {"url": "https://x.example", "title": "x", "start_index": 0, "end_index": 1}
    return {
        "reasoning_details": [
            wire.summary(f"Thought {name}.", 0),
            wire.encrypted(f"gAAA{name}", f"rs_{name}", 1),
        ],
        "annotations": [{"type": "url_citation", "url_citation": cited}],
    }


CUSTOM = {
    "index": 2,
    "id": "call_custom",
    "type": "custom",
    "custom": {"name": "run", "input": 'print("Grüße")\n\\d+'},
}
# Numbers that JavaScript writes otherwise, spaces that no writer of ours makes, no arguments.
ODD = wire.tool_call("pay", '{ "é": "🐑", "amount": 1.0, "x": [{"b": -0.0, "a": 1e3}] }', "call_z1")
BARE = wire.tool_call("look", "", "call_a", 1)


def conversation(emulator: Emulator, model: Any, mode: str) -> Messages:
    """Have one, with thoughts, calls of functions and a custom call, and results."""
    asked: Messages = [SystemMessage("Be brief."), HumanMessage("Pay, look and run.")]
    calls = Turn(None, (ODD, BARE), thought("a"))
    play(emulator, calls, say("Now I run it.", **thought("b")))
    first = MODES[mode](model, asked)
    results = [
        ToolMessage("paid", tool_call_id="call_z1", name="pay", artifact={"kept": "here"}),
        ToolMessage([{"type": "text", "text": "seen"}], tool_call_id="call_a", status="error"),
    ]
    asked = [*asked, first, *results]
    return [*asked, MODES[mode](model, asked), HumanMessage("Go on.", name="ann")]


def with_custom_call(emulator: Emulator, model: Any) -> Messages:
    """A custom call comes in one delta, so it is scripted as a whole body."""
    play(emulator, Turn(None, (CUSTOM,), thought("c")))
    answer = model.invoke("Run it.")
    return [HumanMessage("Run it."), answer, ToolMessage("done", tool_call_id="call_custom")]


def raw_request(emulator: Emulator, model: Any, messages: Messages) -> bytes:
    play(emulator, say("Ended."))
    model.invoke(messages)
    return emulator.requests[-1].raw


def check_sent(found: bytes, expected: bytes, journey: Any) -> None:
    """Nothing but the order of keys may differ, and that only if it was lost on the way."""
    assert json.loads(found) == json.loads(expected)
    assert found == expected or journey is by_database


@every_journey
@every_mode
@every_version
def test_a_written_conversation_is_sent_to_the_byte(
    emulator: Emulator, model: ChatOpenRouterO3, journey: Any, mode: str, version: Any
) -> None:
    model = model.model_copy(update={"output_version": version})
    messages = conversation(emulator, model, mode)
    sent = raw_request(emulator, model, messages)
    assert b'"index":0' in sent
    assert json.dumps(ODD["function"]["arguments"], ensure_ascii=False).encode() in sent
    check_sent(raw_request(emulator, model, journey(messages)), sent, journey)
    check_sent(raw_request(emulator, model, journey(journey(messages))), sent, journey)


@every_journey
@every_version
def test_a_written_custom_call_is_sent_to_the_byte(
    emulator: Emulator, model: ChatOpenRouterO3, journey: Any, version: Any
) -> None:
    model = model.model_copy(update={"output_version": version})
    messages = with_custom_call(emulator, model)
    sent = raw_request(emulator, model, messages)
    assert b'"type":"custom"' in sent
    check_sent(raw_request(emulator, model, journey(messages)), sent, journey)


@every_journey
def test_a_written_conversation_continues_in_a_structured_chain(
    emulator: Emulator, model: ChatOpenRouterO3, journey: Any
) -> None:
    for form in FORMS.values():
        messages = journey(conversation(emulator, model, "invoke"))
        play(emulator, say(form[1]))
        assert model.with_structured_output(form[0]).invoke(messages) == form[2]


@every_journey
def test_what_is_written_tells_the_same(
    emulator: Emulator, model: ChatOpenRouterO3, journey: Any
) -> None:
    """To Python, 0.0 and 0 are equal, so even JavaScript's writing compares equal."""
    messages = conversation(emulator, model, "invoke")
    again = journey(messages)
    for before, after in zip(messages, again, strict=True):
        assert after.model_dump(exclude={"artifact"}) == before.model_dump(exclude={"artifact"})
        if isinstance(before, AIMessage):
            assert after.content_blocks == before.content_blocks


def test_javascripts_writing_can_be_sent_but_not_merged_with_ours(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """The known limit: its indices are integers, which langchain-core takes for its own."""
    play(emulator, say("One.", **thought("a")), say("Two.", **thought("b")))
    answers = [model.invoke("Hello"), model.invoke("Hello")]
    foreign = by_javascript([answers[1]])
    with pytest.raises(TypeError):
        merge_message_runs([answers[0], *foreign])
    merged = merge_message_runs(answers)[0]
    sent = json.loads(raw_request(emulator, model, [HumanMessage("Hi"), merged]))
    both = [*thought("a")["reasoning_details"], *thought("b")["reasoning_details"]]
    assert sent["messages"][1]["reasoning_details"] == both


@every_mode
def test_a_prompt_with_a_written_history_is_sent_to_the_byte(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    """Through a template's placeholder, which takes dictionaries of messages, too."""
    messages = conversation(emulator, model, mode)
    sent = raw_request(emulator, model, messages)
    prompt = ChatPromptTemplate.from_messages([("placeholder", "{history}")])
    play(emulator, say("Ended."))
    (prompt | model).invoke({"history": by_dictionaries(messages)})
    assert emulator.requests[-1].raw == sent


def test_a_message_that_is_to_be_removed_is_refused(model: ChatOpenRouterO3) -> None:
    """It is an order to a graph's state; one that is sent would be lost without a word."""
    with pytest.raises(ValueError, match=r"RemoveMessage|remove"):
        model.invoke([HumanMessage("Hello"), RemoveMessage(id="1")])


@every_mode
def test_two_calls_of_one_conversation_keep_their_own_strings(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    """The same call twice, in two turns, each with its own spaces."""
    play(
        emulator,
        Turn(None, (wire.tool_call("pay", '{"amount":1.0}', "call_1"),)),
        Turn(None, (wire.tool_call("pay", '{ "amount": 1 }', "call_2"),)),
        call(("pay", {"amount": 2})),
    )
    messages: Messages = [HumanMessage("Pay.")]
    for identity in ("call_1", "call_2"):
        messages += [MODES[mode](model, messages), ToolMessage("paid", tool_call_id=identity)]
    for journey in JOURNEYS:
        body = json.loads(raw_request(emulator, model, journey(messages)))
        strings = [
            each["function"]["arguments"]
            for message in body["messages"]
            for each in message.get("tool_calls", [])
        ]
        assert strings == ['{"amount":1.0}', '{ "amount": 1 }']
