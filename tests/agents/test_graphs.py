"""LangGraph's own graphs: tool nodes, threads, forks, time travel, loops, interrupts, fan-out."""

from __future__ import annotations

import asyncio
import operator
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import InjectedState, ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers import wire
from tests.helpers.agents import (
    FORMS,
    RUNS,
    WARNING,
    Order,
    answer_by,
    bodies,
    call,
    identity_of,
    play,
    say,
    tool_names,
)
from tests.helpers.factories import get_weather

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings(WARNING),
]
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}}


def details(identity: str) -> list[Any]:
    return [wire.summary("Hm.", 0), wire.encrypted("gAAAAcipher", identity, 1)]


DETAILS = details("rs_1")


def ask(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = bodies(emulator)[-1]["messages"]
    return messages


class Answered(MessagesState):
    structured_response: Any


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A checkpointer for blocking calls."""
    if request.param == "memory":
        yield InMemorySaver()
        return
    with closing(sqlite3.connect(tmp_path / "g.sqlite", check_same_thread=False)) as connection:
        yield SqliteSaver(connection)


# --- Tools ---


@pytest.fixture
def loop_graph(model: ChatOpenRouterO3) -> Callable[..., Any]:
    """A model and its tools, which take turns; at the end an object is made of it all."""

    def made(tools: list[Any], form: Any, **options: Any) -> Any:
        bound, structured = model.bind_tools(tools), model.with_structured_output(form[0])

        def think(state: MessagesState) -> Any:
            return {"messages": [bound.invoke(state["messages"])]}

        def end(state: MessagesState) -> Any:
            return {
                "structured_response": structured.invoke([*state["messages"], ("user", "JSON")])
            }

        graph: Any = StateGraph(Answered)
        graph.add_node("think", think)
        graph.add_node("tools", ToolNode(tools))
        graph.add_node("end", end)
        graph.add_edge(START, "think")
        graph.add_conditional_edges("think", tools_condition, {"tools": "tools", END: "end"})
        graph.add_edge("tools", "think")
        graph.add_edge("end", END)
        return graph.compile(**options)

    return made


@every_form
@every_run
def test_a_tool_node_runs_what_the_model_calls(
    emulator: Emulator, loop_graph: Any, run: Any, form: Any
) -> None:
    """Parallel calls, injected state and ids, an order to the state, and a tool that fails."""

    @tool
    def count(state: Annotated[dict[str, Any], InjectedState], word: str = "all") -> str:
        """Count the messages."""
        return f"{word}: {len(state['messages'])}"

    @tool
    def forget(identity: Annotated[str, InjectedToolCallId]) -> Any:
        """Forget nothing."""
        return Command(update={"messages": [ToolMessage("kept", tool_call_id=identity)]})

    @tool
    def whole(number: int) -> tuple[str, Any]:
        """Give an artifact."""
        return str(number), {"seen": number}

    whole.response_format = "content_and_artifact"
    graph = loop_graph([count, forget, whole, get_weather], form)
    several = call(
        ("count", {}), ("forget", {}), ("whole", {"number": 3}), ("get_weather", {"town": 1})
    )
    play(emulator, several, say("Ready."), say(form[1]))
    done = run(graph, ask("Do it all"))
    assert done.object == form[2]
    properties = {
        each["function"]["name"]: each["function"]["parameters"].get("properties", {})
        for each in bodies(emulator)[0]["tools"]
    }
    assert properties["count"].keys() == {"word"}
    assert properties["forget"] == {}
    results = {each["tool_call_id"]: each["content"] for each in sent(emulator)[2:6]}
    found = [results[each["id"]] for each in several.calls]
    assert found[:3] == ["all: 2", "kept", "3"]
    assert "city" in found[3]


@every_run
def test_a_loop_ends_when_the_model_has_enough(
    emulator: Emulator, loop_graph: Any, run: Any
) -> None:
    form = FORMS["closed"]
    cities = ["Rome", "Oslo", "Bonn", "Bern", "Kyiv"]
    thoughts = [details(f"rs_{city}") for city in cities]
    turns = [
        call(("get_weather", {"city": city}), reasoning_details=thought)
        for city, thought in zip(cities, thoughts, strict=True)
    ]
    play(emulator, *turns, say("Ready."), say(form[1]))
    done = run(loop_graph([get_weather], form), ask("All cities"))
    assert done.object == form[2]
    assistants = [each for each in sent(emulator) if each["role"] == "assistant"]
    assert [each["reasoning_details"] for each in assistants[:-1]] == thoughts
    ids = [each["tool_calls"][0]["id"] for each in assistants[:-1]]
    assert ids == [identity_of("get_weather", {"city": city}) for city in cities]


# --- Threads ---


@every_form
def test_a_thread_may_be_forked_and_travelled(
    emulator: Emulator, loop_graph: Any, saver: Any, form: Any
) -> None:
    graph = loop_graph([get_weather], form, checkpointer=saver)
    thinking = call(("get_weather", {"city": "Rome"}), reasoning_details=DETAILS)
    play(emulator, thinking, say("Rome."), say(form[1]))
    assert graph.invoke(ask("Weather"), THREAD)["structured_response"] == form[2]
    first_body = bodies(emulator)[1]

    # Back to the moment before the tool ran: the same request goes out again.
    before_tools = next(
        state for state in graph.get_state_history(THREAD) if state.next == ("tools",)
    )
    play(emulator, say("Rome again."), say(form[1]))
    graph.invoke(None, before_tools.config)
    assert bodies(emulator)[3] == first_body

    # A fork: the question is another, what was said after it is gone.
    start = next(state for state in graph.get_state_history(THREAD) if state.next == ("think",))
    asked = start.values["messages"][0]
    forked = graph.update_state(
        start.config, {"messages": [HumanMessage("Weather of Oslo", id=asked.id)]}
    )
    play(emulator, call(("get_weather", {"city": "Oslo"})), say("Oslo."), say(form[1]))
    before = len(emulator.requests)
    graph.invoke(None, forked)
    assert "Oslo" in bodies(emulator)[before]["messages"][0]["content"]


@every_form
def test_a_call_may_be_edited_in_the_state(
    emulator: Emulator, loop_graph: Any, saver: Any, form: Any
) -> None:
    """What the edited message says is sent, not the string that the model once wrote."""
    graph = loop_graph([get_weather], form, checkpointer=saver, interrupt_before=["tools"])
    play(emulator, call(("get_weather", {"city": "Rome"}), reasoning_details=DETAILS))
    graph.invoke(ask("Weather"), THREAD)
    said = graph.get_state(THREAD).values["messages"][-1]
    edited = said.model_copy(
        update={"tool_calls": [{**said.tool_calls[0], "args": {"city": "Oslo"}}]}
    )
    graph.update_state(THREAD, {"messages": [edited]})
    play(emulator, say("Oslo."), say(form[1]))
    assert graph.invoke(None, THREAD)["structured_response"] == form[2]
    arguments = bodies(emulator)[-1]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert arguments == '{"city":"Oslo"}'
    assert bodies(emulator)[-1]["messages"][2]["content"] == "Sunny in Oslo."
    assert bodies(emulator)[-1]["messages"][1]["reasoning_details"] == DETAILS


def test_messages_may_be_removed_and_replaced(
    emulator: Emulator, loop_graph: Any, saver: Any
) -> None:
    form = FORMS["closed"]
    graph = loop_graph([get_weather], form, checkpointer=saver)
    play(emulator, call(("get_weather", {"city": "Rome"})), say("Rome."), say(form[1]))
    graph.invoke(ask("Weather"), THREAD)
    kept = graph.get_state(THREAD).values["messages"]
    graph.update_state(THREAD, {"messages": [RemoveMessage(id=each.id) for each in kept[1:3]]})
    play(emulator, say("Again."), say(form[1]))
    graph.invoke(ask("And now?"), THREAD)
    assert [each["role"] for each in bodies(emulator)[3]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    clear = [RemoveMessage(id=REMOVE_ALL_MESSAGES), HumanMessage("New")]
    graph.update_state(THREAD, {"messages": clear}, as_node="think")
    play(emulator, say("Fresh."), say(form[1]))
    graph.invoke(ask("Hello"), THREAD)
    assert [each["content"] for each in bodies(emulator)[5]["messages"]] == ["New", "Hello"]


@every_form
def test_an_asynchronous_thread_in_sqlite(
    emulator: Emulator, model: ChatOpenRouterO3, tmp_path: Path, form: Any
) -> None:
    later = details("rs_2")
    play(
        emulator,
        call(("get_weather", {"city": "Rome"}), reasoning_details=DETAILS),
        say(form[1], reasoning_details=later),
        say(form[1]),
    )

    async def main() -> list[Any]:
        path = str(tmp_path / "graph.sqlite")
        found = []
        for question in ("First, as JSON", "Second, as JSON"):
            async with AsyncSqliteSaver.from_conn_string(path) as saver:
                agent: Any = create_agent(
                    model, [get_weather], response_format=form[0], checkpointer=saver
                )
                found.append((await agent.ainvoke(ask(question), THREAD))["structured_response"])
        return found

    assert asyncio.run(main()) == [form[2], form[2]]
    said = [each for each in sent(emulator) if each["role"] == "assistant"]
    assert [each["reasoning_details"] for each in said] == [DETAILS, later]


@every_run
def test_an_interrupt_within_a_tool(emulator: Emulator, loop_graph: Any, run: Any) -> None:
    def approve(city: str) -> str:
        """Ask a human."""
        return f"{city}: {interrupt({'city': city})}"

    form = FORMS["closed"]
    graph = loop_graph([approve], form, checkpointer=InMemorySaver())
    play(emulator, call(("approve", {"city": "Rome"})), say("Ready."), say(form[1]))
    asked = run(graph, ask("Approve"), THREAD)
    assert [each.value for each in asked.interrupts] == [{"city": "Rome"}]
    assert len(emulator.requests) == 1
    done = run(graph, Command(resume="yes"), THREAD)
    assert done.object == form[2]
    assert bodies(emulator)[1]["messages"][-1]["content"] == "Rome: yes"


# --- Graphs in graphs ---


class Orders(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]
    orders: Annotated[list[Any], operator.add]


class Named(TypedDict):
    name: str


@every_form
@every_run
def test_agents_are_nodes_of_a_graph(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any
) -> None:
    agent: Any = create_agent(model, [get_weather], response_format=form[0], name="orders")
    graph: Any = StateGraph(Answered)
    graph.add_node("orders", agent)
    graph.add_edge(START, "orders")
    compiled = graph.compile(checkpointer=InMemorySaver())
    play(emulator, call(("get_weather", {"city": "Rome"})), say(form[1]), say(form[1]))
    done = run(compiled, ask("Order, as JSON"), THREAD)
    assert done.object == form[2]
    assert run(compiled, ask("Again, as JSON"), THREAD).object == form[2]
    assert [each["role"] for each in sent(emulator)].count("assistant") == 2


@every_run
def test_an_agent_is_a_tool_of_another(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any
) -> None:
    form = FORMS["closed"]
    inner: Any = create_agent(model, [get_weather], response_format=form[0])

    def order(text: str) -> str:
        """Order something."""
        return str(inner.invoke(ask(text))["structured_response"].model_dump_json())

    async def aorder(text: str) -> str:
        found = await inner.ainvoke(ask(text))
        return str(found["structured_response"].model_dump_json())

    tools = [StructuredTool.from_function(order, coroutine=aorder)]
    outer: Any = create_agent(model, tools, system_prompt="Delegate.")
    play(
        emulator,
        call(("order", {"text": "Tea, as JSON"})),
        call(("get_weather", {"city": "Rome"})),
        say(form[1]),
        say("Ordered."),
    )
    done = run(outer, ask("Tea"))
    assert done.messages[-1].text == "Ordered."
    assert Order.model_validate_json(done.messages[-2].content) == form[2]
    assert ["response_format" in body for body in bodies(emulator)] == [False, True, True, False]


@every_form
@every_run
def test_work_is_spread_over_many_branches(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any
) -> None:
    structured = model.with_structured_output(form[0])
    names = [f"Name{number}" for number in range(8)]

    def spread(state: Orders) -> list[Send]:
        del state
        return [Send("order", {"name": name}) for name in names]

    def order(state: Named) -> dict[str, Any]:
        return {"orders": [structured.invoke(f"JSON of {state['name']}")]}

    def gather(state: Orders) -> dict[str, Any]:
        return {"messages": [AIMessage(", ".join(each.customer for each in state["orders"]))]}

    graph: Any = StateGraph(Orders)
    graph.add_node("order", order)
    graph.add_node("gather", gather)
    graph.add_conditional_edges(START, spread, ["order"])
    graph.add_edge("order", "gather")
    answer_by(
        emulator,
        lambda body: say({**form[1], "customer": body["messages"][-1]["content"].split()[-1]}),
    )
    done = run(graph.compile(), {"messages": [], "orders": []})
    assert [each.customer for each in done.state["orders"]] == names
    assert done.messages[-1].text == ", ".join(names)


@every_run
def test_a_tool_hands_over_to_another_agent(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any
) -> None:
    """A `Command` leaves the inner graph, as handovers of swarms and supervisors do."""
    form = FORMS["closed"]

    @tool
    def to_clerk(
        identity: Annotated[str, InjectedToolCallId],
        state: Annotated[dict[str, Any], InjectedState],
    ) -> Any:
        """Hand over to the clerk."""
        result = ToolMessage("Handed over.", tool_call_id=identity)
        update = {"messages": [*state["messages"], result]}
        return Command(goto="clerk", graph=Command.PARENT, update=update)

    host: Any = create_agent(model, [to_clerk], name="host")
    clerk: Any = create_agent(model, [get_weather], response_format=form[0], name="clerk")
    graph: Any = StateGraph(Answered)
    graph.add_node("host", host, destinations=("clerk",))
    graph.add_node("clerk", clerk)
    graph.add_edge(START, "host")
    play(emulator, call(("to_clerk", {})), call(("get_weather", {"city": "Rome"})), say(form[1]))
    done = run(graph.compile(), ask("Order, as JSON"))
    assert done.object == form[2]
    assert [tool_names(body) for body in bodies(emulator)] == [
        ["to_clerk"],
        ["get_weather"],
        ["get_weather"],
    ]
    names = {each.get("name") for each in sent(emulator) if each["role"] == "assistant"}
    assert names == {"host", "clerk"}
