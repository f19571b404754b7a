"""Tools of a real MCP server, over stdio: zod's schemas go out, and arguments arrive as meant."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.agents import FORMS, KINDS, WARNING, bodies, call, play, say, tool_names

pytest.importorskip("mcp")
adapters: Any = pytest.importorskip("langchain_mcp_adapters.client")
loading: Any = pytest.importorskip("langchain_mcp_adapters.tools")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings(WARNING),
]
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
SERVER = str(Path(__file__).with_name("zod_server.py"))
TICKET: dict[str, Any] = {
    "title": "Leak",
    "target": {"kind": "team", "name": "Plumbers"},
    "due": None,
    "place": [1.5, 2],
}
LABELS: dict[str, Any] = {
    "labels": {"a b": "ü"},
    "tree": {"name": "x", "below": [{"name": "y", "below": []}]},
}
ARGUMENTS = {"file_ticket": TICKET, "label_ticket": LABELS, "list_tickets": {}, "count_tickets": {}}


def client() -> Any:
    connection = {"command": sys.executable, "args": [SERVER], "transport": "stdio"}
    return adapters.MultiServerMCPClient({"tickets": connection})


async def last_state(agent: Any, question: Any, *, streamed: bool) -> dict[str, Any]:
    if not streamed:
        found: dict[str, Any] = await agent.ainvoke(question)
        return found
    states = [
        piece
        async for kind, piece in agent.astream(question, stream_mode=KINDS)
        if kind == "values"
    ]
    return dict(states[-1])


def said_by_server(content: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else content[0]["text"]
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("streamed", [False, True])
@every_form
async def test_an_agent_calls_every_tool_of_a_server(
    emulator: Emulator, model: ChatOpenRouterO3, form: Any, *, streamed: bool
) -> None:
    async with client().session("tickets") as session:
        tools = await loading.load_mcp_tools(session)
        agent: Any = create_agent(model, tools, response_format=form[0])
        play(emulator, call(*ARGUMENTS.items()), say(form[1]))
        question = {"messages": [HumanMessage("Do it all, as JSON.")]}
        state = await last_state(agent, question, streamed=streamed)
    assert state["structured_response"] == form[2]
    results = [said_by_server(each.content) for each in state["messages"] if each.type == "tool"]
    assert {each["tool"]: each["arguments"] for each in results} == ARGUMENTS
    assert len(bodies(emulator)[-1]["messages"]) == 2 + len(ARGUMENTS)


async def test_the_emulator_takes_the_schemas_and_calls_the_tools(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """Here the emulator's own rules answer; it refuses what is no schema."""
    async with client().session("tickets") as session:
        tools = await loading.load_mcp_tools(session)
        agent: Any = create_agent(model, tools)
        for tool in tools:
            question = {"messages": [HumanMessage(f"Use {tool.name} with 'Leak' of 'Plumbers'.")]}
            state = await agent.ainvoke(question)
            (result,) = [each for each in state["messages"] if each.type == "tool"]
            assert result.status == "success", result.content
            assert said_by_server(result.content)["tool"] == tool.name
    assert tool_names(bodies(emulator)[-1]) == [*ARGUMENTS]


async def test_what_can_be_strict_is_taken_by_the_strict_rules(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """A closed schema of zod is bound to the letter, and its server takes what comes of it."""
    async with client().session("tickets") as session:
        tools = {each.name: each for each in await loading.load_mcp_tools(session)}
        for name in ("file_ticket", "list_tickets"):
            bound = model.bind_tools([tools[name]], tool_choice=name, strict=True)
            answer = await bound.ainvoke("File 'Leak' of 'Plumbers'.")
            assert bodies(emulator)[-1]["tools"][0]["function"]["strict"] is True
            result = await tools[name].ainvoke(answer.tool_calls[0])
            assert result.status == "success", result.content
        with pytest.raises(ValueError, match="labels"):
            model.bind_tools([tools["label_ticket"]], strict=True)


async def test_tools_may_open_a_session_for_each_call(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    tools = await client().get_tools()
    agent: Any = create_agent(model, tools)
    play(emulator, call(("file_ticket", TICKET)), say("Filed."))
    state = await agent.ainvoke({"messages": [HumanMessage("File it.")]})
    assert said_by_server(state["messages"][-2].content)["arguments"] == TICKET
