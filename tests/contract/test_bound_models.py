"""Bound arguments: later ones win under any name, and nothing that is bound later forgets them."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    SummarizationMiddleware,
)
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField, RunnableBinding, RunnableLambda
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel, SecretStr, ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError, Reasoning
from langchain_openrouter_o3.emulator import Canned, Emulator, faults
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import sent
from tests.helpers.modes import MODES, every_mode


class Person(BaseModel):
    """A person."""

    name: str
    born: int | None = None


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 21 degrees."


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def names_of(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


# --- The later one wins ---

HIGH = {"effort": "high"}
QUIET = {"exclude": True}
# Two ways of saying one thing, what is sent after the second, and under which key.
RIVALS: list[tuple[dict[str, Any], dict[str, Any], str, Any]] = [
    ({"max_tokens": 100}, {"max_completion_tokens": 200}, "max_tokens", 200),
    ({"max_completion_tokens": 100}, {"max_tokens": 200}, "max_tokens", 200),
    ({"max_tokens": 100}, {"max_completion_tokens": None}, "max_tokens", None),
    ({"model": "openai/o3"}, {"model_name": "openai/o4-mini"}, "model", "openai/o4-mini"),
    ({"model_name": "openai/o3"}, {"model": "openai/o4-mini"}, "model", "openai/o4-mini"),
    (
        {"provider": {"zdr": True}},
        {"openrouter_provider": {"order": ["Azure"]}},
        "provider",
        {"order": ["Azure"]},
    ),
    (
        {"openrouter_provider": {"zdr": True}},
        {"provider": {"order": ["Azure"]}},
        "provider",
        {"order": ["Azure"]},
    ),
    ({"extra_body": {"x": 1}}, {"model_kwargs": {"x": 2}}, "x", 2),
    ({"model_kwargs": {"x": 1}}, {"extra_body": {"y": 2}}, "x", None),
    ({"reasoning_effort": "low"}, {"reasoning": HIGH}, "reasoning", HIGH),
    ({"reasoning": {"effort": "low"}}, {"reasoning_effort": "high"}, "reasoning", HIGH),
    (
        {"reasoning": Reasoning(effort="low", summary="auto")},
        {"reasoning_effort": "high"},
        "reasoning",
        {"effort": "high", "summary": "auto"},
    ),
    (
        {"reasoning": {"max_tokens": 99, "exclude": True}},
        {"reasoning_effort": "high"},
        "reasoning",
        {"effort": "high", "exclude": True},
    ),
    ({"reasoning": {"effort": "low"}}, {"reasoning_effort": None}, "reasoning", None),
    ({"reasoning_effort": "low"}, {"reasoning": None}, "reasoning", None),
    ({"reasoning": QUIET}, {"include_reasoning": True}, "reasoning", {"exclude": False}),
    ({"include_reasoning": True}, {"reasoning": QUIET}, "reasoning", QUIET),
    (
        {"include_reasoning": False, "reasoning_effort": "low"},
        {"reasoning": {"effort": "high"}},
        "reasoning",
        {"effort": "high"},
    ),
    (
        {"reasoning_effort": "low"},
        {"include_reasoning": False},
        "reasoning",
        {"effort": "low", "exclude": True},
    ),
]
rivals = pytest.mark.parametrize("rivals", RIVALS, ids=str)


@rivals
def test_a_call_wins_over_what_was_bound(
    emulator: Emulator, model: ChatOpenRouterO3, rivals: Any
) -> None:
    first, second, key, expected = rivals
    model.bind(**first).invoke("Hello", **second)
    assert sent(emulator).get(key) == expected


@rivals
def test_a_later_binding_wins_over_an_earlier_one(
    emulator: Emulator, model: ChatOpenRouterO3, rivals: Any
) -> None:
    first, second, key, expected = rivals
    model.bind(**first).bind(**second).invoke("Hello")
    assert sent(emulator).get(key) == expected
    model.bind(**second).bind(**first).invoke("Hello", **second)
    assert sent(emulator).get(key) == expected


def test_the_constructor_is_what_the_last_word_is_added_to(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(
        base_url=emulator.base_url, api_key=KEY, reasoning={"effort": "low", "summary": "auto"}
    )
    model.bind(reasoning_effort="medium").invoke("Hello", reasoning_effort="high")
    assert sent(emulator)["reasoning"] == {"effort": "high", "summary": "auto"}
    model.bind(reasoning=QUIET).invoke("Hello", reasoning_effort="high")
    assert sent(emulator)["reasoning"] == {"effort": "high", "exclude": True}


def test_the_last_of_three_wins_whatever_its_name(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.bind(max_tokens=100).bind(max_completion_tokens=200).invoke("Hello", max_tokens=300)
    assert sent(emulator)["max_tokens"] == 300
    bound = model.bind(max_completion_tokens=100).bind(max_tokens=200)
    bound.bind(max_completion_tokens=300).invoke("Hello")
    assert sent(emulator)["max_tokens"] == 300


def collect_batch(bound: Any, **call: Any) -> None:
    bound.batch(["Hello"], **call)


def collect_abatch(bound: Any, **call: Any) -> None:
    asyncio.run(bound.abatch(["Hello"], return_exceptions=True, **call))


def collect_as_completed(bound: Any, **call: Any) -> None:
    list(bound.batch_as_completed(["Hello"], return_exceptions=False, **call))


def collect_aas_completed(bound: Any, **call: Any) -> None:
    async def collect() -> None:
        _ = [item async for item in bound.abatch_as_completed(["Hello"], **call)]

    asyncio.run(collect())


def collect_stream(bound: Any, **call: Any) -> None:
    list(bound.stream("Hello", **call))


def collect_astream(bound: Any, **call: Any) -> None:
    async def collect() -> None:
        _ = [item async for item in bound.astream("Hello", **call)]

    asyncio.run(collect())


def collect_transform(bound: Any, **call: Any) -> None:
    list(bound.transform(iter(["Hello"]), **call))


def collect_atransform(bound: Any, **call: Any) -> None:
    async def words() -> Any:
        yield "Hello"

    async def collect() -> None:
        _ = [item async for item in bound.atransform(words(), **call)]

    asyncio.run(collect())


def collect_events(bound: Any, **call: Any) -> None:
    list(bound.stream_events("Hello", version="v3", **call))


def collect_aevents(bound: Any, **call: Any) -> None:
    async def collect() -> None:
        _ = [item async for item in bound.astream_events("Hello", version="v2", **call)]

    asyncio.run(collect())


def collect_aevents_v3(bound: Any, **call: Any) -> None:
    async def collect() -> None:
        await (await bound.astream_events("Hello", version="v3", **call)).output

    asyncio.run(collect())


def collect_ainvoke(bound: Any, **call: Any) -> None:
    asyncio.run(bound.ainvoke(input="Hello", **call))


WAYS: list[Callable[..., None]] = [
    collect_batch,
    collect_abatch,
    collect_as_completed,
    collect_aas_completed,
    collect_stream,
    collect_astream,
    collect_transform,
    collect_atransform,
    collect_events,
    collect_aevents,
    collect_aevents_v3,
    collect_ainvoke,
]


@pytest.mark.filterwarnings("ignore:.*is in beta")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_of_calling_lets_the_call_win(
    emulator: Emulator, model: ChatOpenRouterO3, way: Callable[..., None]
) -> None:
    bound = model.bind(max_tokens=100, seed=4)
    way(bound, max_completion_tokens=200, reasoning_effort="low")
    assert (sent(emulator)["max_tokens"], sent(emulator)["seed"]) == (200, 4)
    way(bound)
    assert (sent(emulator)["max_tokens"], sent(emulator)["seed"]) == (100, 4)


@every_mode
def test_a_calls_stop_sequences_win(emulator: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    body = wire.sse(wire.chunk("one two three"), *wire.ending())
    streamed = Canned(headers={"content-type": "text/event-stream"}, pieces=body)
    emulator.play(streamed, streamed)
    for first, second in (
        ({"stop": ["three"]}, {"stop_sequences": ["two"]}),
        ({"stop_sequences": ["three"]}, {"stop": ["two"]}),
    ):
        bound: Any = model.bind(**first).bind(**second)
        assert MODES[mode](bound).response_metadata["stop_sequence"] == "two"


def test_default_headers_of_a_call_win_over_bound_extra_headers(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.bind(extra_headers={"X-A": "1"}).invoke("Hello", default_headers={"X-B": "2"})
    headers = emulator.requests[-1].headers
    assert headers["x-b"] == "2"
    assert "x-a" not in headers


def test_one_caller_who_says_it_twice_is_still_refused(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    twice: Any = {"max_tokens": 100, "max_completion_tokens": 200}
    with pytest.raises(OpenRouterInputError, match="twice"):
        model.invoke("Hello", **twice)
    with pytest.raises(OpenRouterInputError, match="twice"):
        model.bind(**twice).invoke("Hello")
    with pytest.raises(OpenRouterInputError, match="twice"):
        model.bind(max_tokens=100).invoke("Hello", **twice)
    with pytest.raises(OpenRouterInputError, match="drop one"):
        model.bind(reasoning={"effort": "low"}, reasoning_effort="high").invoke("Hello")
    with pytest.raises(ValidationError, match="twice"):
        ChatOpenRouterO3(api_key=KEY, **twice)
    assert emulator.requests == []


def test_a_later_binding_settles_what_an_earlier_one_said_twice(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.bind(max_tokens=100, max_completion_tokens=200).bind(max_tokens=300).invoke("Hello")
    assert sent(emulator)["max_tokens"] == 300


def test_nonsense_that_is_bound_is_refused_by_the_call(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.raises(OpenRouterInputError, match="reasoning"):
        model.bind(reasoning="much").invoke("Hello", reasoning_effort="low")
    assert emulator.requests == []


# --- Nothing is forgotten ---


@every_mode
def test_bound_arguments_stay_when_tools_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    bound: Any = model.bind(seed=4, reasoning_effort="low").bind_tools([get_weather], user="u")
    MODES[mode](bound)
    body = sent(emulator)
    assert (body["seed"], body["reasoning"], body["user"]) == (4, {"effort": "low"}, "u")
    assert names_of(body) == ["get_weather"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("include_raw", [False, True])
@every_mode
def test_bound_arguments_and_tools_stay_in_structured_output(
    emulator: Emulator, model: ChatOpenRouterO3, method: Any, mode: str, *, include_raw: bool
) -> None:
    bound: Any = model.bind(seed=4).bind_tools([get_weather], max_tokens=900)
    called: dict[str, Any] = {"tool_calls": [wire.tool_call("Person", '{"name":"Ada"}')]}
    body = (
        wire.body(None, finish="tool_calls", **called)
        if method == "function_calling"
        else wire.body('{"name":"Ada"}')
    )
    emulator.play(Canned(pieces=wire.to_json(body)))
    structured: Any = bound.with_structured_output(Person, method=method, include_raw=include_raw)
    found = asyncio.run(structured.ainvoke("As JSON")) if "a" in mode else structured.invoke("JSON")
    assert (found["parsed"] if include_raw else found) == Person(name="Ada")
    body = sent(emulator)
    assert (body["seed"], body["max_tokens"]) == (4, 900)
    expected = ["get_weather", *(["Person"] if method == "function_calling" else [])]
    assert names_of(body) == expected
    if method == "function_calling":
        assert body["tool_choice"]["function"]["name"] == "Person"
    else:
        assert "tool_choice" not in body


def test_tools_of_structured_output_join_those_that_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    web: dict[str, Any] = {"type": "openrouter:web_search"}
    bound: Any = model.bind_tools([get_weather, web])
    for tools, expected in (
        ([add], ["get_weather", None, "add"]),
        ([add, web], ["get_weather", "add", None]),
    ):
        bound.with_structured_output(Person, tools=tools).invoke("Ada")
        names = [tool.get("function", tool).get("name") for tool in sent(emulator)["tools"]]
        assert names == expected
    bound.bind(tools=[add, get_weather]).with_structured_output(
        Person, tools=[get_weather], strict=False
    ).invoke("Ada")
    assert names_of(sent(emulator)) == ["add", "get_weather"]


@pytest.mark.parametrize("place", ["bound", "constructor", "same call"])
@pytest.mark.parametrize(
    ("method", "expected"),
    [("json_schema", "json_schema"), ("function_calling", None), ("json_mode", "json_object")],
)
def test_a_schema_replaces_every_other_format(
    emulator: Emulator, place: str, method: Any, expected: str | None
) -> None:
    class Other(BaseModel):
        other: str

    early: dict[str, Any] = {"response_format": Other}
    built: Any = {**early} if place == "constructor" else {}
    model: Any = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, **built)
    model = model.bind(**early) if place == "bound" else model
    late = early if place == "same call" else {}
    chain = model.with_structured_output(Person, method=method, include_raw=True, **late)
    chain.invoke("Ada Lovelace, born 1815, as JSON")
    assert sent(emulator).get("response_format", {}).get("type") == expected
    assert "Other" not in json.dumps(sent(emulator))
    assert ("tools" in sent(emulator)) == (method == "function_calling")


def test_later_tools_replace_earlier_ones_and_their_choice(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    forced: Any = model.bind_tools([get_weather], tool_choice="get_weather")
    forced.bind_tools([add]).invoke("Hello")
    assert names_of(sent(emulator)) == ["add"]
    assert "tool_choice" not in sent(emulator)
    forced.bind_tools([]).invoke("Hello")
    assert names_of(sent(emulator)) == ["get_weather"]
    assert sent(emulator)["tool_choice"]["function"]["name"] == "get_weather"
    model.bind(tool_choice="any").bind_tools([add]).invoke("Hello")
    assert sent(emulator)["tool_choice"] == "required"
    plain: Any = model.bind_tools([get_weather])
    plain.bind_tools([], tool_choice="get_weather").invoke("Hello")
    assert sent(emulator)["tool_choice"]["function"]["name"] == "get_weather"
    with pytest.raises(OpenRouterInputError, match="needs tools"):
        model.bind(seed=4).bind_tools([], tool_choice="any")
    with pytest.raises(OpenRouterInputError, match="get_weather"):
        plain.bind_tools([], tool_choice="nobody")


def test_a_typo_is_refused_when_tools_are_bound_to_a_binding(model: ChatOpenRouterO3) -> None:
    with pytest.raises(OpenRouterInputError, match="Did you mean 'seed'"):
        model.bind(seed=4).bind_tools([add], sed=4)
    with pytest.raises(OpenRouterInputError, match="Did you mean 'seed'"):
        model.bind(seed=4).with_structured_output(Person, sed=4)


# --- The ways of LangChain around a model ---


AT_ONCE: Any = {"stop_after_attempt": 2, "wait_exponential_jitter": False}


class House(ChatOpenRouterO3):
    """A model with defaults and retries of its own where tools and schemas are bound."""

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        bound = super().bind_tools(tools, **{"strict": True, **options})
        return bound.with_retry(**AT_ONCE)

    def with_structured_output(self, schema: Any, **options: Any) -> Any:
        return super().with_structured_output(schema, **{"method": "function_calling", **options})


class Seeded(ChatOpenRouterO3):
    """A model whose methods bind first, and go on from there."""

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        retried: Any = self.with_retry(**AT_ONCE)
        return retried.bind_tools(tools, **options)

    def with_structured_output(self, schema: Any, **options: Any) -> Any:
        return self.bind(seed=4).with_structured_output(schema, **options)


def test_a_subclass_may_bind_before_it_goes_on(emulator: Emulator) -> None:
    model = Seeded(base_url=emulator.base_url, api_key=SecretStr(KEY), max_retries=0)
    for chain in (model, model.bind(user="u"), model.bind_tools([get_weather])):
        emulator.play(faults.status(503))
        assert chain.with_structured_output(Person).invoke("Ada, born 1815").born == 1815
        assert sent(emulator)["seed"] == 4


SEED = ConfigurableField(id="seed")
AROUND: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda model: model,
    "bind": lambda model: model.bind(seed=4),
    "with_config": lambda model: model.with_config(tags=["a"]),
    "with_retry": lambda model: model.with_retry(**AT_ONCE),
    "retries twice": lambda model: model.bind(seed=4).with_retry(**AT_ONCE).with_retry(**AT_ONCE),
    "with_types": lambda model: model.with_types(output_type=AIMessage),
    "configurable_fields": lambda model: model.configurable_fields(seed=SEED),
    "fields and retries": lambda model: model.configurable_fields(seed=SEED).with_retry(**AT_ONCE),
    "fields of a binding": lambda model: model.bind().configurable_fields(kwargs=SEED).bind(),
    "configurable_alternatives": lambda model: model.configurable_alternatives(SEED, other=model),
}
every_wrapper = pytest.mark.parametrize("wrap", AROUND.values(), ids=AROUND)


@every_wrapper
def test_the_methods_of_a_subclass_are_called_whatever_is_around_it(
    emulator: Emulator, wrap: Callable[[Any], Any]
) -> None:
    model = House(base_url=emulator.base_url, api_key=SecretStr(KEY), max_retries=0)
    wrapped = wrap(model).bind(user="u").bind_tools([get_weather], strict=None)
    emulator.play(faults.status(503))
    assert wrapped.with_structured_output(Person).invoke("Ada, born 1815").born == 1815
    assert len(emulator.requests) == 2
    assert sent(emulator)["user"] == "u"
    strict = {
        tool["function"]["name"]: "strict" in tool["function"] for tool in sent(emulator)["tools"]
    }
    assert strict == {"get_weather": False, "Person": True}
    wrapped.bind_tools([add]).invoke("Hello")
    assert (names_of(sent(emulator)), sent(emulator)["user"]) == (["add"], "u")
    assert sent(emulator)["tools"][0]["function"]["strict"] is True


@every_wrapper
@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_a_model_is_one_to_middleware_whatever_is_around_it(
    emulator: Emulator, model: ChatOpenRouterO3, wrap: Callable[[Any], Any]
) -> None:
    wrapped = wrap(model)
    assert (wrapped.model_name, wrapped.profile) == (model.model_name, model.profile)
    with pytest.raises(AttributeError, match="nothing_known"):
        _ = wrapped.nothing_known
    clear = ClearToolUsesEdit(trigger=1, keep=0)
    guards: list[Any] = [
        SummarizationMiddleware(wrapped, trigger=("tokens", 9000)),
        ContextEditingMiddleware(edits=[clear], token_count_method="model"),
    ]
    agent: Any = create_agent(wrapped, [get_weather], middleware=guards)
    agent.invoke({"messages": [("user", "Use get_weather for Paris")]})
    assert "[cleared]" in str(sent(emulator)["messages"])


class Starts(BaseCallbackHandler):
    """Keeps the tags of the runs that it hears of."""

    def __init__(self) -> None:
        self.tags: list[Any] = []

    def on_chat_model_start(self, *args: Any, tags: Any = None, **kwargs: Any) -> None:  # noqa: ARG002 - the interface's
        self.tags.append(tags)


def test_a_configuration_stays_when_tools_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    spy = Starts()
    for configured in (
        model.with_config(tags=["a"], callbacks=[spy]),
        model.with_config({"tags": ["a"], "callbacks": [spy]}),
        model.bind(seed=4).with_config(tags=["a"], callbacks=[spy]),
        model.with_config(tags=["a"]).bind(seed=4).with_config(callbacks=[spy]),
    ):
        runnable: Any = configured
        runnable.bind_tools([add]).invoke("Hello")
        runnable.with_structured_output(Person).invoke("Ada")
    assert len(spy.tags) == 8
    assert all("a" in tags for tags in spy.tags)
    assert sent(emulator)["seed"] == 4


def test_listeners_and_types_stay_when_tools_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    heard: list[Any] = []
    bound: Any = model.bind(seed=4).with_listeners(on_end=heard.append)
    bound = bound.with_types(output_type=AIMessage)
    bound.bind_tools([add]).invoke("Hello")
    assert len(heard) == 1
    assert bound.bind_tools([add]).OutputType is AIMessage
    assert sent(emulator)["seed"] == 4


@pytest.mark.parametrize("first", ["bind", "with_retry"])
def test_retries_and_arguments_stay_when_tools_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3, first: str
) -> None:
    emulator.play(faults.status(503))
    bound: Any = model.bind(seed=4).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    if first == "with_retry":
        bound = bound.bind(user="u")
    bound.bind_tools([add]).invoke("Hello")
    assert len(emulator.requests) == 2
    assert sent(emulator)["seed"] == 4
    assert names_of(sent(emulator)) == ["add"]


def test_fallbacks_keep_what_each_of_them_has_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    other = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini")
    chain: Any = model.bind(seed=4).with_fallbacks([other.bind(seed=5)])
    emulator.play(faults.status(503))
    chain.bind_tools([add]).invoke("Hello")
    first, second = (request.body or {} for request in emulator.requests)
    assert (first["seed"], names_of(first)) == (4, ["add"])
    assert (second["seed"], second["model"], names_of(second)) == (5, "openai/o4-mini", ["add"])
    emulator.play(faults.status(503))
    found = chain.with_structured_output(Person).invoke("Ada Lovelace, born 1815")
    assert (found.born, sent(emulator)["seed"]) == (1815, 5)


def test_configurable_fields_of_a_binding_work(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    field = ConfigurableField(id="arguments")
    chosen: Any = model.bind(seed=4).configurable_fields(kwargs=field)
    chosen.invoke("Hello")
    assert sent(emulator)["seed"] == 4
    chosen.with_config(configurable={"arguments": {"seed": 5}}).invoke("Hello")
    assert sent(emulator)["seed"] == 5


def test_a_binding_is_cores_to_those_who_look(model: ChatOpenRouterO3) -> None:
    for bound in (model.bind(seed=4), model.bind_tools([add]), model.with_config(tags=["a"])):
        assert isinstance(bound, RunnableBinding)
        assert bound.bound is model
    assert model.bind(seed=4).profile == model.profile
    assert model.bind(seed=4).model_name == model.model_name


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_an_agent_keeps_what_its_model_has_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    bound: Any = model.bind(seed=4, reasoning_effort="low")
    agent: Any = create_agent(bound, [get_weather])
    question = {"messages": [("user", "Use get_weather for Paris")]}
    assert "21 degrees" in agent.invoke(question)["messages"][-1].text
    agent = create_agent(bound, [])
    agent.invoke(question)
    agent = create_agent(bound, [get_weather], response_format=Person)
    agent.invoke(question)
    bodies = [request.body or {} for request in emulator.requests]
    assert {body["seed"] for body in bodies} == {4}
    assert [body["reasoning"] for body in bodies] == [{"effort": "low"}] * len(bodies)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_langgraphs_older_agent_keeps_what_its_model_has_bound(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    question = {"messages": [("user", "Use get_weather for Paris")]}
    for bound in (model.bind(seed=4), model.bind(seed=4).bind_tools([get_weather])):
        agent: Any = create_react_agent(bound, [get_weather])
        assert "21 degrees" in agent.invoke(question)["messages"][-1].text
    assert {(request.body or {})["seed"] for request in emulator.requests} == {4}


@pytest.mark.filterwarnings("ignore:.*`load` is in beta")
def test_a_binding_is_written_as_cores_and_read_again(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    bound = model.bind(seed=4).bind(max_completion_tokens=900)
    written = json.loads(json.dumps(dumpd(bound)))
    assert written["id"] == ["langchain", "schema", "runnable", "RunnableBinding"]
    read = load(
        written,
        allowed_objects=[ChatOpenRouterO3, RunnableBinding],
        valid_namespaces=["langchain_openrouter_o3"],
        secrets_map={"OPENROUTER_API_KEY": KEY},
    )
    read.invoke("Hello")
    assert (sent(emulator)["seed"], sent(emulator)["max_tokens"]) == (4, 900)


def test_a_binding_can_be_copied_and_pickled(
    emulator: Emulator, model: ChatOpenRouterO3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    bound = model.bind(seed=4)
    for again in (copy.copy(bound), copy.deepcopy(bound), pickle.loads(pickle.dumps(bound))):
        again.bind_tools([add]).invoke("Hello", max_tokens=900)
        assert (sent(emulator)["seed"], sent(emulator)["max_tokens"]) == (4, 900)


SECRET = "s3cret-in-header"


@pytest.mark.parametrize("name", ["extra_headers", "default_headers"])
def test_headers_that_are_bound_are_shown_nowhere(
    emulator: Emulator, model: ChatOpenRouterO3, name: str
) -> None:
    bound = model.bind(**{name: {"X-Tenant": SECRET}}, seed=4)
    chain = bound | RunnableLambda(str)
    tools: Any = bound.bind_tools([add])
    for each in (bound, chain, tools, bound.with_config(tags=["a"])):
        assert SECRET not in f"{each!r} {each} {dumps(each)}"
    assert "X-Tenant" in repr(bound)
    bound.invoke("Hello")
    assert emulator.requests[-1].headers["x-tenant"] == SECRET
    with pytest.raises(TypeError, match="credentials"):
        pickle.dumps(bound)
    assert pickle.dumps(model.bind(**{name: None}))


@pytest.mark.filterwarnings("ignore:.*`load` is in beta")
def test_a_written_binding_does_not_call_without_its_headers(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    written = json.loads(dumps(model.bind(extra_headers={"X-Tenant": SECRET}, seed=4)))
    read = load(
        written,
        allowed_objects=[ChatOpenRouterO3, RunnableBinding],
        valid_namespaces=["langchain_openrouter_o3"],
        secrets_map={"OPENROUTER_API_KEY": KEY},
    )
    with pytest.raises(OpenRouterInputError, match="bind them again"):
        read.invoke("Hello")
    read.invoke("Hello", extra_headers={"X-Tenant": "again"})
    assert emulator.requests[-1].headers["x-tenant"] == "again"
