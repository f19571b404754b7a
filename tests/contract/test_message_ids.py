"""The id of a message is the id of LangChain's run; the generation id is in the metadata."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from langchain_openrouter_o3 import OpenRouterStreamCutError
from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.emulator import Emulator

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
