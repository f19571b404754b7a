"""Copies, pickles and what LangChain wraps around a model share no fate with it."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers.connections import wait_for_connections
from tests.helpers.factories import build_once

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda model: model.model_copy(),
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "pickle, oldest protocol": lambda model: pickle.loads(pickle.dumps(model, 2)),
}
every_copy = pytest.mark.parametrize("way", COPIES)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)


@every_copy
def test_a_copy_outlives_its_closed_original(server: Emulator, way: str) -> None:
    model = build_once(server)
    model.invoke("Hi")
    copied = COPIES[way](model)
    copied.invoke("Hi")
    model.close()
    wait_for_connections(server, 1)
    assert "1007" in copied.invoke("What is 7+1000?").text
    copied.close()
    wait_for_connections(server, 0)


@every_copy
def test_an_original_outlives_its_closed_copy(server: Emulator, way: str) -> None:
    async def main() -> None:
        model = build_once(server)
        await model.ainvoke("Hi")
        async with COPIES[way](model) as copied:
            await copied.ainvoke("Hi")
        wait_for_connections(server, 1)
        assert "1007" in (await model.ainvoke("What is 7+1000?")).text
        await model.aclose()
        wait_for_connections(server, 0)

    asyncio.run(main())


@every_copy
def test_a_copy_made_while_its_original_streams_disturbs_nothing(
    server: Emulator, way: str
) -> None:
    model = build_once(server)
    stream = model.stream("repeat 30 words")
    heard = str(next(stream).text)
    copied = COPIES[way](model)
    assert copied.invoke("Hi").text
    copied.close()
    heard += "".join(chunk.text for chunk in stream)
    assert heard.endswith("word30")
    model.close()


def chain(model: ChatOpenRouterO3) -> Any:
    prompt = ChatPromptTemplate.from_messages([("human", "What is {question}?")])
    return prompt | model | StrOutputParser()


def configurable(model: ChatOpenRouterO3) -> Any:
    field = ConfigurableField(id="seed")
    return chain(model.configurable_fields(seed=field).with_config(configurable={"seed": 3}))  # type: ignore[arg-type]


WRAPPERS: dict[str, Callable[[ChatOpenRouterO3], Any]] = {
    "chain": chain,
    "bind": lambda model: chain(model.bind(seed=3)),  # type: ignore[arg-type]
    "with_retry": lambda model: chain(model).with_retry(),
    "with_fallbacks": lambda model: chain(model).with_fallbacks([chain(model)]),
    "configurable_fields": configurable,
}


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_holds_a_model_can_be_copied_and_used(
    server: Emulator, wrapper: str, way: str
) -> None:
    model = build_once(server)
    original = WRAPPERS[wrapper](model)
    original.invoke({"question": "1+1000"})
    copied = COPIES[way](original)
    model.close()
    assert "1002" in copied.invoke({"question": "2+1000"})
    assert "1003" in asyncio.run(copied.ainvoke({"question": "3+1000"}))
    assert "1004" in "".join(copied.stream({"question": "4+1000"}))
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_an_agent_whose_model_was_copied_deeply_still_works(server: Emulator) -> None:
    agents = pytest.importorskip("langchain.agents")
    model = build_once(server)
    model.invoke("Hi")
    copied = copy.deepcopy({"model": model})["model"]
    model.close()
    agent = agents.create_agent(copied, tools=[])
    answer = agent.invoke({"messages": [("human", "What is 7+1000?")]})
    assert "1007" in answer["messages"][-1].text
