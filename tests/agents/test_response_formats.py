"""Agents with a response format: LangChain parses the answer, so no null of ours may be in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, TypedDict

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from tests.contract.test_schema_kinds import play, sent_body, sent_format, sent_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator import Emulator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
ASK: dict[str, Any] = {"messages": [HumanMessage("Order as JSON.")]}


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str = ""


class Bank(BaseModel):
    kind: Literal["bank"] = "bank"
    iban: str


class Order(BaseModel):
    customer: str
    unit: str = "piece"
    items: list[str] = Field(default_factory=list)
    note: str | None = None
    paid_by: Card | Bank = Card()


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
