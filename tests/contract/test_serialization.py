"""Writing a model down: LangChain's JSON, pickles, copies. The key is in none of them."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load
from pydantic import BaseModel, create_model

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterAuthenticationError
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY


class Person(BaseModel):
    """A person."""

    name: str


RICH: dict[str, Any] = {
    "model": "openai/o4-mini",
    "reasoning": {"effort": "low", "summary": "auto"},
    "provider": {"order": ["OpenAI"], "max_price": {"prompt": 2}},
    "response_format": Person,
    "timeout": httpx.Timeout(5, read=60),
    "max_tokens": 900,
    "stop": ["END"],
    "seed": 7,
    "models": ["openai/o3"],
    "extra_body": {"debug": {"echo": True}},
    "user": "u",
}


@pytest.mark.filterwarnings("ignore:.*`load` is in beta")
@pytest.mark.parametrize("arguments", [{}, RICH], ids=["defaults", "rich"])
def test_the_round_trip_through_langchains_json_gives_an_equal_model(
    arguments: dict[str, Any],
) -> None:
    model = ChatOpenRouterO3(api_key=KEY, **arguments)
    written = json.loads(json.dumps(dumpd(model)))
    assert written["id"] == ["langchain_openrouter_o3", "chat_models", "ChatOpenRouterO3"]
    read = load(
        written,
        allowed_objects=[ChatOpenRouterO3],
        valid_namespaces=["langchain_openrouter_o3"],
        secrets_map={"OPENROUTER_API_KEY": KEY},
    )
    assert read.asdict() == model.asdict()
    assert read.timeout == model.timeout
    assert read.api_key == model.api_key
    assert dumps(read) == dumps(model)


def test_different_parameters_are_different_cache_entries() -> None:
    strings = {
        ChatOpenRouterO3(api_key=KEY, **arguments)._get_llm_string()
        for arguments in ({}, {"seed": 1}, {"seed": 2}, {"reasoning": {"effort": "low"}}, RICH)
    }
    assert len(strings) == 5


def _class(parameter: str) -> Any:
    return create_model("look_up", **{parameter: (str, ...)})  # type: ignore[call-overload] # a name


def _function(parameter: str) -> Any:
    def look_up_city(city: str) -> str:
        """Look something up."""
        return city

    def look_up_town(town: str) -> str:
        """Look something up."""
        return town

    function = look_up_city if parameter == "city" else look_up_town
    function.__name__ = "look_up"
    return function


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("response_format", _class),
        ("tools", lambda parameter: [_class(parameter)]),
        ("tools", lambda parameter: [_function(parameter)]),
    ],
    ids=["schema", "class as tool", "function as tool"],
)
def test_the_cache_is_asked_for_what_goes_out_not_for_its_name_or_address(
    argument: str, make: Callable[[str], Any]
) -> None:
    model = ChatOpenRouterO3(api_key=KEY)
    calls = [{argument: make(parameter)} for parameter in ("city", "town", "city")]
    city, town, again = (model._get_llm_string(**call) for call in calls)
    assert city == again != town


def test_a_cache_hears_of_what_was_assigned_and_uses_nothing_up(
    emulator: Emulator, recwarn: pytest.WarningsRecorder
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, cache=InMemoryCache())
    for parameter in ("city", "town"):  # the second iterator takes the first one's address
        model.invoke("Hello", tools=iter([_class(parameter)]))
        assert parameter in str((emulator.requests[-1].body or {})["tools"])
    for seed in (1, 2):
        model.seed = seed
        model.invoke("Hello")
    assert len(emulator.requests) == 4
    model.invoke("Hello", response_format=create_model("Open", of=(dict[str, str], ...)))
    assert len(recwarn) == 1


def test_the_written_form_that_tracers_get_is_made_anew_only_after_an_assignment(
    emulator: Emulator,
) -> None:
    """Below Python 3.12 a lock is held meanwhile, for which a child forked then waits for ever."""
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, seed=1)
    model.invoke("Hello")
    first = model._serialized
    model.invoke("Hello")
    assert model._serialized is first
    model.seed = 2
    model.invoke("Hello")
    assert (first["kwargs"]["seed"], model._serialized["kwargs"]["seed"]) == (1, 2)


def test_no_written_form_shows_the_key() -> None:
    model = ChatOpenRouterO3(api_key=KEY, **RICH)
    forms = (dumps(model), repr(model), str(model), repr(model.asdict()), repr(model._serialized))
    assert not [form for form in forms if KEY in form]
    assert KEY.encode() not in pickle.dumps(model)


def test_an_unpickled_model_takes_the_key_from_its_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, seed=7)
    model.invoke("Hello")
    pickled = pickle.dumps(model)
    with pytest.raises(OpenRouterAuthenticationError):
        pickle.loads(pickled).invoke("Hello")
    monkeypatch.setenv("OPENROUTER_API_KEY", "another")
    read = pickle.loads(pickled)
    assert read.invoke("Hello").text
    assert emulator.requests[-1].headers["authorization"] == "Bearer another"
    assert (read.seed, read.model) == (7, model.model)


def test_ones_own_client_is_shared_by_copies_and_refuses_to_be_pickled() -> None:
    with httpx.Client() as client:
        model = ChatOpenRouterO3(api_key=KEY, http_client=client)
        assert copy.deepcopy(model).http_client is client
        assert copy.copy(model).http_client is client
        with pytest.raises(TypeError, match="http_client"):
            pickle.dumps(model)


def test_copies_work_and_are_independent(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, extra_body={"debug": {}})
    model.invoke("Hello")
    deep = copy.deepcopy(model)
    changed = model.model_copy(update={"model": "openai/o4-mini"})
    model.close()
    assert deep.invoke("Hello").response_metadata["model_name"] == "openai/o3-mini"
    assert changed.invoke("Hello").response_metadata["model_name"] == "openai/o4-mini"
    assert deep.extra_body is not None
    deep.extra_body["debug"]["x"] = 1
    assert model.extra_body == {"debug": {}}


def test_langsmith_parameters_follow_the_call() -> None:
    model = ChatOpenRouterO3(api_key=KEY, max_tokens=900, stop="END")
    assert model._get_ls_params() == {
        "ls_provider": "openrouter",
        "ls_model_name": "openai/o3-mini",
        "ls_model_type": "chat",
        "ls_max_tokens": 900,
        "ls_stop": ["END"],
    }
    params = model._get_ls_params(model_name="openai/o3", max_completion_tokens=50, stop=["X"])
    assert params.get("ls_model_name") == "openai/o3"
    assert params.get("ls_max_tokens") == 50
    assert params.get("ls_stop") == ["X"]
