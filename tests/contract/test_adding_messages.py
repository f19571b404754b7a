"""Messages that are added up keep the lists of each: nothing of two answers is joined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps, load
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    ToolMessage,
    merge_message_runs,
    messages_from_dict,
    messages_to_dict,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator


def details_of(name: str) -> list[wire.Json]:
    return [
        wire.summary(f"Thought {name}.", 0),
        wire.encrypted(f"gAAA{name}", f"rs_{name}", 1),
        {"type": "reasoning.text", "text": name, "signature": None, "index": 2, "format": None},
        {"type": "reasoning.future", "x": {"index": 7, "y": [{"index": 1}]}, "index": 3},
        {"type": "reasoning.unnumbered", "x": name},
    ]


def annotations_of(name: str) -> list[wire.Json]:
    cited = {"url": f"https://{name}.example", "title": name, "start_index": 0, "end_index": 2}
    return [{"type": "url_citation", "url_citation": cited, "index": 0}]


def images_of(name: str) -> list[wire.Json]:
    return [{"type": "image_url", "image_url": {"url": f"data:{name}"}, "index": 0}]


LISTS: dict[str, Callable[[str], list[wire.Json]]] = {
    "reasoning_details": details_of,
    "annotations": annotations_of,
    "images": images_of,
}


def answer(name: str, *, streamed: bool = True) -> Canned:
    said: dict[str, Any] = {key: make(name) for key, make in LISTS.items()}
    said["audio"] = {"index": 0, "parts": [{"index": 0, "data": name}]}
    if streamed:
        body = wire.sse(wire.chunk(**said), wire.chunk(f"Text {name}."), *wire.ending())
        return Canned(headers={"content-type": "text/event-stream"}, pieces=body)
    return Canned(pieces=wire.to_json(wire.body(f"Text {name}.", **said)))


def read_back(messages: list[AIMessage]) -> list[AIMessage]:
    return messages


def through_json(messages: list[AIMessage]) -> list[AIMessage]:
    written = json.loads(json.dumps(messages_to_dict(messages)))
    read: Any = messages_from_dict(written)
    return list(read)


def through_checkpoint(messages: list[AIMessage]) -> list[AIMessage]:
    serializer = JsonPlusSerializer()
    return list(serializer.loads_typed(serializer.dumps_typed(messages)))


def through_dumps(messages: list[AIMessage]) -> list[AIMessage]:
    return list(load(json.loads(dumps(messages)), allowed_objects=[type(m) for m in messages]))


JOURNEYS = [read_back, through_json, through_checkpoint, through_dumps]
every_journey = pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__)


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    body = emulator.requests[-1].body
    assert body is not None
    messages: list[dict[str, Any]] = body["messages"]
    return messages


def both(key: str) -> list[wire.Json]:
    return [*LISTS[key]("a"), *LISTS[key]("b")]


def check_lists(message: AIMessage) -> None:
    for key in LISTS:
        assert message.additional_kwargs[key] == both(key)


def check_sent(emulator: Emulator, position: int = 1) -> None:
    """What goes back is what came, to the byte: an index is an integer again."""
    assistant = sent(emulator)[position]
    assert json.dumps(assistant["reasoning_details"]) == json.dumps(both("reasoning_details"))
    assert json.dumps(assistant["images"]) == json.dumps(both("images"))


@pytest.mark.filterwarnings("ignore:.*`load` is in beta")
@every_mode
@every_journey
@pytest.mark.parametrize("version", [None, "v1"])
def test_merged_runs_keep_both_lists(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, journey: Any, version: str | None
) -> None:
    chosen = model.model_copy(update={"output_version": version})
    emulator.play(answer("a"), answer("b"))
    messages = journey([MODES[mode](chosen), MODES[mode](chosen)])
    history: list[Any] = [HumanMessage("Hello"), *messages]
    merged: Any = merge_message_runs(history)
    assert [message.type for message in merged] == ["human", "ai"]
    check_lists(merged[1])
    model.invoke([*merged, HumanMessage("More")])
    check_sent(emulator)


@pytest.mark.filterwarnings("ignore:.*`load` is in beta")
@every_journey
@pytest.mark.parametrize("version", [None, "v1"])
def test_streamed_answers_can_be_added(
    emulator: Emulator, model: ChatOpenRouterO3, journey: Any, version: str | None
) -> None:
    chosen = model.model_copy(update={"output_version": version})
    emulator.play(answer("a"), answer("b"))
    answers: list[Any] = []
    for _ in range(2):
        first, *rest = chosen.stream("Hello")
        answers.append(first + rest)
    left, right = journey(answers)
    total = left + right
    check_lists(total)
    assert total.text == "Text a.Text b."
    model.invoke([HumanMessage("Hello"), total, HumanMessage("More")])
    check_sent(emulator)


@every_mode
@pytest.mark.parametrize("streamed", [True, False], ids=["events", "body"])
def test_what_is_kept_equals_what_came(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, *, streamed: bool
) -> None:
    emulator.play(answer("a", streamed=streamed))
    message = MODES[mode](model)
    for key, make in LISTS.items():
        assert message.additional_kwargs[key] == make("a")
        assert [list(item) for item in message.additional_kwargs[key]] == [
            list(item) for item in make("a")
        ]
    assert message.additional_kwargs["audio"] == {"index": 0, "parts": [{"index": 0, "data": "a"}]}


def test_three_answers_with_calls_between_go_back_unjoined(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    said: dict[str, Any] = {
        "reasoning_details": details_of("c"),
        "tool_calls": [wire.tool_call("f", "{}", "1")],
    }
    calling = Canned(pieces=wire.to_json(wire.body(None, finish="tool_calls", **said)))
    emulator.play(answer("a"), answer("b"), calling)
    answers = [model.invoke("Hello") for _ in range(3)]
    merged: Any = merge_message_runs([HumanMessage("Hi"), *answers])
    model.invoke([*merged, ToolMessage("x", tool_call_id="1")])
    details = sent(emulator)[1]["reasoning_details"]
    assert details == [*details_of("a"), *details_of("b"), *details_of("c")]


def test_an_index_beyond_what_a_float_can_tell_stays_as_it_is(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    huge = [{"type": "reasoning.text", "text": "x", "index": index} for index in (2**60 + 1, 0.5)]
    emulator.play(Canned(pieces=wire.to_json(wire.body("Hi", reasoning_details=huge))))
    message = model.invoke("Hello")
    assert message.additional_kwargs["reasoning_details"] == huge
    model.invoke([HumanMessage("Hello"), message, HumanMessage("More")])
    assert sent(emulator)[1]["reasoning_details"] == huge
