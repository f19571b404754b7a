"""Agents and other paths of LangChain over one journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.outputs import Generation

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import JournalCache, bulk
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers.bulk import WAYS, Person

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")


@pytest.fixture(params=[*WAYS.values()], ids=[*WAYS])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[JournalCache]:
    cache = JournalCache(tmp_path / "run.db")
    yield cache
    cache.close()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def tasks(count: int) -> list[Any]:
    return [{"messages": [("user", f"Add {number} to 25 with add")]} for number in range(count)]


def test_rows_of_an_agent_have_all_calls_and_come_back(
    run: Any, emulator: Emulator, tmp_path: Path
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    agent = create_agent(model, [add])
    rows = run(agent, tasks(5), journal=tmp_path / "run.db", ordered=True)
    assert len(emulator.requests) == 10
    assert [row.attempts for row in rows] == [2] * 5
    for number, row in enumerate(rows):
        assert str(number + 25) in row.value["messages"][-1].text
    again = run(create_agent(model, [add]), tasks(5), journal=tmp_path / "run.db", ordered=True)
    assert len(emulator.requests) == 10
    assert [row.value for row in again] == [row.value for row in rows]
    assert isinstance(again[0].value["messages"][-1], AIMessage)


def test_an_agent_that_failed_pays_only_for_the_call_that_failed(
    run: Any, emulator: Emulator, cache: JournalCache, tmp_path: Path
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", max_retries=0, cache=cache)
    agent = create_agent(model, [add])
    emulator.disturb(
        lambda request: faults.status(500) if b'"role":"tool"' in request.raw else None
    )
    (failed,) = run(agent, tasks(1), journal=tmp_path / "run.db")
    assert not failed.ok
    assert failed.attempts == 2
    emulator.reset()
    (row,) = run(agent, tasks(1), journal=tmp_path / "run.db")
    assert row.ok
    assert len(emulator.requests) == 1
    assert row.attempts == 3


def test_an_agent_with_a_structured_answer_comes_back_as_its_class(
    run: Any, emulator: Emulator, tmp_path: Path
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
    rows = [{"messages": [("user", "Ada was born in 1815")]}]
    for _ in range(2):
        agent = create_agent(model, [], response_format=Person)
        (row,) = run(agent, rows, journal=tmp_path / "run.db")
        assert row.value["structured_response"] == Person(name="Ada", born=1815)
        assert type(row.value["structured_response"]) is Person
    assert row.from_journal


def test_every_path_of_langchain_restarts_for_free(emulator: Emulator, cache: JournalCache) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=cache)
    agent = create_agent(model, [add])
    for _ in range(2):
        agent.batch(tasks(3))
        asyncio.run(model.abatch(["echo a", "echo b"]))
        list(bulk(model, ["echo a", "echo c"]))
    assert len(emulator.requests) == 2 * 3 + 3


@pytest.mark.parametrize("prompt", ["a text", "[1", "[1, {}]", '{"a": 1}', "half a pair \ud800"])
def test_any_prompt_can_be_kept(cache: JournalCache, prompt: str) -> None:
    assert cache.lookup(prompt, "model") is None
    cache.update(prompt, "model", [Generation(text="a")])
    assert cache.lookup(prompt, "model") == [Generation(text="a")]
    assert cache.lookup(prompt, "another") is None


def test_a_journal_and_a_cache_share_a_file(
    emulator: Emulator, cache: JournalCache, tmp_path: Path
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any", cache=cache)
    rows = list(bulk(model, ["echo a", "echo b"], journal=tmp_path / "run.db"))
    assert all(row.ok for row in rows)
    again = list(bulk(model, ["echo a", "echo b"], journal=tmp_path / "run.db"))
    assert all(row.from_journal for row in again)
    assert model.invoke("echo a").text == "a"
    assert len(emulator.requests) == 2
