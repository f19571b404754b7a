"""LangChain's cache keeps apart what headers make different, and its keys tell no header."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.caches import RETURN_VAL_TYPE, BaseCache, InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY

SECRET = "s3cret-in-header"
NAMES = ["extra_headers", "default_headers"]


class KeptKeys(BaseCache):
    """A cache that remembers its keys."""

    def __init__(self) -> None:
        self.inner = InMemoryCache()
        self.keys: list[str] = []

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        self.keys.append(f"{prompt} {llm_string}")
        return self.inner.lookup(prompt, llm_string)

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        self.inner.update(prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:
        self.inner.clear(**kwargs)


@pytest.fixture
def cache() -> KeptKeys:
    return KeptKeys()


def built(emulator: Emulator, cache: BaseCache, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, cache=cache, **arguments)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_tenants_that_differ_in_headers_share_no_answer(
    emulator: Emulator, cache: KeptKeys, *, asynchronous: bool
) -> None:
    tenants: list[Any] = [None, {"X-Tenant": "a"}, {"X-Tenant": "b"}, {"X-Other": "a"}]
    for headers in (*tenants, *tenants):
        model = built(emulator, cache, default_headers=headers)
        _ = asyncio.run(model.ainvoke("Hello")) if asynchronous else model.invoke("Hello")
    assert len(emulator.requests) == len(tenants)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bound", [False, True])
def test_calls_that_differ_in_headers_share_no_answer(
    emulator: Emulator, cache: KeptKeys, name: str, *, bound: bool
) -> None:
    model = built(emulator, cache)
    for value in ("a", "b", "a", "b"):
        call: Any = {name: {"X-Tenant": value}}
        _ = model.bind(**call).invoke("Hello") if bound else model.invoke("Hello", **call)
    assert len(emulator.requests) == 2


def test_the_same_headers_share_an_answer_wherever_they_come_from(
    emulator: Emulator, cache: KeptKeys
) -> None:
    built(emulator, cache, default_headers={"X-Tenant": "a", "X-B": "b"}).invoke("Hello")
    model = built(emulator, cache, default_headers={"x-b": "b"})
    model.invoke("Hello", extra_headers={"x-tenant": "a"})
    model.bind(extra_headers={"X-TENANT": "a"}).invoke("Hello")
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("empty", [{}, None])
@pytest.mark.parametrize("name", NAMES)
def test_no_headers_are_no_difference(
    emulator: Emulator, cache: KeptKeys, name: str, empty: Any
) -> None:
    model = built(emulator, cache)
    model.invoke("Hello")
    model.invoke("Hello", **{name: empty})
    assert len(emulator.requests) == 1
    assert len(set(cache.keys)) == 1


def test_other_differences_still_count(emulator: Emulator, cache: KeptKeys) -> None:
    model = built(emulator, cache, default_headers={"X-Tenant": "a"})
    for call in ({}, {"seed": 1}, {"seed": 2}, {"stop": ["x"]}):
        arguments: Any = call
        model.invoke("Hello", **arguments)
    assert len(emulator.requests) == 4


class Spy(BaseCallbackHandler):
    """Keeps whatever a callback is told, as text."""

    def __init__(self) -> None:
        self.told = ""

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.told += f"{args} {kwargs}"

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.told += f"{args} {kwargs}"


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_header_is_in_a_key_a_trace_or_a_dump(
    emulator: Emulator, cache: KeptKeys, name: str
) -> None:
    headers = {"X-Tenant": SECRET}
    model, spy = built(emulator, cache, default_headers=headers), Spy()
    config: Any = {"callbacks": [spy]}
    call: Any = {name: headers}
    model.invoke("Hello", config, **call)
    list(model.stream("Hello", config, **call))
    model.bind(**call).with_config(config).invoke("Hello")
    written = f"{model!r} {dumps(model)} {model.asdict()} {model.lc_attributes} {model._serialized}"
    assert SECRET not in f"{written} {cache.keys} {spy.told}"
    assert "X-Tenant" in spy.told
    assert len(cache.keys) == 2


@pytest.mark.parametrize("odd", ["s3cret-in-header", 5, ["s3cret-in-header"]])
def test_headers_that_are_none_are_refused_without_being_shown(
    emulator: Emulator, cache: KeptKeys, odd: Any
) -> None:
    model, spy = built(emulator, cache), Spy()
    with pytest.raises(OpenRouterInputError, match="is a dictionary") as caught:
        model.invoke("Hello", {"callbacks": [spy]}, extra_headers=odd)
    assert SECRET not in f"{caught.value} {spy.told} {cache.keys}"
    assert emulator.requests == []
