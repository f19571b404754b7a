"""Choices that a call's configuration makes: tools and schemas that are bound later keep them."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.load import dumpd
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.runnables.configurable import (
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from langchain_core.runnables.utils import ConfigurableFieldSingleOption
from pydantic import BaseModel, ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.conftest import KEY
from tests.contract.test_bound_models import WAYS as CALLS
from tests.helpers.agents import (
    FORMS,
    WARNING,
    Turn,
    answer_by,
    bodies,
    call,
    play,
    say,
    tool_names,
)
from tests.helpers.factories import get_weather

pytestmark = pytest.mark.filterwarnings(WARNING)
METHODS = ["json_schema", "function_calling", "json_mode"]
every_method = pytest.mark.parametrize("method", METHODS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
Configure = Callable[[Any, dict[str, Any]], Any]


async def last_of(chunks: Any) -> Any:
    return [chunk async for chunk in chunks][-1]


# Each asks one question, with a configuration given to the call.
WAYS: dict[str, Configure] = {
    "invoke": lambda chain, given: chain.invoke("As JSON", {"configurable": given}),
    "ainvoke": lambda chain, given: asyncio.run(chain.ainvoke("As JSON", {"configurable": given})),
    "stream": lambda chain, given: [*chain.stream("As JSON", {"configurable": given})][-1],
    "astream": lambda chain, given: asyncio.run(
        last_of(chain.astream("As JSON", {"configurable": given}))
    ),
    "batch": lambda chain, given: chain.batch(["As JSON"], {"configurable": given})[0],
    "abatch": lambda chain, given: asyncio.run(chain.abatch(["As JSON"], {"configurable": given}))[
        0
    ],
    "as completed": lambda chain, given: next(
        iter(chain.batch_as_completed(["As JSON"], {"configurable": given}))
    )[1],
    "with_config": lambda chain, given: chain.with_config(configurable=given).invoke("As JSON"),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def answer(emulator: Emulator, form: Any) -> None:
    """Answer by a call if one is forced, else by a text."""

    def choose(body: dict[str, Any]) -> Turn:
        forced = isinstance(body.get("tool_choice"), dict)
        return call((form[0].__name__, form[1])) if forced else say(form[1])

    answer_by(emulator, choose)


def last(emulator: Emulator) -> dict[str, Any]:
    return bodies(emulator)[-1]


def fields(model: Any) -> Any:
    return model.configurable_fields(
        model=ConfigurableField(id="model"),
        max_tokens=ConfigurableField(id="limit"),
        reasoning_effort=ConfigurableField(id="effort"),
    )


# Before Python 3.11, LangGraph hands no configuration on to what runs in tasks.
IN_TASKS = pytest.param(
    True, marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
)
OTHER = {"llm": "other"}
CHOICE = {"model": "openai/o4-mini", "limit": 900, "effort": "low"}


def check_choice(body: dict[str, Any], *, chosen: bool = True) -> None:
    found = (body["model"], body.get("max_tokens"), body.get("reasoning"))
    expected = (
        ("openai/o4-mini", 900, {"effort": "low"}) if chosen else ("openai/o3-mini", None, None)
    )
    assert found == expected


# --- Fields ---


@every_way
@every_method
@every_form
def test_fields_stay_configurable_when_a_schema_is_bound(
    emulator: Emulator, model: ChatOpenRouterO3, way: Configure, method: str, form: Any
) -> None:
    chain = fields(model).with_structured_output(form[0], method=method)
    answer(emulator, form)
    assert way(chain, CHOICE) == form[2]
    check_choice(last(emulator))
    assert chain.invoke("As JSON") == form[2]
    check_choice(last(emulator), chosen=False)


@every_way
def test_fields_stay_configurable_when_tools_are_bound(
    emulator: Emulator, model: ChatOpenRouterO3, way: Configure
) -> None:
    chain = fields(model).bind_tools([get_weather], tool_choice="get_weather")
    way(chain, CHOICE)
    check_choice(last(emulator))
    assert tool_names(last(emulator)) == ["get_weather"]
    assert last(emulator)["tool_choice"]["function"]["name"] == "get_weather"


@pytest.mark.filterwarnings("ignore:.*is in beta")
@pytest.mark.parametrize("call", CALLS, ids=lambda way: way.__name__)
def test_every_way_of_calling_keeps_the_configuration_and_the_call(
    emulator: Emulator, model: ChatOpenRouterO3, call: Callable[..., None]
) -> None:
    for chain in (
        fields(model).with_config(configurable=CHOICE).bind_tools([get_weather], seed=4),
        fields(model).bind_tools([get_weather], seed=4).with_config(configurable=CHOICE),
        alternatives(model, emulator)
        .with_config(configurable=OTHER)
        .bind_tools([get_weather], seed=4, max_tokens=900, reasoning_effort="low"),
    ):
        call(chain, user="u")
        check_choice(last(emulator))
        assert (last(emulator)["seed"], last(emulator)["user"]) == (4, "u")
        assert tool_names(last(emulator)) == ["get_weather"]


def test_the_order_of_binding_and_configuring_is_free(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    form = FORMS["closed"]
    answer(emulator, form)
    given: Any = {"configurable": CHOICE}
    open_model = fields(model)
    for chain in (
        open_model.bind(seed=4).with_structured_output(form[0]),
        open_model.bind(seed=4).bind_tools([get_weather]).with_structured_output(form[0]),
        open_model.with_structured_output(form[0], seed=4),
        open_model.with_retry(stop_after_attempt=2).bind(seed=4).with_structured_output(form[0]),
        open_model.with_listeners().bind(seed=4).with_structured_output(form[0]),
        open_model.with_alisteners().bind(seed=4).with_structured_output(form[0]),
        open_model.with_types().bind(seed=4).with_structured_output(form[0]),
        ChatPromptTemplate.from_messages([("human", "{q}")])
        | open_model.with_structured_output(form[0], seed=4),
    ):
        asked: Any = {"q": "As JSON"} if hasattr(chain.first, "messages") else "As JSON"
        assert chain.invoke(asked, given) == form[2]
        check_choice(last(emulator))
        assert last(emulator)["seed"] == 4


def test_a_configuration_that_is_given_first_is_the_calls_to_change(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    form = FORMS["closed"]
    answer(emulator, form)
    chosen = fields(model).with_config(configurable={**CHOICE, "limit": 100})
    chain = chosen.with_structured_output(form[0])
    assert chain.invoke("As JSON", {"configurable": {"limit": 900}}) == form[2]
    check_choice(last(emulator))


def test_more_fields_may_be_opened_and_all_are_told(model: ChatOpenRouterO3) -> None:
    more: Any = fields(model)
    more = more.configurable_fields(seed=ConfigurableField(id="seed", description="Chance"))
    chain = more.with_structured_output(FORMS["closed"][0])
    assert {spec.id for spec in chain.config_specs} == {"model", "limit", "effort", "seed"}
    with pytest.raises(ValueError, match="sede"):
        model.configurable_fields(sede=ConfigurableField(id="seed"))


def test_options_stay_open(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    option = ConfigurableFieldSingleOption(id="size", options={"s": 100, "l": 900}, default="s")
    opened: Any = model.configurable_fields(max_tokens=option)
    bound = opened.bind_tools([get_weather])
    bound.invoke("Hello", {"configurable": {"size": "l"}})
    assert last(emulator)["max_tokens"] == 900
    bound.invoke("Hello")
    assert last(emulator)["max_tokens"] == 100


def test_a_configured_value_is_checked(model: ChatOpenRouterO3, emulator: Emulator) -> None:
    chain = fields(model).with_structured_output(FORMS["closed"][0])
    with pytest.raises(ValidationError, match="reasoning_effort"):
        chain.invoke("As JSON", {"configurable": {"effort": "much"}})
    assert emulator.requests == []


def test_what_is_bound_to_a_binding_stays_open(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    """The arguments of a binding are themselves a field."""
    bound: Any = model.bind(seed=4).configurable_fields(kwargs=ConfigurableField(id="arguments"))
    chain = bound.bind_tools([get_weather])
    chain.invoke("Hello")
    assert last(emulator)["seed"] == 4
    chain.invoke("Hello", {"configurable": {"arguments": {"seed": 5, "max_tokens": 900}}})
    assert (last(emulator)["seed"], last(emulator)["max_tokens"]) == (5, 900)
    assert tool_names(last(emulator)) == ["get_weather"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
def test_an_agent_is_configured_through_its_graph(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    agent: Any = create_agent(fields(model), [get_weather])
    question = {"messages": [("user", "Use get_weather for Rome")]}
    result = agent.invoke(question, {"configurable": CHOICE})
    assert "Sunny in Rome." in result["messages"][-1].text
    for body in bodies(emulator):
        check_choice(body)
        assert tool_names(body) == ["get_weather"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph")
@pytest.mark.parametrize("asynchronous", [False, IN_TASKS])
@every_form
def test_an_agent_with_a_format_takes_a_model_with_choices(
    emulator: Emulator, model: ChatOpenRouterO3, form: Any, *, asynchronous: bool
) -> None:
    """LangChain takes it for no chat model that has a profile, so the object comes by a tool."""
    for opened, given in ((fields(model), CHOICE), (alternatives(model, emulator), OTHER)):
        play(emulator, call(("get_weather", {"city": "Rome"})), call((form[0].__name__, form[1])))
        agent: Any = create_agent(opened, [get_weather], response_format=form[0])
        question, config = {"messages": [("user", "As JSON")]}, {"configurable": given}
        found = (
            asyncio.run(agent.ainvoke(question, config))
            if asynchronous
            else agent.invoke(question, config)
        )
        assert found["structured_response"] == form[2]
        assert {body["model"] for body in bodies(emulator)[-2:]} == {"openai/o4-mini"}


def test_a_fallback_is_configured_too(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    form = FORMS["closed"]
    answer(emulator, form)
    careful = fields(model).with_fallbacks([fields(model)])
    for chain in (
        careful.with_structured_output(form[0]),
        fields(model)
        .with_structured_output(form[0])
        .with_fallbacks([fields(model).with_structured_output(form[0])]),
    ):
        emulator.play(faults.status(503))
        assert chain.invoke("As JSON", {"configurable": CHOICE}) == form[2]
        for body in bodies(emulator):
            check_choice(body)


# --- Alternatives ---


def alternatives(model: Any, emulator: Emulator, *, late: bool = False, **options: Any) -> Any:
    def build() -> ChatOpenRouterO3:
        return ChatOpenRouterO3(
            base_url=emulator.base_url, api_key=KEY, model="openai/o4-mini", max_retries=0
        )

    which = ConfigurableField(id="llm")
    return model.configurable_alternatives(
        which, default_key="mini", other=build if late else build(), **options
    )


@pytest.mark.parametrize("case", [(late, method) for late in (False, True) for method in METHODS])
@every_way
@every_form
def test_every_alternative_gets_the_schema(
    emulator: Emulator, model: ChatOpenRouterO3, way: Configure, form: Any, case: tuple[bool, str]
) -> None:
    late, method = case
    chain = alternatives(model, emulator, late=late).with_structured_output(form[0], method=method)
    answer(emulator, form)
    for name, slug in (("other", "openai/o4-mini"), ("mini", "openai/o3-mini")):
        assert way(chain, {"llm": name}) == form[2]
        assert last(emulator)["model"] == slug
    assert chain.invoke("As JSON") == form[2]
    assert last(emulator)["model"] == "openai/o3-mini"


@pytest.mark.parametrize("late", [False, True])
@every_way
def test_every_alternative_gets_the_tools(
    emulator: Emulator, model: ChatOpenRouterO3, way: Configure, *, late: bool
) -> None:
    chain = alternatives(model.bind(seed=4), emulator, late=late).bind(user="u")
    chain = chain.bind_tools([get_weather])
    for name, seed in (("other", None), ("mini", 4)):
        way(chain, {"llm": name})
        assert tool_names(last(emulator)) == ["get_weather"]
        assert (last(emulator).get("seed"), last(emulator)["user"]) == (seed, "u")


@pytest.mark.parametrize("prefix", [False, True])
def test_alternatives_may_have_fields_of_their_own(
    emulator: Emulator, model: ChatOpenRouterO3, *, prefix: bool
) -> None:
    form = FORMS["closed"]
    answer(emulator, form)
    seeded: Any = model.configurable_fields(seed=ConfigurableField(id="seed"))
    chain = alternatives(seeded, emulator, prefix_keys=prefix).with_structured_output(form[0])
    key = "llm==mini/seed" if prefix else "seed"
    assert chain.invoke("As JSON", {"configurable": {"llm": "mini", key: 7}}) == form[2]
    assert last(emulator)["seed"] == 7
    assert key in {spec.id for spec in chain.config_specs}
    chain = alternatives(model, emulator).configurable_fields(seed=ConfigurableField(id="seed"))
    chain.with_structured_output(form[0]).invoke("As JSON", {"configurable": {"seed": 8}})
    assert last(emulator)["seed"] == 8


def test_an_unknown_alternative_is_named(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    chain = alternatives(model, emulator).with_structured_output(FORMS["closed"][0])
    with pytest.raises(ValueError, match="nobody"):
        chain.invoke("As JSON", {"configurable": {"llm": "nobody"}})
    with pytest.raises(OpenRouterInputError, match="sed"):
        alternatives(model, emulator).bind_tools([get_weather], sed=4)
    assert emulator.requests == []


@pytest.mark.parametrize("late", [False, True])
def test_retries_listeners_and_types_serve_every_alternative(
    emulator: Emulator, model: ChatOpenRouterO3, *, late: bool
) -> None:
    form = FORMS["closed"]
    answer(emulator, form)
    heard: list[Any] = []

    async def hear(run: Any) -> None:
        heard.append(run)

    chain = alternatives(model, emulator, late=late).with_listeners(on_end=heard.append)
    chain = chain.with_alisteners(on_end=hear).with_types(input_type=str)
    chain = chain.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    chain = chain.with_structured_output(form[0])
    for name in ("other", "mini"):
        emulator.play(faults.status(503))
        asked = chain.ainvoke("As JSON", {"configurable": {"llm": name}})
        assert asyncio.run(asked) == form[2]
    assert len(heard) == 4
    assert chain.default.first.InputType is str


# --- As others see them ---


def test_they_are_cores_to_those_who_look(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    opened, chosen = fields(model), alternatives(model, emulator)
    assert isinstance(opened, RunnableConfigurableFields)
    assert isinstance(chosen, RunnableConfigurableAlternatives)
    assert opened.model_name == chosen.model_name == model.model_name
    for each, name in (
        (opened, "RunnableConfigurableFields"),
        (chosen, "RunnableConfigurableAlternatives"),
    ):
        written = json.loads(json.dumps(dumpd(each)))
        assert written["id"] == ["langchain", "schema", "runnable", name]
        assert KEY not in json.dumps(written)
        assert KEY not in repr(each)


def test_they_can_be_copied_and_pickled(
    emulator: Emulator, model: ChatOpenRouterO3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    for original, given in (
        (fields(model).bind_tools([get_weather]), CHOICE),
        (alternatives(model, emulator).bind_tools([get_weather]), {"llm": "other"}),
    ):
        for again in (
            copy.copy(original),
            copy.deepcopy(original),
            pickle.loads(pickle.dumps(original)),
        ):
            again.invoke("Hello", {"configurable": given})
            assert last(emulator)["model"] == "openai/o4-mini"
            assert tool_names(last(emulator)) == ["get_weather"]


# --- What a model itself gives ---


class Person(BaseModel):
    """A person."""

    name: str


@pytest.mark.parametrize("after", ["tools", "schema"])
def test_a_models_own_retries_and_listeners_stay(
    emulator: Emulator, model: ChatOpenRouterO3, after: str
) -> None:
    heard: list[str] = []

    async def hear(run: Any) -> None:
        heard.append(f"async {run.name}")

    for chain, count in (
        (model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False), 0),
        (model.with_listeners(on_end=lambda _: heard.append("end")), 1),
        (model.with_alisteners(on_end=hear), 1),
        (model.bind(seed=4).with_alisteners(on_end=hear).with_listeners(on_end=print), 1),
        (
            model.with_alisteners(on_end=hear).with_retry(
                stop_after_attempt=2, wait_exponential_jitter=False
            ),
            1,
        ),
        (model.with_types(output_type=Person), 0),
    ):
        runnable: Any = chain
        heard.clear()
        emulator.reset()
        retried = "RunnableRetry" in type(runnable.bound).__name__
        emulator.play(*[faults.status(503)] * retried)
        answer_by(emulator, lambda _: say({"name": "Ada"}))
        found = (
            runnable.bind_tools([get_weather])
            if after == "tools"
            else runnable.with_structured_output(Person)
        )
        asyncio.run(found.ainvoke("As JSON"))
        assert len(heard) == count
        assert len(emulator.requests) == 1 + retried
    typed: Any = model.with_types(output_type=Person)
    assert typed.bind_tools([get_weather]).OutputType is Person


def test_a_model_that_is_retried_is_still_a_chat_model_to_an_agent(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    emulator.play(faults.status(503))
    retrying: Any = model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    chain = RunnableLambda(str) | retrying.bind_tools([get_weather])
    assert chain.invoke("Use get_weather for Rome").tool_calls
    assert len(emulator.requests) == 2
