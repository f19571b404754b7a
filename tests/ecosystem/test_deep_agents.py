"""`deepagents`: tasks, files, agents below the agent, and an object at the end."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import TodoListMiddleware
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.helpers import wire
from tests.helpers.agents import FORMS, RUNS, WARNING, bodies, call, play, say, tool_names
from tests.helpers.factories import get_weather

deepagents: Any = pytest.importorskip("deepagents")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*beta"),
    pytest.mark.filterwarnings(WARNING),
]
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}}
DETAILS = [wire.encrypted("gAAAAcipher", "rs_1", 0)]


def built(model: ChatOpenRouterO3, form: Any, **options: Any) -> Any:
    clerk = {
        "name": "clerk",
        "description": "Knows the weather.",
        "system_prompt": "Look at the weather.",
        "tools": [get_weather],
    }
    return deepagents.create_deep_agent(
        model=model,
        tools=[get_weather],
        subagents=[clerk],
        response_format=form[0],
        middleware=[TodoListMiddleware()],
        **options,
    )


@every_form
@every_run
def test_a_deep_agent_plans_writes_delegates_and_answers(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any, form: Any
) -> None:
    tasks = [{"content": "Look", "status": "in_progress"}]
    play(
        emulator,
        call(("write_todos", {"todos": tasks}), reasoning_details=DETAILS),
        call(("write_file", {"file_path": "/a.txt", "content": "Sunny"})),
        call(("read_file", {"file_path": "/a.txt"}), ("ls", {"path": "/"})),
        call(("task", {"description": "Look", "subagent_type": "clerk"})),
        call(("get_weather", {"city": "Rome"})),  # the clerk's
        say("Sunny in Rome."),  # the clerk's
        say(form[1]),
    )
    done = run(built(model, form), {"messages": [HumanMessage("Order, as JSON.")]})
    assert done.object == form[2]
    assert done.state["todos"] == tasks
    last = bodies(emulator)[-1]
    results = [each["content"] for each in last["messages"] if each["role"] == "tool"]
    assert "Sunny" in str(results[2])
    assert results[-1] == "Sunny in Rome."
    assert {"task", "write_file", "get_weather"} <= {*tool_names(last)}
    said = [each for each in last["messages"] if each["role"] == "assistant"]
    assert said[0]["reasoning_details"] == DETAILS
    assert last["response_format"]["json_schema"]["strict"] is (form[0] is FORMS["closed"][0])


@every_run
def test_a_deep_agent_goes_on_in_its_thread(
    emulator: Emulator, model: ChatOpenRouterO3, run: Any
) -> None:
    form = FORMS["closed"]
    agent = built(model, form, checkpointer=InMemorySaver())
    for _ in range(2):
        play(emulator, call(("get_weather", {"city": "Rome"})), say(form[1]))
        done = run(agent, {"messages": [HumanMessage("Order, as JSON.")]}, THREAD)
        assert done.object == form[2]
    roles = [each["role"] for each in bodies(emulator)[-1]["messages"]]
    assert roles.count("assistant") == 3


def test_the_emulators_strict_rules_take_what_a_deep_agent_sends(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """Here the rules answer, which refuse schemas that OpenAI refuses."""
    form = FORMS["closed"]
    question = {"messages": [HumanMessage("Use get_weather for Rome, then order as JSON.")]}
    done = built(model, form).invoke(question)
    assert isinstance(done["structured_response"], form[0])
    assert all(request.fault is None for request in emulator.requests)
