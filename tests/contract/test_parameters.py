"""Every argument: declared once, described, and on the wire by each of its names and places."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import ValidationError
from typing_extensions import override

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError, ProviderPreferences
from langchain_openrouter_o3._arguments import signature
from langchain_openrouter_o3._arguments.fields import ALIASES, ARGUMENTS
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers.modes import MODES

OTHER = "openai/gpt-4.1-mini"
"""A model that this package does not know: everything is sent to it."""

TOOL = {"type": "function", "function": {"name": "ping", "parameters": {"type": "object"}}}
FORM = {"type": "json_object"}
STOP = [{"type": "step_count_is", "step_count": 3}, {"type": "has_tool_call", "tool_name": "a"}]
PREDICTION = {"type": "content", "content": "x"}

BODY: dict[str, Any] = {
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
    "debug": {"echo_upstream_body": True},
    "deferred_tools": [TOOL],
    "frequency_penalty": 0.5,
    "image_config": {"aspect_ratio": "1:1"},
    "include_reasoning": False,
    "logit_bias": {"5": 1.5},
    "logprobs": True,
    "max_tokens": 99,
    "min_p": 0.1,
    "modalities": ["text"],
    "model": OTHER,
    "models": ["openai/o3"],
    "parallel_tool_calls": False,
    "plugins": [{"id": "response-healing"}],
    "prediction": PREDICTION,
    "presence_penalty": 0.5,
    "preset": "my-preset",
    "prompt_cache_key": "sheep",
    "prompt_cache_options": {"mode": "explicit"},
    "provider": {"order": ["OpenAI"]},
    "reasoning": {"effort": "low"},
    "reasoning_effort": "low",
    "repetition_penalty": 1.5,
    "request_metadata": {"team": "sheep"},
    "response_format": FORM,
    "route": "fallback",
    "seed": 7,
    "service_tier": "flex",
    "session_id": "s-1",
    "stop_server_tools_when": STOP,
    "structured_outputs": True,
    "temperature": 0.5,
    "tool_choice": "auto",
    "tools": [TOOL],
    "top_a": 0.5,
    "top_k": 5,
    "top_logprobs": 3,
    "top_p": 0.5,
    "trace": {"trace_id": "t"},
    "user": "u-1",
    "verbosity": "low",
}
"""A value of every argument that goes into the body."""

AS_SENT: dict[str, tuple[str, Any]] = {
    "include_reasoning": ("reasoning", {"exclude": True}),
    "reasoning_effort": ("reasoning", {"effort": "low"}),
    "request_metadata": ("metadata", {"team": "sheep"}),
    "tools": (
        "tools",
        [
            {
                "type": "function",
                "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}},
            }
        ],
    ),
}
"""Where the name or the value on the wire is another."""

HEADERS: dict[str, tuple[Any, dict[str, str]]] = {
    "api_key": ("sk-1", {"authorization": "Bearer sk-1"}),
    "app_categories": (["a", "b"], {"x-openrouter-categories": "a,b"}),
    "app_title": ("Sheep", {"x-title": "Sheep", "x-openrouter-title": "Sheep"}),
    "app_url": ("https://sheep.example", {"http-referer": "https://sheep.example"}),
    "response_cache": (60, {"x-openrouter-cache": "true", "x-openrouter-cache-ttl": "60"}),
    "response_cache_clear": (True, {"x-openrouter-cache-clear": "true"}),
    "router_metadata": (True, {"x-openrouter-metadata": "enabled"}),
}
VERBATIM = {"default_headers", "extra_body"}
LOCAL = {
    "base_url",
    "http_async_client",
    "http_client",
    "idle_timeout",
    "max_retries",
    "n",
    "rate_gate",
    "stop",
    "streaming",
    "timeout",
    "total_timeout",
}
PLACES = ["model", "call", "bound"]


def pairs(names: Iterable[str], without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Every name with every place; those that a model does not take, with the others."""
    found = [(name, place) for name in sorted(names) for place in PLACES]
    return [pair for pair in found if pair not in [(name, "model") for name in without]]


def built(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(**{"base_url": emulator.base_url, "api_key": KEY, **arguments})


def ask(emulator: Emulator, place: str, **arguments: Any) -> Any:
    """Ask an unknown model with arguments given in one of the places; returns the request."""
    given: dict[str, Any] = {"model": OTHER, **arguments}
    if place == "model":
        built(emulator, **given).invoke("Reply as JSON.")
    elif place == "call":
        built(emulator).invoke("Reply as JSON.", **given)
    else:
        built(emulator).bind(**given).invoke("Reply as JSON.")
    return emulator.requests[-1]


def test_every_argument_is_declared_and_its_place_is_tested() -> None:
    ours = ChatOpenRouterO3.model_fields.keys() - BaseChatModel.model_fields.keys()
    assert ours == ARGUMENTS.keys() - {"tools", "tool_choice"}
    places = {"body": set(BODY), "header": set(HEADERS), "verbatim": VERBATIM, "local": LOCAL}
    for place, names in places.items():
        assert {name for name, each in ARGUMENTS.items() if each.place == place} == names


@pytest.mark.parametrize(("name", "place"), pairs(BODY, without=("tools", "tool_choice")))
def test_every_argument_of_the_body_arrives(emulator: Emulator, name: str, place: str) -> None:
    needs = {"tools": [TOOL]} if name == "tool_choice" else {}
    request = ask(emulator, place, **{name: BODY[name], **needs})
    key, expected = AS_SENT.get(name, (name, BODY[name]))
    assert request.body[key] == expected
    assert request.body.keys() <= {"model", "messages", key, *needs}


@pytest.mark.parametrize(
    ("name", "place"), [("api_key", "model"), *pairs(HEADERS.keys() - {"api_key"})]
)
def test_every_argument_of_the_headers_arrives(emulator: Emulator, name: str, place: str) -> None:
    value, expected = HEADERS[name]
    request = ask(emulator, place, **{name: value})
    assert expected.items() <= request.headers.items()
    assert request.body.keys() == {"model", "messages"}


@pytest.mark.parametrize("name", sorted(HEADERS.keys() - {"api_key"}))
def test_nothing_is_said_in_headers_unless_it_is_set(emulator: Emulator, name: str) -> None:
    value, headers = HEADERS[name]
    built(emulator).invoke("Hello")
    built(emulator, **{name: value}).invoke("Hello", **{name: None})
    for request in emulator.requests:
        assert not headers.keys() & request.headers.keys()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"response_cache": True}, {"x-openrouter-cache": "true"}),
        ({"response_cache": False}, {"x-openrouter-cache": "false"}),
        ({"response_cache": 1}, {"x-openrouter-cache": "true", "x-openrouter-cache-ttl": "1"}),
        ({"response_cache": 86_400}, {"x-openrouter-cache-ttl": "86400"}),
        ({"router_metadata": False}, {"x-openrouter-metadata": "disabled"}),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_switches_are_said_as_openrouter_understands_them(
    emulator: Emulator, arguments: dict[str, Any], expected: dict[str, str], place: str
) -> None:
    request = ask(emulator, place, **arguments)
    assert expected.items() <= request.headers.items()
    if not isinstance(arguments.get("response_cache"), int) or arguments["response_cache"] is True:
        assert "x-openrouter-cache-ttl" not in request.headers


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_sends_the_same_arguments(emulator: Emulator, mode: str) -> None:
    values = {name: value for name, value in BODY.items() if name not in ("tools", "tool_choice")}
    only_once = ("reasoning_effort", "include_reasoning", "response_format", "models")
    values = {name: value for name, value in values.items() if name not in only_once}
    values |= {name: value for name, (value, _) in HEADERS.items()}
    MODES[mode](built(emulator, **values))
    (request,) = emulator.requests
    for name, value in values.items():
        if name in BODY:
            key, expected = AS_SENT.get(name, (name, value))
            assert request.body is not None
            assert request.body[key] == expected
    for _, headers in HEADERS.values():
        assert headers.items() <= request.headers.items()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"request_metadata": {str(number): "x" for number in range(17)}}, "17 pairs.*16"),
    ({"request_metadata": {"k" * 65: "x"}}, "64"),
    ({"request_metadata": {"k": "x" * 513}}, "512"),
    ({"request_metadata": {"k": 5}}, "request_metadata"),
    ({"request_metadata": ["k"]}, "request_metadata"),
    ({"service_tier": "flexx"}, "did you mean 'flex'.*ultrafast"),
    ({"service_tier": "Priority"}, "did you mean 'priority'"),
    ({"service_tier": "zzz"}, "no such service tier: OpenRouter knows auto"),
    ({"service_tier": 5}, "no such service tier"),
    ({"preset": "@preset/mine"}, "slug alone"),
    ({"preset": ""}, "slug alone"),
    ({"preset": "a b"}, "slug alone"),
    ({"response_cache": 0}, "1 to 86400"),
    ({"response_cache": 86_401}, "1 to 86400"),
    ({"response_cache": -5}, "1 to 86400"),
    ({"response_cache": "often"}, "response_cache"),
    ({"response_cache_clear": "often"}, "response_cache_clear"),
    ({"router_metadata": "often"}, "router_metadata"),
    ({"modalities": ["smell"]}, "modalities"),
    ({"models": "openai/o3"}, "models"),
    ({"session_id": "x" * 257}, "session_id"),
    ({"seed": "lucky"}, "seed"),
    ({"debug": "yes"}, "debug"),
    ({"stop_server_tools_when": {"type": "max_cost"}}, "stop_server_tools_when"),
    ({"app_categories": "games"}, "app_categories"),
    ({"app_title": "a\nb"}, "app_title"),
    ({"app_url": "https://☃.example"}, "app_url"),
    ({"provider": {"odrer": ["OpenAI"]}}, "odrer"),
    ({"model": ""}, "model"),
]


@pytest.mark.parametrize(("arguments", "match"), BAD)
def test_what_cannot_be_is_refused_alike_everywhere(
    emulator: Emulator, arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValidationError, match=match):
        built(emulator, **arguments)
    model = built(emulator)
    for refused in (
        model.bind(**arguments).invoke,
        model.model_copy(update=arguments).invoke,
        lambda _: model.invoke("Hello", **arguments),
    ):
        with pytest.raises(OpenRouterInputError, match=match):
            refused("Hello")
    assert emulator.requests == []


def test_the_name_of_a_key_of_the_body_leads_to_its_argument(emulator: Emulator) -> None:
    with pytest.raises(OpenRouterInputError, match="write request_metadata=…"):
        list(built(emulator).stream("Hello", metadata={"team": "sheep"}))


@pytest.mark.parametrize("name", ["strem", "ls_structured_output_forma", "store"])
def test_what_langchain_passes_itself_is_never_suggested(emulator: Emulator, name: str) -> None:
    wrong: dict[str, Any] = {name: True}
    with pytest.raises(OpenRouterInputError, match="is not an argument") as caught:
        built(emulator).invoke("Hello", **wrong)
    assert "mean 'stream'" not in str(caught.value)
    assert "mean 'ls_" not in str(caught.value)


def test_langchains_metadata_stay_its_own(emulator: Emulator) -> None:
    model = built(emulator, metadata={"own": "x"}, request_metadata={"team": "sheep"})
    model.invoke("Hello", config={"metadata": {"run": "y"}})
    body = emulator.requests[-1].body
    assert body is not None
    assert body["metadata"] == {"team": "sheep"}


class Vector:
    """As numpy's arrays: nothing is equal to it, or unequal."""

    __hash__ = None  # type: ignore[assignment] # as theirs

    @override
    def __eq__(self, other: object) -> Any:
        raise ValueError("ambiguous")


def test_langchains_metadata_may_hold_anything(emulator: Emulator) -> None:
    model = built(emulator)
    for _ in range(2):
        model.metadata = {"vector": Vector()}
        assert model.invoke("Hello").text


def test_what_is_assigned_to_a_field_is_sent(emulator: Emulator) -> None:
    model = built(emulator).model_copy(
        update={"reasoning": {"effort": "low"}, "provider": {"order": ["OpenAI"]}}
    )
    model.invoke("Hello")
    body = emulator.requests[-1].body
    assert body is not None
    assert (body["reasoning"], body["provider"]) == ({"effort": "low"}, {"order": ["OpenAI"]})


@pytest.mark.parametrize("name", ["extra_body", "trace", "debug"])
def test_what_holds_itself_is_refused_before_it_is_sent(emulator: Emulator, name: str) -> None:
    endless: Any = {}
    endless["again"] = endless
    with pytest.raises(OpenRouterInputError, match="JSON"):
        built(emulator).invoke("Hello", **{name: endless})
    assert emulator.requests == []


# --- What people read ---


def described() -> Iterator[tuple[str, str]]:
    """The docstring below each key of the typed signature."""
    tree = ast.parse(Path(signature.__file__).read_text(encoding="utf-8"))
    (arguments,) = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    for item, after in zip(arguments.body, [*arguments.body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            assert isinstance(after, ast.Expr), item.target.id
            assert isinstance(after.value, ast.Constant)
            yield item.target.id, inspect.cleandoc(str(after.value.value))


def test_editors_know_every_argument_under_all_its_names_with_its_description() -> None:
    fields = ChatOpenRouterO3.model_fields
    expected = {name: field.description for name, field in fields.items()}
    expected |= {alias: f"See `{name}`." for alias, name in ALIASES.items()}
    assert {name: " ".join(text.split()) for name, text in described()} == expected


def test_every_field_is_described_with_its_names_and_its_variable() -> None:
    for name, field in ChatOpenRouterO3.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        argument = ARGUMENTS.get(name)
        for alias in argument.aliases if argument else ():
            assert f"`{alias}`" in field.description
        if argument and argument.environment:
            assert f"Environment: `{argument.environment}`" in field.description


def test_help_tells_type_default_and_meaning_of_every_argument() -> None:
    text = pydoc.plain(pydoc.render_doc(ChatOpenRouterO3))
    for name, field in ChatOpenRouterO3.model_fields.items():
        assert f"{name} (" in text
        assert str(field.description) in text
    assert "max_retries (int, default 2): Attempts beyond the first" in text
    assert "provider (ProviderPreferences | None, default None): Which" in text


@pytest.mark.parametrize("name", sorted(n for n, each in ARGUMENTS.items() if each.withheld))
def test_what_o_series_models_lack_says_so(name: str) -> None:
    assert "o-series models lack it" in str(ChatOpenRouterO3.model_fields[name].description)


def test_a_representation_begins_with_the_model_and_shows_what_was_set() -> None:
    assert repr(ChatOpenRouterO3(api_key=KEY)) == "ChatOpenRouterO3(model='openai/o3-mini')"
    model = ChatOpenRouterO3(
        api_key=KEY,
        model="openai/o4-mini",
        seed=7,
        max_retries=2,
        provider={"order": ["OpenAI"]},
        default_headers={"X-Tenant": "s3cret"},
        metadata={"own": "x"},
        profile={"max_input_tokens": 5},
    )
    preferences = ProviderPreferences(order=["OpenAI"])
    assert repr(model) == (
        "ChatOpenRouterO3(model='openai/o4-mini', metadata={'own': 'x'}, "
        f"profile={{'max_input_tokens': 5}}, seed=7, provider={preferences!r})"
    )
    assert str(model).startswith("model='openai/o4-mini' metadata=")
    assert "s3cret" not in repr(model.bind(extra_headers={"X-Tenant": "s3cret"}))


def test_a_representation_tells_where_the_environment_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ChatOpenRouterO3(api_key=KEY, base_url="https://proxy.example/v1", timeout=5)
    assert repr(model) == (
        "ChatOpenRouterO3(model='openai/o3-mini', base_url='https://proxy.example/v1', timeout=5.0)"
    )
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    assert KEY not in f"{ChatOpenRouterO3()!r}{ChatOpenRouterO3()}"


ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def test_the_page_of_parameters_lists_every_argument_with_its_description() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "parameters.md"
    rows = {name: text for name, _, text in ROW.findall(page.read_text(encoding="utf-8"))}
    assert rows == {
        name: argument.help.replace("|", r"\|") + ("" if argument.per_call else " Not per call.")
        for name, argument in ARGUMENTS.items()
    }
