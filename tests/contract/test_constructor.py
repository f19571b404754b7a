"""The constructor: every field, alias, environment variable and refusal."""

from __future__ import annotations

import json
import traceback
import warnings
from typing import Any

import httpx
import pytest
from langchain_core.runnables import ConfigurableField
from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretStr, ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, ProviderPreferences, Reasoning
from tests.conftest import KEY


def build(**arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(**{"api_key": KEY, **arguments})


def test_everything_has_a_working_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    model = ChatOpenRouterO3()
    assert model.model == model.model_name == "openai/o3-mini"
    assert model.api_key is not None
    assert model.api_key.get_secret_value() == KEY
    assert model.base_url == "https://openrouter.ai/api/v1"
    assert model.timeout == httpx.Timeout(600, connect=10)
    assert model.max_retries == 2


def test_environment_variables_set_api_key_base_url_app_url_and_app_title(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_API_BASE", "https://proxy.example/v1/")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "Sheep counter")
    model = ChatOpenRouterO3(api_key=None, base_url=None)
    assert (model.base_url, model.app_title) == ("https://proxy.example/v1", "Sheep counter")


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("model_name", "model", "openai/o3"),
        ("openrouter_api_base", "base_url", "https://proxy.example/v1"),
        ("max_completion_tokens", "max_tokens", 500),
        ("stop_sequences", "stop", ["END"]),
        ("model_kwargs", "extra_body", {"debug": True}),
        ("extra_headers", "default_headers", {"X-Trace": "1"}),
    ],
)
def test_aliases_set_the_same_field(alias: str, field: str, value: Any) -> None:
    assert getattr(build(**{alias: value}), field) == value
    assert getattr(build(**{field: value}), field) == value


class Weather(ChatOpenRouterO3):
    station: str | None = Field(default=None, alias="ws")
    place: str | None = Field(
        default=None, validation_alias=AliasChoices("town", AliasPath("a", 1), "city")
    )


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("ws", "station"),
        ("station", "station"),
        ("town", "place"),
        ("city", "place"),
        ("place", "place"),
        ("max_completion_tokens", "max_tokens"),
    ],
)
def test_fields_of_a_subclass_are_set_under_all_their_names(name: str, field: str) -> None:
    arguments: Any = {"api_key": KEY, name: "50"}
    model: Any = Weather(**arguments)
    assert str(getattr(model, field)) == "50"
    open_model = model.configurable_fields(**{field: ConfigurableField(id="it")})
    assert str(getattr(open_model, field)) == "50"
    chosen, _ = open_model.prepare({"configurable": {"it": "60"}})
    assert str(getattr(chosen, field)) == "60"
    with pytest.raises(ValidationError, match="'station' was given twice"):
        Weather(**{**arguments, "ws": "x", "station": "y"})


def test_the_keys_alias_and_the_providers_alias() -> None:
    model = ChatOpenRouterO3(
        openrouter_api_key=f" {KEY}\n", openrouter_provider={"order": ["OpenAI"], "zdr": True}
    )
    assert model.api_key is not None
    assert model.api_key.get_secret_value() == KEY
    assert model.provider == ProviderPreferences(order=["OpenAI"], zdr=True)


def test_a_dictionary_becomes_a_settings_object() -> None:
    assert build(reasoning={"effort": "low", "summary": "auto"}).reasoning == Reasoning(
        effort="low", summary="auto"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"temprature": 1}, "Did you mean 'temperature'"),
        ({"max_token": 100}, "Did you mean 'max_tokens'"),
        ({"completely_unknown": 1}, "extra_body"),
        ({"model": "a/b", "model_name": "c/d"}, "given twice"),
        ({"reasoning_effort": "xlow"}, "reasoning_effort"),
        ({"reasoning_effort": "none"}, "accepts low, medium, high"),
        ({"reasoning": {"effort": "minimal"}}, "accepts low, medium, high"),
        ({"reasoning": {"enabled": False}}, "always reasons"),
        ({"reasoning": {"effort": "low", "max_tokens": 100}}, "not both"),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "drop one"),
        ({"reasoning": {"efort": "low"}}, "efort"),
        ({"model": "openai/o3-mini-high", "reasoning_effort": "low"}, "accepts high"),
        ({"provider": {"odrer": ["OpenAI"]}}, "odrer"),
        ({"base_url": "ftp://x"}, "http(s)"),
        ({"base_url": "https://user:pass@x/api"}, "must not carry credentials"),
        ({"base_url": "https://x/api?key=1"}, "query"),
        ({"base_url": "https://x:99999/api"}, "Port"),
        ({"timeout": -1}, "positive number"),
        ({"timeout": True}, "positive number"),
        ({"timeout": "fast"}, "positive number"),
        ({"max_retries": -1}, "max_retries"),
        ({"n": 2}, "one answer"),
        ({"stop": 5}, "stop"),
        ({"http_client": "x"}, "http_client must be an httpx.Client"),
        ({"http_async_client": httpx.Client()}, "http_async_client must be an httpx.AsyncClient"),
        ({"stop": [""]}, "non-empty"),
        ({"session_id": "x" * 257}, "session_id"),
        ({"default_headers": {"X-A": "1\r\nX-B: 2"}}, "default_headers"),
        ({"default_headers": {"X A": "1"}}, "not a header name"),
        ({"app_title": "a\nb"}, "app_title"),
        ({"response_format": {"schema": 1}}, "response_format"),
        ({"model": ""}, "model"),
    ],
)
def test_bad_arguments_are_refused_with_the_remedy(
    arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        build(**arguments)
    assert expected in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.errors())


def test_a_traceback_with_local_variables_shows_a_refusal() -> None:
    with pytest.raises(ValidationError) as caught:
        build(base_url="ftp://proxy.example")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "self = ChatOpenRouterO3()" in "".join(shown.format())


@pytest.mark.parametrize("key", ["sk or", "sk-\x00", "sk-é", "", "  ", "a\nb"])
def test_an_unusable_api_key_is_refused_without_echo(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3(api_key=key)
    assert "api_key" in str(caught.value)
    if key.strip():
        assert key not in str(caught.value)
        assert key not in repr(caught.value.errors())


@pytest.mark.parametrize("timeout", [30, 2.5, None, httpx.Timeout(5, read=60)])
def test_timeouts_are_seconds_or_httpx_objects(timeout: Any) -> None:
    assert build(timeout=timeout).timeout == timeout


def test_temperature_and_all_that_the_model_lacks_is_named_in_one_warning() -> None:
    with pytest.warns(UserWarning, match="temperature, top_p") as caught:
        build(temperature=0, top_p=0.5)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_default_of_a_subclass_that_the_model_lacks_is_named_once() -> None:
    class Cool(ChatOpenRouterO3):
        temperature: float | None = 0.3

    class Holder(BaseModel):
        model: Cool

    with pytest.warns(UserWarning, match="temperature") as caught:
        Holder(model=Cool(api_key=SecretStr(KEY)))
    assert len(caught) == 1


def test_an_unknown_slug_is_warned_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = build(model="mistralai/mistral-large", temperature=0.3, reasoning_effort="minimal")
    assert model.profile is None


def test_the_callers_dictionaries_are_not_kept_or_changed() -> None:
    body, headers = {"debug": {"echo": True}}, {"X-Trace": "1"}
    model = build(extra_body=body, default_headers=headers)
    body["more"] = {}
    headers["X-More"] = "2"
    assert model.extra_body == {"debug": {"echo": True}}
    assert model.default_headers == {"X-Trace": "1"}


def test_a_response_format_that_cannot_be_strict_is_told_at_once_and_once() -> None:
    class Open(BaseModel):
        tags: dict[str, str]

    with pytest.warns(UserWarning, match=r"\$\.properties\.tags") as warned:
        model = build(response_format=Open)
    assert len(warned) == 1
    assert model._identifying_params["response_format"]["json_schema"]["strict"] is False
    strict = {"name": "open", "strict": True, "schema": Open.model_json_schema()}
    with pytest.raises(ValidationError, match=r"\$\.properties\.tags"):
        build(response_format=strict)


def test_blank_environment_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", " ")
    monkeypatch.setenv("OPENROUTER_API_BASE", "")
    model = ChatOpenRouterO3()
    assert (model.api_key, model.base_url) == (None, "https://openrouter.ai/api/v1")


def test_a_model_can_be_dumped_as_json() -> None:
    class Person(BaseModel):
        name: str

    model = build(response_format=Person)
    dumped = json.loads(model.model_dump_json())
    assert dumped["timeout"]["read"] == 600
    assert dumped["response_format"] == model._identifying_params["response_format"]
    assert json.loads(build(**{**dumped, "api_key": KEY}).model_dump_json()) == dumped
    assert model.model_dump()["response_format"] is Person


def test_the_profile_belongs_to_the_model() -> None:
    profile = build().profile
    assert profile is not None
    assert profile["structured_output"] is True
    assert profile["max_input_tokens"] == 200_000
    assert profile["image_inputs"] is False
    other = build(model="openai/o4-mini:nitro").profile
    assert other is not None
    assert other["image_inputs"] is True


@pytest.mark.parametrize("nonsense", ["text", 5, None, [KEY]])
def test_what_is_no_set_of_arguments_is_refused_without_echo(nonsense: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3.model_validate(nonsense)
    assert KEY not in f"{caught.value} {caught.value.errors()}"


def test_a_model_validates_as_itself() -> None:
    model = build()
    assert ChatOpenRouterO3.model_validate(model) is model


def test_ones_own_profile_is_kept() -> None:
    assert build(profile={"max_input_tokens": 1}).profile == {"max_input_tokens": 1}
