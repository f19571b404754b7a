"""Messages, chunks and their ids: added up, stored and sent back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps, load
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    ToolMessage,
    merge_message_runs,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterStreamCutError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode


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


ANSWER = wire.sse(wire.chunk("Hel"), wire.chunk("lo"), *wire.ending())


def same_answer() -> Canned:
    """An answer as a proxy's cache gives it again: with one and the same generation id."""
    return Canned(headers={"content-type": "text/event-stream"}, pieces=ANSWER)


def is_of_run(message: AIMessage, run_id: UUID) -> bool:
    return (message.id or "").startswith(f"lc_run--{run_id}")


@every_mode
@pytest.mark.parametrize("version", [None, "v1"])
def test_two_answers_with_one_generation_id_have_ids_of_their_own(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, version: str | None
) -> None:
    chosen = model.model_copy(update={"output_version": version})
    emulator.play(same_answer(), same_answer())
    first, second = MODES[mode](chosen), MODES[mode](chosen)
    assert first.id is not None
    assert first.id.startswith("lc_run--")
    assert first.id != second.id
    for message in (first, second):
        assert message.response_metadata["id"] == wire.GENERATION


def test_the_id_is_the_one_of_the_run(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(*(same_answer() for _ in range(4)))
    run = uuid4()
    assert is_of_run(model.invoke("Hello", {"run_id": run}), run)
    assert is_of_run(asyncio.run(model.ainvoke("Hello", {"run_id": run})), run)
    assert {chunk.id for chunk in model.stream("Hello", {"run_id": run})} == {f"lc_run--{run}"}

    async def collect() -> set[str | None]:
        return {chunk.id async for chunk in model.astream("Hello", {"run_id": run})}

    assert asyncio.run(collect()) == {f"lc_run--{run}"}


def test_streaming_under_invoke_gives_the_id_of_the_run(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(same_answer())
    run = uuid4()
    eager = model.model_copy(update={"streaming": True})
    assert is_of_run(eager.invoke("Hello", {"run_id": run}, stream=True), run)


async def test_events_give_the_id_of_the_run(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    emulator.play(same_answer())
    run = uuid4()
    events = [event async for event in model.astream_events("Hello", {"run_id": run}, version="v2")]
    chunks = [event["data"]["chunk"] for event in events if "chunk" in event["data"]]
    assert {chunk.id for chunk in chunks} == {f"lc_run--{run}"}
    assert is_of_run(events[-1]["data"]["output"], run)


class Spy(BaseCallbackHandler):
    """Keeps the ids of the chunks that it is shown."""

    def __init__(self) -> None:
        self.ids: set[str | None] = set()

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],  # noqa: ARG002 - core's signature
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        **kwargs: Any,  # noqa: ARG002 - core's signature
    ) -> None:
        shown: Any = chunk
        self.ids.add(shown.message.id)


@pytest.mark.filterwarnings("ignore:.*_chat_model_stream_v3. is in beta")
def test_protocol_events_give_the_id_of_the_run(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(same_answer())
    run, spy = uuid4(), Spy()
    stream = model.stream_events("Hello", {"run_id": run, "callbacks": [spy]}, version="v3")
    events: list[Any] = list(stream)
    assert events[0]["id"] == f"lc_run--{run}"
    assert is_of_run(stream.output, run)
    assert spy.ids == {f"lc_run--{run}"}
    assert stream.output.response_metadata["id"] == wire.GENERATION


@pytest.mark.filterwarnings("ignore:.*_achat_model_stream_v3. is in beta")
async def test_asynchronous_protocol_events_give_the_id_of_the_run(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(same_answer())
    run, spy = uuid4(), Spy()
    stream = await model.astream_events("Hello", {"run_id": run, "callbacks": [spy]}, version="v3")
    assert is_of_run(await stream.output, run)
    assert spy.ids == {f"lc_run--{run}"}


def test_the_bare_hooks_leave_the_id_to_langchain(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(same_answer(), same_answer(), same_answer())
    assert model._generate([HumanMessage("Hello")]).generations[0].message.id is None
    assert {chunk.message.id for chunk in model._stream([HumanMessage("Hello")])} == {None}
    assert model._generate_with_cache([HumanMessage("Hello")]).generations[0].message.id is None


@pytest.mark.parametrize("asynchronous", [False, True])
def test_answers_from_langchains_cache_have_ids_of_their_own(
    emulator: Emulator, model: ChatOpenRouterO3, *, asynchronous: bool
) -> None:
    cached = model.model_copy(update={"cache": InMemoryCache()})
    runs = [uuid4() for _ in range(3)]
    answers = [
        asyncio.run(cached.ainvoke("Hello", {"run_id": run}))
        if asynchronous
        else cached.invoke("Hello", {"run_id": run})
        for run in runs
    ]
    assert len(emulator.requests) == 1
    assert all(is_of_run(answer, run) for answer, run in zip(answers, runs, strict=True))
    assert len({answer.response_metadata["id"] for answer in answers}) == 1


def test_a_thread_keeps_both_of_two_equal_answers(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(same_answer(), same_answer())

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    agent = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    agent.invoke({"messages": [("user", "Hello")]}, config)
    state = agent.invoke({"messages": [("user", "Again")]}, config)
    assert [message.type for message in state["messages"]] == ["human", "ai", "human", "ai"]


def test_the_error_of_a_cut_stream_names_the_generation(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    cut = wire.sse(wire.chunk("Hel"), done=False)
    emulator.play(Canned(headers={"content-type": "text/event-stream"}, pieces=cut))
    with pytest.raises(OpenRouterStreamCutError) as caught:
        list(model.stream("Hello"))
    assert caught.value.generation_id == wire.GENERATION
    assert caught.value.partial is not None
    assert caught.value.partial.id is None
    assert caught.value.partial.response_metadata["id"] == wire.GENERATION
