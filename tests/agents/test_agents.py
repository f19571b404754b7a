"""LangChain's `create_agent` with this model, and its response formats."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.sqlite import SqliteSaver
from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError, OpenRouterInputError
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.contract.test_schema_kinds import play, sent_body, sent_format, sent_schema
from tests.helpers import wire
from tests.helpers.agents import Order
from tests.helpers.factories import STREAM

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 21 degrees."


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def ask(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def test_an_agent_calls_its_tool_and_answers(model: ChatOpenRouterO3) -> None:
    agent: Any = create_agent(model, [get_weather])
    messages = agent.invoke(ask("Use get_weather for Paris"))["messages"]
    assert [type(message) for message in messages] == [
        HumanMessage,
        AIMessage,
        ToolMessage,
        AIMessage,
    ]
    assert "21 degrees" in messages[-1].text


async def test_an_async_agent_does_the_same(model: ChatOpenRouterO3) -> None:
    agent: Any = create_agent(model, [get_weather])
    messages = (await agent.ainvoke(ask("Use get_weather for Paris")))["messages"]
    assert "21 degrees" in messages[-1].text


def test_a_response_format_uses_native_structured_output(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    agent: Any = create_agent(model, [get_weather], response_format=Weather)
    result = agent.invoke(ask("Use get_weather for Paris, then report: 21 degrees"))
    assert result["structured_response"] == Weather(city="Paris", degrees=21)
    body = emulator.requests[0].body
    assert body is not None
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["tools"][0]["function"]["name"] == "get_weather"


def test_the_messages_stream_of_an_agent_shows_tokens(model: ChatOpenRouterO3) -> None:
    agent: Any = create_agent(model, [get_weather])
    pieces = [
        message.text
        for message, _ in agent.stream(ask("Use get_weather for Paris"), stream_mode="messages")
        if message.type == "AIMessageChunk"
    ]
    assert "21 degrees" in "".join(pieces)
    assert len([piece for piece in pieces if piece]) > 3


CUT = ['{"path": "/ho', "me", '"']


@pytest.mark.parametrize("cut_after", [1, 2, 3])
@pytest.mark.parametrize("how", ["length", "native", "end", "error"])
def test_a_tool_call_cut_in_half_is_never_executed(
    emulator: Emulator, model: ChatOpenRouterO3, cut_after: int, how: str
) -> None:
    """P01: with today's clients `delete("/home")` ran."""
    deleted: list[str] = []

    def delete(path: str) -> str:
        """Delete a folder."""
        deleted.append(path)
        return "gone"

    deltas = wire.tool_deltas("delete", CUT[:cut_after])
    head = [wire.tool_chunk(delta) for delta in deltas]
    finish = wire.ending("tool_calls")
    for chunk in finish:
        chunk["choices"][0]["native_finish_reason"] = "max_output_tokens"
    tails: dict[str, list[Any]] = {
        "length": wire.ending("length"),
        "native": finish,
        "end": [],
        "error": [wire.error(502)],
    }
    body = wire.sse(*head, *tails[how], done=how in ("length", "native"))
    emulator.play(Canned(headers=STREAM, pieces=body))
    emulator.play(Canned(headers=STREAM, pieces=wire.sse(wire.chunk("Sorry."), *wire.ending())))
    agent: Any = create_agent(model, [delete])
    with contextlib.suppress(OpenRouterError):
        list(agent.stream(ask("Tidy up"), stream_mode="messages"))
    assert deleted == []


def test_reasoning_survives_a_sqlite_checkpoint_byte_by_byte(
    emulator: Emulator, model: ChatOpenRouterO3, tmp_path: Path
) -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    path = str(tmp_path / "graph.sqlite")
    with sqlite3.connect(path, check_same_thread=False) as first:
        agent: Any = create_agent(
            model, [get_weather], checkpointer=SqliteSaver(first), interrupt_before=["tools"]
        )
        agent.invoke(ask("Use get_weather for Paris"), config)
    first.close()
    with sqlite3.connect(path, check_same_thread=False) as second:
        resumed: Any = create_agent(
            model, [get_weather], checkpointer=SqliteSaver(second), interrupt_before=["tools"]
        )
        messages = resumed.invoke(None, config)["messages"]
    second.close()
    assert "21 degrees" in messages[-1].text
    body = emulator.requests[-1].body
    assert body is not None
    sent = body["messages"][1]
    assert sent["reasoning_details"] == messages[1].additional_kwargs["reasoning_details"]
    assert sent["reasoning_details"][-1]["type"] == "reasoning.encrypted"
    arguments = messages[1].additional_kwargs["tool_call_arguments"]
    assert [call["function"]["arguments"] for call in sent["tool_calls"]] == [*arguments.values()]


@pytest.mark.parametrize(
    ("status", "requests"),
    [(400, 1), (401, 1), (402, 1), (403, 1), (404, 1), (413, 1), (422, 1), (429, 3), (503, 3)],
)
def test_the_retry_middleware_repeats_only_what_can_succeed(
    emulator: Emulator, status: int, requests: int
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, max_retries=0)
    failure = Canned(status=status, pieces=wire.to_json(wire.error(status)))
    emulator.play(*[failure] * requests)
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
    agent: Any = create_agent(model, middleware=[retry])
    with pytest.raises(OpenRouterError):
        agent.invoke(ask("Hello"))
    assert len(emulator.requests) == requests


def test_the_summarization_middleware_shortens_what_overflows(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    words = "This endpoint's maximum context length is 200000 tokens."
    emulator.play(Canned(status=400, pieces=wire.to_json(wire.error(400, words))))
    summarize = SummarizationMiddleware(model=model, trigger=("messages", 4), keep=("messages", 1))
    agent: Any = create_agent(model, middleware=[summarize])
    history = [
        kind(f"Message {number}: {'word ' * 200}")
        for number in range(6)
        for kind in (HumanMessage, AIMessage)
    ]
    result = agent.invoke({"messages": [*history, HumanMessage("And now?")]})
    assert result["messages"][-1].text
    assert len(emulator.requests) == 3  # overflow, shortened summary, answer
    assert len(emulator.requests[1].raw) < len(emulator.requests[0].raw)


ASK: dict[str, Any] = {"messages": [HumanMessage("Order as JSON.")]}


@dataclass
class OrderData:
    customer: str
    unit: str = "piece"
    items: list[str] = field(default_factory=list)
    note: str | None = None


class OrderDict(TypedDict):
    customer: str
    unit: NotRequired[str]
    note: str | None


ANSWER: dict[str, Any] = {"customer": "Ann", "unit": "kg", "items": ["tea"], "note": None}
PAID = {**ANSWER, "paid_by": {"kind": "bank", "iban": "DE00"}}
PLAIN: dict[str, Any] = {"customer": "Ann", "unit": "kg", "note": None}
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "pydantic": (Order, PAID, Order(**PAID)),
    "dataclass": (OrderData, ANSWER, OrderData(**ANSWER)),
    "typed dict": (OrderDict, PLAIN, PLAIN),
    "json schema": (Order.model_json_schema(), PAID, PAID),
}
STRATEGIES: dict[str, Callable[[Any], Any]] = {
    "bare": lambda schema: schema,
    "auto": AutoStrategy,
    "provider": ProviderStrategy,
    "strict provider": lambda schema: ProviderStrategy(schema, strict=True),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", KINDS)
async def test_an_agent_answers_in_a_format(
    emulator: Emulator, model: ChatOpenRouterO3, kind: str, strategy: str
) -> None:
    schema, answer, expected = KINDS[kind]
    agent: Any = create_agent(model, response_format=STRATEGIES[strategy](schema))
    play(emulator, answer)
    assert agent.invoke(ASK)["structured_response"] == expected
    properties = sent_schema(emulator)["properties"]
    assert "null" not in json.dumps([properties["unit"], properties.get("items", {})])
    assert "null" in json.dumps(properties["note"])
    if kind != "typed dict":
        assert properties["unit"]["description"] == 'Default: "piece".'
    play(emulator, answer)
    assert (await agent.ainvoke(ASK))["structured_response"] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_answers_by_a_tool(emulator: Emulator, model: ChatOpenRouterO3, kind: str) -> None:
    schema, answer, expected = KINDS[kind]
    agent: Any = create_agent(model, response_format=ToolStrategy(schema))
    play(emulator, answer, "function_calling", getattr(schema, "__name__", "Order"))
    assert agent.invoke(ASK)["structured_response"] == expected


class Labelled(BaseModel):
    labels: dict[str, str]


def test_an_open_format_goes_out_loosely_unless_it_must_be_strict(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    play(emulator, {"labels": {"a": "b"}})
    agent: Any = create_agent(model, response_format=Labelled)
    with pytest.warns(UserWarning, match=r"\$\.properties\.labels"):
        result = agent.invoke(ASK)
    assert result["structured_response"] == Labelled(labels={"a": "b"})
    assert sent_format(emulator)["strict"] is False
    strict: Any = create_agent(model, response_format=ProviderStrategy(Labelled, strict=True))
    with pytest.raises(OpenRouterInputError, match=r"\$\.properties\.labels"):
        strict.invoke(ASK)


def test_fallbacks_take_tools_and_schemas(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    careful: Any = model.with_fallbacks([model])
    play(emulator, PAID)
    assert careful.with_structured_output(Order).invoke("As JSON.") == Order(**PAID)
    chain = model.with_structured_output(Order)
    play(emulator, {"customer": 5})
    play(emulator, PAID)
    repeated = chain.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    assert repeated.invoke("As JSON.") == Order(**PAID)
    play(emulator, {"customer": 5})
    play(emulator, PAID)
    assert chain.with_fallbacks([chain]).invoke("As JSON.") == Order(**PAID)


ZOD = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "box": {"type": "array", "items": [{"type": "number"}, {"type": "number"}]},
        "unit": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "low": {"type": "number", "nullable": True},
    },
    "required": ["city"],
    "additionalProperties": False,
}


def test_an_agent_runs_a_tool_of_an_mcp_server(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    calls: list[dict[str, Any]] = []

    def run(**arguments: Any) -> str:
        calls.append(arguments)
        return "sunny"

    tool = StructuredTool(name="weather", description="d", args_schema=ZOD, func=run)
    agent: Any = create_agent(model, [tool])
    play(emulator, {"city": "Oslo", "low": None}, "function_calling", "weather")
    play(emulator, "It is sunny.")
    messages = agent.invoke(ASK)["messages"]
    assert calls == [{"city": "Oslo", "low": None}]
    assert messages[-1].text == "It is sunny."
    properties = sent_body(emulator)["tools"][0]["function"]["parameters"]["properties"]
    assert properties["low"] == {"type": ["number", "null"]}
    assert properties["box"]["prefixItems"] == [{"type": "number"}, {"type": "number"}]
