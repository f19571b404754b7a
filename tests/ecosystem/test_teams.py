"""`langgraph-supervisor` and `langgraph-swarm`: handovers, histories that others have written."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers import wire
from tests.helpers.agents import FORMS, RUNS, WARNING, bodies, call, play, say, tool_names
from tests.helpers.factories import get_weather

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
    pytest.mark.filterwarnings(WARNING),
]
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}}
DETAILS = {"reasoning_details": [wire.encrypted("gAAAAcipher", "rs_1", 0)]}
ASK = {"messages": [HumanMessage("Order, as JSON.")]}


@pytest.mark.parametrize("mode", ["full_history", "last_message"])
@every_form
@every_run
def test_a_supervisor_delegates_and_answers_with_an_object(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any, mode: str
) -> None:
    supervisor: Any = pytest.importorskip("langgraph_supervisor")
    from langgraph.prebuilt.chat_agent_executor import AgentStateWithStructuredResponse

    clerk: Any = create_agent(model, [get_weather], name="clerk", system_prompt="Look.")
    team = supervisor.create_supervisor(
        [clerk],
        model=model,
        prompt="Delegate.",
        output_mode=mode,
        response_format=form[0],
        state_schema=AgentStateWithStructuredResponse,
    ).compile()
    play(
        emulator,
        call(("transfer_to_clerk", {}), **DETAILS),
        call(("get_weather", {"city": "Rome"})),
        say("Sunny in Rome."),
        say("The clerk says: sunny."),
        say(form[1]),
    )
    done = run(team, ASK)
    assert done.object == form[2]
    sent = bodies(emulator)
    assert tool_names(sent[0]) == ["transfer_to_clerk"]
    assert "response_format" in sent[-1]
    said = [each for each in sent[-1]["messages"] if each["role"] == "assistant"]
    assert said[0]["reasoning_details"] == DETAILS["reasoning_details"]
    assert {each.get("name") for each in said} == {"supervisor", "clerk"}
    check_calls(sent[-1]["messages"])


@every_form
@every_run
def test_a_swarm_hands_over_and_remembers_who_speaks(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any
) -> None:
    swarm: Any = pytest.importorskip("langgraph_swarm")
    to_clerk = swarm.create_handoff_tool(agent_name="clerk")
    to_host = swarm.create_handoff_tool(agent_name="host")
    host: Any = create_agent(model, [to_clerk], name="host")
    clerk: Any = create_agent(model, [get_weather, to_host], name="clerk")
    team = swarm.create_swarm([host, clerk], default_active_agent="host").compile(
        checkpointer=InMemorySaver()
    )
    play(
        emulator,
        call(("transfer_to_clerk", {}), **DETAILS),
        call(("get_weather", {"city": "Rome"})),
        say("Sunny in Rome."),
        say("Still the clerk."),
    )
    run(team, ASK, THREAD)
    done = run(team, {"messages": [HumanMessage("Who are you?")]}, THREAD)
    assert done.messages[-1].text == "Still the clerk."
    sent = bodies(emulator)
    assert [tool_names(body)[0] for body in sent] == ["transfer_to_clerk", *["get_weather"] * 3]
    check_calls(sent[-1]["messages"])
    play(emulator, say(form[1]))
    found = model.with_structured_output(form[0]).invoke([*done.messages, ("user", "As JSON")])
    assert found == form[2]


def check_calls(messages: list[dict[str, Any]]) -> None:
    """Each call has its result, whoever has made it up."""
    calls = [call["id"] for each in messages for call in each.get("tool_calls", ())]
    assert calls
    assert calls == [each["tool_call_id"] for each in messages if each["role"] == "tool"]
