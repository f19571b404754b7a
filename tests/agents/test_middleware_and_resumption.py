"""Agents that are interrupted, killed, resumed, limited or sent to another model."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    wrap_model_call,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 21 degrees."


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def ask(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def bodies(emulator: Emulator) -> list[dict[str, Any]]:
    return [request.body or {} for request in emulator.requests]


def test_parallel_calls_may_be_answered_in_any_order(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    bound = model.bind_tools([get_weather])
    question = HumanMessage("Use get_weather for Paris and Rome")
    answer = bound.invoke([question])
    assert [call["args"]["city"] for call in answer.tool_calls] == ["Paris", "Rome"]
    results = [
        ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])
        for call in reversed(answer.tool_calls)
    ]
    final = bound.invoke([question, answer, *results])
    assert "Paris" in final.text
    assert "Rome" in final.text
    sent = bodies(emulator)[-1]["messages"]
    assert [m["tool_call_id"] for m in sent[2:]] == [r.tool_call_id for r in results]


def test_a_tools_blocks_errors_and_artifacts(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    call = {"name": "get_weather", "args": {"city": "Rome"}, "id": "call_1"}
    result = ToolMessage(
        [{"type": "text", "text": "No station "}, "in Rome."],
        tool_call_id="call_1",
        status="error",
        artifact={"trace": object()},
    )
    model.bind_tools([get_weather]).invoke(
        [HumanMessage("Hi"), AIMessage("", tool_calls=[call]), result]
    )
    assert bodies(emulator)[-1]["messages"][2] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": [{"type": "text", "text": "No station "}, {"type": "text", "text": "in Rome."}],
    }


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_and_a_response_format_in_every_mode(
    model: ChatOpenRouterO3,
    streamed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    agent: Any = create_agent(model, [get_weather], response_format=Weather)
    question = ask("Use get_weather for Paris, then report: 21 degrees")
    expected = Weather(city="Paris", degrees=21)
    if not streamed:
        assert agent.invoke(question)["structured_response"] == expected
        assert (await agent.ainvoke(question))["structured_response"] == expected
        return
    updates = [update async for update in agent.astream(question, stream_mode="values")]
    assert updates[-1]["structured_response"] == expected
    states = list(agent.stream(question, stream_mode="values"))
    assert states[-1]["structured_response"] == expected


def test_a_human_may_edit_a_call_before_it_runs(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    ran: list[str] = []

    def delete(path: str) -> str:
        """Delete a folder."""
        ran.append(path)
        return f"{path} is gone."

    review = HumanInTheLoopMiddleware(interrupt_on={"delete": True})
    agent: Any = create_agent(model, [delete], middleware=[review], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    interrupted = agent.invoke(ask("Please delete '/home'"), config)
    assert interrupted["__interrupt__"]
    assert ran == []
    edited = {"type": "edit", "edited_action": {"name": "delete", "args": {"path": "/old"}}}
    agent.invoke(Command(resume={"decisions": [edited]}), config)
    assert ran == ["/old"]
    sent = bodies(emulator)[-1]["messages"]
    call = next(message for message in sent if message["role"] == "assistant")["tool_calls"][0]
    # LangChain tells the model of the edit in the tool's result and leaves its own call as it was.
    assert call["function"]["arguments"] == '{"path":"/home"}'
    assert '"/old"' in sent[-1]["content"]


WORKER = """
import os, sqlite3, sys, time
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langchain_openrouter_o3 import ChatOpenRouterO3

url, database, marker = sys.argv[1:]

def get_weather(city: str) -> str:
    "Get the weather of a city."
    open(marker, "w").close()
    time.sleep(60)

model = ChatOpenRouterO3(base_url=url, api_key="k")
with sqlite3.connect(database, check_same_thread=False) as connection:
    agent = create_agent(model, [get_weather], checkpointer=SqliteSaver(connection))
    start = {"messages": [HumanMessage("Use get_weather for Paris")]}
    agent.invoke(start, {"configurable": {"thread_id": "1"}}, durability="sync")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_agent_resumes_in_another_process_with_its_reasoning_intact(
    emulator: Emulator, model: ChatOpenRouterO3, tmp_path: Path
) -> None:
    database, marker = tmp_path / "graph.sqlite", tmp_path / "tool-runs"
    command = [sys.executable, "-c", textwrap.dedent(WORKER), emulator.base_url]
    worker = subprocess.Popen([*command, str(database), str(marker)], env={**os.environ})
    try:
        while not marker.exists():
            assert worker.poll() is None
            time.sleep(0.02)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    config: Any = {"configurable": {"thread_id": "1"}}
    with sqlite3.connect(database, check_same_thread=False) as connection:
        agent: Any = create_agent(model, [get_weather], checkpointer=SqliteSaver(connection))
        messages = agent.invoke(None, config)["messages"]
    connection.close()
    assert "21 degrees" in messages[-1].text
    # The emulator refuses ciphertext that comes back altered; here the bytes are compared, too.
    sent = bodies(emulator)[-1]["messages"][1]
    assert sent["reasoning_details"] == messages[1].additional_kwargs["reasoning_details"]
    assert sent["reasoning_details"][-1]["data"]
    raw = messages[1].additional_kwargs["tool_call_arguments"]
    assert [call["function"]["arguments"] for call in sent["tool_calls"]] == [*raw.values()]


def test_a_fallback_model_answers_when_the_first_cannot(emulator: Emulator) -> None:
    first = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    second = first.model_copy(update={"model": "openai/o4-mini"})
    emulator.play(Canned(status=402, pieces=wire.to_json(wire.error(402, "Insufficient credits"))))
    agent: Any = create_agent(first, middleware=[ModelFallbackMiddleware(second)])
    answer = agent.invoke(ask("Hello"))["messages"][-1]
    assert answer.response_metadata["model_name"] == "openai/o4-mini"
    assert [body["model"] for body in bodies(emulator)] == ["openai/o3-mini", "openai/o4-mini"]


def test_a_call_limit_ends_the_loop(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    limit = ModelCallLimitMiddleware(run_limit=1, exit_behavior="end")
    agent: Any = create_agent(model, [add], middleware=[limit])
    agent.invoke(ask("Use add for 17 and 25"))
    assert len(emulator.requests) == 1


def test_an_agent_may_end_its_run_after_a_cut_call(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """LangChain answers an invalid call with an error; both go back to the model."""
    call = wire.tool_call("add", '{"a": 17, "b"')
    cut = wire.body(None, finish="tool_calls", tool_calls=[call])
    cut["choices"][0]["native_finish_reason"] = "max_output_tokens"
    emulator.play(Canned(pieces=wire.to_json(cut)))
    agent: Any = create_agent(model, [add])
    messages = agent.invoke(ask("add 17 and 25"))["messages"]
    assert messages[1].tool_calls == []
    assert messages[1].invalid_tool_calls[0]["args"] == '{"a": 17, "b"'
    assert isinstance(messages[-1], AIMessage)
    for body in bodies(emulator)[1:]:
        assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a": 17, "b"'


@pytest.mark.parametrize("name", ["multi_tool_use.parallel", "functions.add", "f" * 70, "añadir"])
def test_an_agent_goes_on_after_a_call_of_a_name_that_the_model_made_up(
    emulator: Emulator, model: ChatOpenRouterO3, name: str
) -> None:
    """OpenAI refuses such names in a history, and with them every further call of the thread."""
    made_up = wire.body(None, finish="tool_calls", tool_calls=[wire.tool_call(name, "{}")])
    emulator.play(Canned(pieces=wire.to_json(made_up)))
    agent: Any = create_agent(model, [add])
    messages = agent.invoke(ask("Hello"))["messages"]
    assert messages[1].tool_calls[0]["name"] == name
    assert isinstance(messages[-1], AIMessage)
    assert len(emulator.requests) == 2


IMAGE: Any = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}


def get_picture(city: str) -> list[Any]:
    """Get a picture of a city."""
    return [{"type": "text", "text": f"Here is {city}:"}, IMAGE]


def without_images(request: Any) -> Any:
    def without_image(message: Any) -> Any:
        if isinstance(message.content, str):
            return message
        kept = [block for block in message.content if block != IMAGE]
        return message.model_copy(update={"content": kept})

    return request.override(messages=[without_image(message) for message in request.messages])


@wrap_model_call
def blind(request: Any, handler: Any) -> Any:
    return handler(without_images(request))


@wrap_model_call
async def ablind(request: Any, handler: Any) -> Any:
    return await handler(without_images(request))


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("comes_from", ["tool", "human"])
async def test_a_thread_with_an_image_goes_on_with_the_middleware_that_the_error_names(
    model: ChatOpenRouterO3,
    comes_from: str,
    sync: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def run(middleware: list[Any], question: Any) -> Any:
        agent: Any = create_agent(
            model, [get_picture], middleware=middleware, checkpointer=checkpointer
        )
        asked = {"messages": [HumanMessage(question)]}
        return agent.invoke(asked, thread) if sync else await agent.ainvoke(asked, thread)

    checkpointer = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    first = "Use get_picture for Paris" if comes_from == "tool" else ["What is this?", IMAGE]
    for question in (first, "And in words?"):  # what was checkpointed fails again and again
        with pytest.raises(OpenRouterInputError, match=r"no image input.*wrap_model_call"):
            await run([], question)
    result = await run([blind if sync else ablind], "Go on.")
    assert result["messages"][-1].text
    assert any(IMAGE in [*message.content] for message in result["messages"])
