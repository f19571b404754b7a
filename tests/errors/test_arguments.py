"""Arguments that cannot work, also those that were assigned later: typed, and named."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers.factories import build_at_rest
from tests.helpers.modes import MODES, every_mode

SCHEMAS: list[Any] = [
    {"type": "array", "items": {"type": "string"}},
    {"title": "Names", "type": "array", "items": {"type": "string"}},
    {"type": "array"},
    {"type": "string"},
    {"type": ["array"], "items": {"type": "string"}},
    {"anyOf": [{"type": "string"}, {"type": "integer"}]},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("strict", [None, True, False])
def test_a_schema_of_no_object_is_refused_for_that(schema: Any, *, strict: bool | None) -> None:
    model = ChatOpenRouterO3(api_key=KEY)
    with pytest.raises(OpenRouterInputError, match="must be an object"):
        model.with_structured_output(schema, strict=strict)
    with pytest.raises(OpenRouterInputError, match="must be an object"):
        model.with_structured_output(schema, method="function_calling", strict=strict)


@pytest.mark.parametrize("schema", [*SCHEMAS, {"name": "x", "json_schema": {"name": "x"}}])
def test_a_response_format_of_no_object_is_refused_for_that(
    emulator: Emulator, schema: Any
) -> None:
    once = r"^(?!.*response_format.*response_format).*response_format: schema.* an (obj|Open)"
    with build_at_rest(emulator) as model, pytest.raises(OpenRouterInputError, match=once):
        model.invoke("Hello", response_format=schema)
    with pytest.raises(ValidationError, match=f"(?s){once.removeprefix('^')}"):
        ChatOpenRouterO3(api_key=KEY, response_format=schema)
    assert not emulator.requests


@pytest.mark.parametrize("kind", ["array", "string", "null"])
def test_a_tool_that_is_no_object_is_refused_for_that(kind: str) -> None:
    with pytest.raises(OpenRouterInputError, match="must be an object"):
        ChatOpenRouterO3(api_key=KEY).bind_tools([{"title": "f", "type": kind}])


@pytest.mark.parametrize("arguments", [{"reasoning_effort": "hi"}, {"reasoning": {"effort": "hi"}}])
@pytest.mark.parametrize(
    ("model", "offered"),
    [("openai/o3-mini", "low, medium, high"), ("openai/o3-mini-high", "high"), (None, "low, ")],
)
def test_an_effort_that_does_not_exist_offers_the_model_s_own(
    arguments: Any, model: str | None, offered: str
) -> None:
    named: Any = {"model_name": model} if model else {}
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3(api_key=KEY, **arguments, **named)
    assert f"should be {offered}" in str(caught.value)
    assert "minimal" not in str(caught.value)


def test_another_model_is_offered_every_effort() -> None:
    effort: Any = "hi"
    with pytest.raises(ValidationError, match="minimal"):
        ChatOpenRouterO3(api_key=KEY, model="openai/gpt-5", reasoning_effort=effort)


@every_mode
@pytest.mark.parametrize("arguments", [{"reasoning_effort": "hi"}, {"reasoning": {"effort": "hi"}}])
def test_an_effort_of_a_call_offers_three(emulator: Emulator, arguments: Any, mode: str) -> None:
    bound: Any = build_at_rest(emulator).bind(**arguments)
    with pytest.raises(OpenRouterInputError, match="low, medium, high") as caught:
        MODES[mode](bound)
    assert "minimal" not in str(caught.value)
    assert "\n" not in str(caught.value)


@every_mode
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning_effort", "hi"),
        ("reasoning", {"effort": "hi"}),
        ("reasoning", {"efort": "low"}),
        ("provider", {"odrer": ["OpenAI"]}),
        ("provider", 5),
        ("max_retries", "x"),
        ("max_retries", -1),
        ("max_retries", None),
        ("max_tokens", "x"),
        ("model", 5),
        ("model", ""),
        ("base_url", 5),
        ("base_url", "ftp://x"),
        ("api_key", KEY),
        ("timeout", "fast"),
        ("idle_timeout", "fast"),
        ("total_timeout", -1),
        ("stop", 5),
        ("stop", [""]),
        ("extra_body", 5),
        ("default_headers", 5),
        ("default_headers", {"a b": "c"}),
        ("default_headers", {"A": 1}),
        ("response_format", 5),
        ("http_client", httpx.AsyncClient()),
        ("http_async_client", httpx.Client()),
        ("app_categories", [1]),
        ("app_title", {"a": object()}),
        ("app_url", "a\nb"),
        ("tags", 5),
        ("callbacks", [5]),
    ],
)
def test_what_was_assigned_and_cannot_work_is_a_typed_error(
    emulator: Emulator, name: str, value: Any, mode: str
) -> None:
    model = build_at_rest(emulator)
    setattr(model, name, value)
    with pytest.raises(OpenRouterInputError) as caught:
        MODES[mode](model)
    assert name in str(caught.value)
    assert KEY not in str(caught.value)
    assert not emulator.requests


def assigned(model: ChatOpenRouterO3, values: dict[str, Any]) -> ChatOpenRouterO3:
    for name, value in values.items():
        setattr(model, name, value)
    return model


def test_what_was_assigned_stays_the_callers_own(emulator: Emulator) -> None:
    model = build_at_rest(emulator)
    model.default_headers = headers = {"x-token": "1"}
    heard: list[Any] = []
    model.callbacks = heard
    model.stop = ["END"]
    model.invoke("Hello")
    headers["x-token"] = "2"
    heard.append(told := UsageMetadataCallbackHandler())
    model.invoke("Hello")
    assert emulator.requests[-1].headers["x-token"] == "2"
    assert told.usage_metadata
    model.stop.append("")
    with pytest.raises(OpenRouterInputError, match="stop takes"):
        model.invoke("Hello")


UNCHECKED: dict[str, Callable[[ChatOpenRouterO3, dict[str, Any]], ChatOpenRouterO3]] = {
    "assigned": assigned,
    "copied": lambda model, values: model.model_copy(update=values),
    "copied deeply": lambda model, values: model.model_copy(update=values, deep=True),
    "constructed": lambda model, values: type(model).model_construct(
        **{"base_url": model.base_url, "api_key": model.api_key, **values}
    ),
}


@pytest.mark.parametrize("way", UNCHECKED)
def test_what_was_never_checked_is_checked_by_the_next_call(emulator: Emulator, way: str) -> None:
    values = {"base_url": None, "tags": 5, "seed": "x", "verbose": None}
    wrong = UNCHECKED[way](build_at_rest(emulator), values)
    for _ in range(2):
        with pytest.raises(OpenRouterInputError, match=r"tags: .*; base_url: .*; seed: ") as told:
            wrong.invoke("Hello")
        assert "verbose" not in str(told.value)
    other = {"model": "openai/gpt-5", "reasoning_effort": "hi"}
    with pytest.raises(OpenRouterInputError, match="minimal"):
        UNCHECKED[way](build_at_rest(emulator), other).invoke("Hello")
    assert not emulator.requests


@pytest.mark.parametrize("way", UNCHECKED)
def test_what_was_never_checked_gets_its_form_and_one_warning(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    values = {"model": "openai/o4-mini", "stop": "END", "seed": "5", "temperature": 0.3}
    model = UNCHECKED[way](build_at_rest(emulator), values)
    with pytest.warns(UserWarning, match="o4-mini does not support temperature") as caught:
        model.invoke("Hello")
    assert len(caught) == 1
    assert model.stop == ["END"]
    assert model.profile is None or model.profile.get("name") == "o4-mini"
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        each.user = "sheep"
        each.invoke("Hello")
        body = emulator.requests[-1].body
        assert body is not None
        assert body.keys() == {"model", "messages", "seed", "user"}
        assert body["seed"] == 5


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
@pytest.mark.parametrize("imported", ["Emulator", "*"])
def test_the_emulator_names_its_extra(missing: str, imported: str) -> None:
    script = f"""if True:
        import sys
        sys.modules[{missing!r}] = None
        try:
            from langchain_openrouter_o3.emulator import {imported}
        except ModuleNotFoundError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    assert missing in done.stdout
    assert 'pip install "langchain-openrouter-o3[emulator]"' in done.stdout
