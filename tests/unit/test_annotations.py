"""Annotations resolve at run time, and type checkers infer the right types."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable
from pydantic import BaseModel
from typing_extensions import TypedDict, assert_type

import langchain_openrouter_o3
from langchain_openrouter_o3 import ChatOpenRouterO3, chat_models
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.conftest import KEY

PACKAGE = "langchain_openrouter_o3"
DUNDER = ("__init__", "__call__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__iter__")


def public_modules() -> list[str]:
    found = [module.name for module in pkgutil.iter_modules(langchain_openrouter_o3.__path__)]
    hooks = [f"chat_models.{module.name}" for module in pkgutil.iter_modules(chat_models.__path__)]
    names = [*(name for name in found if not name.startswith("_")), *hooks, "emulator.faults"]
    return [PACKAGE, *(f"{PACKAGE}.{name}" for name in names)]


def objects() -> Iterator[tuple[str, Any]]:
    """Give every public class and function: what a module defines, and what it exports."""
    for name in public_modules():
        module = importlib.import_module(name)
        exported = getattr(module, "__all__", ())
        own = [
            attribute
            for attribute, value in vars(module).items()
            if not attribute.startswith("_") and getattr(value, "__module__", "") == name
        ]
        for attribute in dict.fromkeys([*exported, *own]):
            yield f"{name}.{attribute}", getattr(module, attribute)


def annotated() -> Iterator[tuple[str, Any]]:
    """Give everything that has annotations, methods and properties too."""
    for name, value in objects():
        if inspect.isfunction(value) or inspect.isclass(value):
            yield name, value
        if inspect.isclass(value):
            yield from methods(name, value, private=value is ChatOpenRouterO3)


def methods(name: str, owner: type, *, private: bool) -> Iterator[tuple[str, Any]]:
    """Give the methods that this package wrote for a class, unwrapped."""
    for base in owner.__mro__:
        for attribute, value in [*vars(base).items()]:  # looking at some builds them first
            if private or not attribute.startswith("_") or attribute in DUNDER:
                yield from (
                    (f"{name}.{attribute}", function)
                    for function in functions_of(value)
                    if function.__module__.startswith(PACKAGE)
                )


def functions_of(value: Any) -> list[Any]:
    if isinstance(value, property):
        return [each for each in (value.fget, value.fset) if each is not None]
    if isinstance(value, cached_property):
        return [value.func]
    function = getattr(value, "__func__", value)  # of a classmethod or a staticmethod
    return [function] if inspect.isfunction(function) else []


ANNOTATED = list(annotated())


@pytest.mark.parametrize("value", [value for _, value in ANNOTATED], ids=[n for n, _ in ANNOTATED])
def test_annotations_resolve(value: Any) -> None:
    typing.get_type_hints(value)


def test_everything_public_is_looked_at() -> None:
    names = {name.removeprefix(f"{PACKAGE}.") for name, _ in ANNOTATED}
    assert names >= {
        "batch.BatchJob.aresults",
        "batch.submit_batch",
        "bulk.Budget.admit",
        "bulk.Row",
        "bulk.SharedJournal.begin",
        "bulk.settle",
        "chat_models.ChatOpenRouterO3",
        "chat_models.ChatOpenRouterO3._astream",
        "chat_models.ChatOpenRouterO3.aclose",
        "chat_models.ChatOpenRouterO3.bind_tools",
        "chat_models.ChatOpenRouterO3.is_lc_serializable",
        "chat_models.ChatOpenRouterO3.model_name",
        "chat_models.costs.track_costs",
        "emulator.Emulator.base_url",
        "emulator.faults.status",
        "errors.OpenRouterError.__init__",
        "Reasoning",
    }


class Person(BaseModel):
    """A person."""

    name: str
    born: int


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 21 degrees."


@pytest.fixture
def failing(emulator: Emulator) -> Any:
    """A model whose first request fails, and which then falls back to another."""
    emulator.play(faults.status(503))
    first, second = (
        ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model=slug, max_retries=0)
        for slug in ("openai/o3-mini", "openai/o4-mini")
    )
    return first.with_fallbacks([second])


def asked(emulator: Emulator) -> list[tuple[str, bool]]:
    """Tell of each request which model it asked and whether it had tools."""
    bodies = [request.body or {} for request in emulator.requests]
    return [(body["model"], "tools" in body) for body in bodies]


def test_tools_are_bound_to_a_model_and_its_fallbacks(emulator: Emulator, failing: Any) -> None:
    message = failing.bind_tools([get_weather]).invoke("Use get_weather for Paris")
    assert [call["name"] for call in message.tool_calls] == ["get_weather"]
    assert asked(emulator) == [("openai/o3-mini", True), ("openai/o4-mini", True)]


async def test_tools_are_bound_to_a_model_and_its_fallbacks_on_an_event_loop(
    emulator: Emulator, failing: Any
) -> None:
    message = await failing.bind_tools([get_weather]).ainvoke("Use get_weather for Paris")
    assert [call["name"] for call in message.tool_calls] == ["get_weather"]
    assert asked(emulator) == [("openai/o3-mini", True), ("openai/o4-mini", True)]


def test_a_model_and_its_fallbacks_give_structured_output(emulator: Emulator, failing: Any) -> None:
    found = failing.with_structured_output(Person).invoke("Ada Lovelace, born 1815")
    assert found == Person(name="Ada Lovelace", born=1815)
    assert [model for model, _ in asked(emulator)] == ["openai/o3-mini", "openai/o4-mini"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_an_agent_takes_a_model_with_fallbacks(emulator: Emulator, failing: Any) -> None:
    agent: Any = create_agent(failing, tools=[get_weather])
    messages = agent.invoke({"messages": [("user", "Use get_weather for Paris")]})["messages"]
    assert "21 degrees" in messages[-1].text
    assert asked(emulator)[:2] == [("openai/o3-mini", True), ("openai/o4-mini", True)]


@pytest.mark.parametrize("arguments", [{}, {"metadata": {"own": "x"}}])
def test_the_versions_of_langchain_and_of_this_package_are_in_the_metadata(
    arguments: dict[str, Any],
) -> None:
    metadata = ChatOpenRouterO3(api_key=KEY, **arguments).metadata
    assert metadata is not None
    assert metadata["lc_versions"].keys() >= {
        "langchain-core",
        "langchain",
        "langchain-openrouter-o3",
    }
    assert metadata["lc_versions"]["langchain-openrouter-o3"] == langchain_openrouter_o3.__version__
    assert metadata.items() >= arguments.get("metadata", {}).items()


class Model(BaseModel):
    name: str


@dataclass
class Data:
    name: str


class Dictionary(TypedDict):
    name: str


def test_structured_output_is_of_the_type_that_was_asked_for() -> None:
    model = ChatOpenRouterO3(api_key="any")
    assert_type(model.with_structured_output(Model), Runnable[LanguageModelInput, Model])
    assert_type(model.with_structured_output(Data), Runnable[LanguageModelInput, Data])
    assert_type(model.with_structured_output(Dictionary), Runnable[LanguageModelInput, Dictionary])
    chain = model.with_structured_output(Model, method="json_mode", strict=False)
    assert_type(chain, Runnable[LanguageModelInput, Model])
    raw = model.with_structured_output(Model, include_raw=True)
    assert_type(raw, Runnable[LanguageModelInput, dict[str, Any]])
    from_schema = model.with_structured_output(Model.model_json_schema())
    assert_type(from_schema, Runnable[LanguageModelInput, dict[str, Any]])
    assert chain.get_output_schema() is Model
