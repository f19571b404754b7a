"""Names of other packages' arguments work, or the page says what to write."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableField, RunnableBinding
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3._arguments.fields import ALIASES
from langchain_openrouter_o3._arguments.foreign_names import FOREIGN_NAMES, MODEL_ARGUMENTS
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES

CLASSES = {"ChatOpenAI": "langchain_openai", "ChatOpenRouter": "langchain_openrouter"}

# langchain-openrouter 0.2.9, which the tests do not need: of its extra `peers`.
CHAT_OPENROUTER = frozenset(
    """
    api_key app_categories app_title app_url base_url client default_headers frequency_penalty
    max_completion_tokens max_retries max_tokens model model_kwargs model_name n
    openrouter_api_base openrouter_api_key openrouter_provider plugins presence_penalty reasoning
    request_timeout route seed session_id stop stop_sequences stream_usage streaming temperature
    timeout top_p trace
    """.split()  # noqa: SIM905 - thirty words on as many lines
)


def is_installed(name: str) -> bool:
    """Whether the package of a class is here."""
    return find_spec(CLASSES[name]) is not None


def installed_fields(name: str) -> set[str]:
    """Read the names and aliases of a class."""
    fields = getattr(import_module(CLASSES[name]), name).model_fields
    own = {field: info for field, info in fields.items() if field not in BaseChatModel.model_fields}
    return {*own, *(info.alias for info in own.values() if info.alias)}


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "moving.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)`(?:, of the constructor)? \| (.+) \|$", re.MULTILINE)
SECTIONS = {part.partition("\n")[0]: dict(ROW.findall(part)) for part in PAGE.split("\n## From ")}
ROWS = {name: cell for rows in SECTIONS.values() for name, cell in rows.items()}
OWN = ChatOpenRouterO3.model_fields.keys() | ALIASES.keys()
OF_BOTH = sorted({**SECTIONS["ChatOpenAI"], **SECTIONS["ChatOpenRouter"]})

VALUES: dict[str, Any] = {
    "api_key": KEY,
    "app_categories": ["games"],
    "base_url": "http://127.0.0.1:9/api/v1",
    "default_headers": {"X-Trace": "1"},
    "extra_body": {"future": 1},
    "frequency_penalty": 0.5,
    "http_async_client": httpx.AsyncClient(),
    "http_client": httpx.Client(),
    "logit_bias": {"1": 1},
    "logprobs": True,
    "max_completion_tokens": 100,
    "max_retries": 1,
    "max_tokens": 100,
    "model_kwargs": {"future": 1},
    "n": 1,
    "openrouter_api_base": "http://127.0.0.1:9/api/v1",
    "openrouter_api_key": KEY,
    "openrouter_provider": {"order": ["OpenAI"]},
    "plugins": [{"id": "web"}],
    "presence_penalty": 0.5,
    "prompt_cache_options": {"mode": "explicit"},
    "reasoning": {"effort": "low"},
    "reasoning_effort": "low",
    "route": "fallback",
    "seed": 1,
    "service_tier": "flex",
    "stop": ["END"],
    "stop_sequences": ["END"],
    "streaming": True,
    "temperature": 0.5,
    "timeout": 20,
    "top_logprobs": 1,
    "top_p": 0.5,
    "trace": {"trace_id": "1"},
}
SECRET = "s3cret-in-a-header"

nothing_is_withheld = pytest.mark.filterwarnings("ignore:.*does not support:UserWarning")


def arguments(name: str) -> dict[str, Any]:
    return {name: VALUES.get(name, "openai/o3-mini" if name.startswith("model") else "any")}


def plain(cell: str) -> str:
    return cell.replace("`", "")


def built(emulator: Emulator, **more: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(**{"base_url": emulator.base_url, "api_key": KEY, **more})


@pytest.mark.parametrize("name", CLASSES)
def test_the_page_has_every_argument(name: str) -> None:
    if not is_installed(name):
        pytest.skip(f"{CLASSES[name]} is not installed")
    assert sorted(installed_fields(name) - SECTIONS[name].keys()) == []


def test_the_page_has_the_arguments_of_a_package_that_is_not_installed() -> None:
    assert SECTIONS["ChatOpenRouter"].keys() == CHAT_OPENROUTER


def test_the_list_is_the_packages_own() -> None:
    if not is_installed("ChatOpenRouter"):
        pytest.skip("langchain_openrouter is not installed")
    assert installed_fields("ChatOpenRouter") == CHAT_OPENROUTER


def refusal(action: Callable[[], object]) -> str:
    """What a refused action tells; nothing if it works."""
    try:
        action()
    except (OpenRouterInputError, ValidationError) as error:
        return str(error)
    return ""


@nothing_is_withheld
@pytest.mark.parametrize("name", ROWS)
def test_an_argument_works_or_the_page_says_what_to_write(name: str) -> None:
    told = refusal(lambda: ChatOpenRouterO3(**arguments(name)))
    if name in OWN:
        assert told == ""
    else:
        assert f"{name!r} is not an argument; {plain(ROWS[name])}." in told


@nothing_is_withheld
@pytest.mark.parametrize("way", ["call", "bind"])
@pytest.mark.parametrize("name", OF_BOTH)
def test_a_call_takes_it_or_says_what_to_write(emulator: Emulator, name: str, way: str) -> None:
    model, given = built(emulator), arguments(name)
    if way == "call":
        told = refusal(lambda: model.invoke("Hello", **given))
    else:
        told = refusal(lambda: model.bind(**given).invoke("Hello"))
    first = ALIASES.get(name, name)
    if first in MODEL_ARGUMENTS:
        assert f"{name!r} is not an argument; it belongs to the model: write Chat" in told
    elif name in OWN:
        assert told == ""
    else:
        assert f"{name!r} is not an argument; {plain(ROWS[name])}." in told
    assert len(emulator.requests) == (told == "")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["request_timeout", "openai_api_key", "api_key", "effort"])
def test_every_mode_refuses_the_same(emulator: Emulator, mode: str, name: str) -> None:
    bound: Any = built(emulator).bind(**{name: "any"})
    with pytest.raises(OpenRouterInputError, match=rf"^'{name}' is not an argument; .*write "):
        MODES[mode](bound)
    assert emulator.requests == []


@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_the_constructor_says_what_to_write(name: str) -> None:
    given: Any = {"api_key": KEY, name: VALUES.get(name)}
    told = refusal(lambda: ChatOpenRouterO3(**given))
    assert name in OWN or f"{name!r} is not an argument; {FOREIGN_NAMES[name]}." in told


def test_what_a_call_does_not_take_is_known() -> None:
    model = ChatOpenRouterO3(api_key=KEY)
    told = {
        name: refusal(partial(model.bind_tools, [], **{name: None}))
        for name in ChatOpenRouterO3.model_fields
    }
    refused = {name: text for name, text in told.items() if text}
    assert refused.keys() == MODEL_ARGUMENTS
    assert "write request_metadata=…" in refused.pop("metadata")  # the key of a body, too
    assert all("it belongs to the model" in text for text in refused.values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseURL", "base_url"),
        ("apiKey", "api_key"),
        ("modelName", "model_name"),
        ("maxTokens", "max_tokens"),
        ("temprature", "temperature"),
        ("max_token", "max_tokens"),
        ("reasoning_efort", "reasoning_effort"),
        ("timeouts", "timeout"),
        ("default-headers", "default_headers"),
    ],
)
def test_a_slip_is_refused_with_the_right_name(name: str, expected: str) -> None:
    given: Any = {"api_key": KEY, name: "any"}
    with pytest.raises(ValidationError, match=f"Did you mean '{expected}'"):
        ChatOpenRouterO3(**given)


@pytest.mark.parametrize(
    "name",
    ["openai_api_type", "azure_endpoint", "user_id", "connect_timeout", "trace_id", "best_of",
     "tokenizer", "top_n", "min_tokens", "include_reasoning_details", "max_input_tokens",
     "read_timeout", "reasoning_tokens", "model_id",
     "grounding", "stop_token_ids", "callback_manager", "top_n_tokens"],
)  # fmt: skip
def test_a_name_of_another_thing_gets_no_guess(name: str) -> None:
    given: Any = {"api_key": KEY, name: "any"}
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3(**given)
    assert "Did you mean" not in str(caught.value)
    assert "extra_body" in str(caught.value)


@pytest.mark.parametrize("name", ["streamin", "api_kee"])
def test_a_call_is_not_told_names_that_it_does_not_take(emulator: Emulator, name: str) -> None:
    given: Any = {name: "any"}
    with pytest.raises(OpenRouterInputError) as caught:
        built(emulator).invoke("Hello", **given)
    assert "Did you mean" not in str(caught.value)


OPTIONS = [
    ("extra_headers", "pass extra_headers=… beside extra_body"),
    ("default_headers", "pass default_headers=… beside extra_body"),
    ("headers", "write default_headers=…"),
    ("Authorization", "write api_key=…"),
    ("HTTP-Referer", "write app_url=…"),
    ("X-Title", "write app_title=…"),
    ("X-Trace", "write default_headers=…"),
    ("x_trace", "write default_headers=…"),
    ("cookie", "write default_headers=…"),
    ("User-Agent", "write default_headers=…"),
    ("extra_body", "pass extra_body=… beside"),
    ("model_kwargs", "pass model_kwargs=… beside"),
    ("timeout", "pass timeout=… beside"),
    ("request_timeout", "write timeout=… in seconds"),
    ("idle_timeout", "pass idle_timeout=… beside"),
    ("total_timeout", "pass total_timeout=… beside"),
    ("max_retries", "pass max_retries=… beside"),
    ("api_key", "pass api_key=… beside"),
    ("openai_api_key", "write api_key=…"),
    ("base_url", "pass base_url=… beside"),
    ("http_client", "pass http_client=… beside"),
    ("streaming", "pass streaming=… beside"),
    ("model_name", "pass model_name=… beside"),
    ("stop_sequences", "pass stop_sequences=… beside"),
    ("openrouter_provider", "pass openrouter_provider=… beside"),
    ("default_query", "write http_client=httpx.Client(params=…)"),
]


@pytest.mark.parametrize("argument", ["extra_body", "model_kwargs"])
@pytest.mark.parametrize(("key", "remedy"), OPTIONS)
def test_an_option_in_extra_body_or_model_kwargs_is_refused_by_name(
    emulator: Emulator, argument: str, key: str, remedy: str
) -> None:
    wrong: Any = {argument: {"future": 1, key: {"Authorization": SECRET}}}
    told: list[str] = []
    with pytest.raises(ValidationError) as caught:
        built(emulator, **wrong)
    told.append(str(caught.value))
    for call in (
        lambda: built(emulator).invoke("Hello", **wrong),
        lambda: built(emulator).bind(**wrong),
        lambda: built(emulator).bind(seed=1).bind(**wrong),
        lambda: built(emulator).bind_tools([], **wrong),
        lambda: built(emulator).configurable_fields(seed=ConfigurableField(id="s")).bind(**wrong),
    ):
        with pytest.raises(OpenRouterInputError) as refused:
            call()
        told.append(str(refused.value))
    for text in told:
        assert f"extra_body (model_kwargs): {key!r} is no key of the body; {remedy}" in text
        assert SECRET not in text
    assert emulator.requests == []


def test_an_option_that_was_assigned_is_refused_when_it_is_sent(emulator: Emulator) -> None:
    assigned = built(emulator)
    assigned.extra_body = {"headers": {"Authorization": SECRET}}
    copied = built(emulator).model_copy(update={"extra_body": {"timeout": 5}})
    for model in (assigned, copied):
        with pytest.raises(OpenRouterInputError, match="is no key of the body"):
            model.invoke("Hello")
    assert emulator.requests == []


@pytest.mark.parametrize("mode", MODES)
def test_no_tracer_sees_a_header_in_the_body(emulator: Emulator, mode: str) -> None:
    seen: list[str] = []

    class Spy(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append(f"{args} {kwargs}")

    model = built(emulator, callbacks=[Spy()])
    wrong: Any = {"extra_body": {"future": 1, "headers": {"Authorization": SECRET}}}

    # langchain-core's own binding, which checks nothing.
    binding: Any = RunnableBinding(bound=model, kwargs=wrong)
    with pytest.raises(OpenRouterInputError, match="'headers' is no key of the body"):
        MODES[mode](binding)
    assert "future" in seen[0]
    assert SECRET not in "".join(seen)


def test_whatever_comes_next_goes_through_extra_body(emulator: Emulator) -> None:
    future = {
        "cache": True,
        "name": "x",
        "metadata": {"a": "1"},
        "store": True,
        "truncation": "auto",
    }
    model = built(emulator, extra_body=future)
    model.invoke("Hello", model_kwargs={"transforms": ["middle-out"]})
    body = emulator.requests[-1].body
    assert body is not None
    assert {**future, "transforms": ["middle-out"]}.items() <= body.items()
    assert pickle.loads(pickle.dumps(model)).extra_body == future


HOURS: list[tuple[dict[str, Any], str]] = [
    ({"timeout": 30_000}, r"timeout is in seconds, and 30000 are 8\.3 hours.* write timeout=30;"),
    ({"timeout": 3_601}, "3601 are 1.0 hours"),
    ({"timeout": httpx.Timeout(5, read=60_000)}, "60000 are 16.7 hours.* write timeout=60;"),
    ({"timeout": {"connect": 5, "read": 7_200.5, "write": None, "pool": 5}}, "7200.5 are 2.0"),
    ({"idle_timeout": 120_000}, "idle_timeout is in seconds, .* write idle_timeout=120;"),
    ({"total_timeout": 600_000}, "total_timeout is in seconds, .* write total_timeout=600;"),
]


@pytest.mark.parametrize(("limits", "expected"), HOURS)
def test_a_timeout_of_hours_is_warned_of_once(
    emulator: Emulator, limits: dict[str, Any], expected: str
) -> None:
    with pytest.warns(UserWarning, match=expected) as warned:
        model = built(emulator, **limits)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    model.invoke("Hello")  # a warning would raise


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("limits", "expected"), HOURS)
def test_a_call_warns_of_a_timeout_of_hours_too(
    emulator: Emulator, limits: dict[str, Any], expected: str, mode: str
) -> None:
    bound: Any = built(emulator).bind(**limits)
    with pytest.warns(UserWarning, match=expected) as warned:
        MODES[mode](bound)
    assert len(warned) == 1


@pytest.mark.parametrize(
    "limits",
    [{"timeout": None}, {"timeout": 3_600}, {"idle_timeout": 3_600, "total_timeout": None},
     {"timeout": httpx.Timeout(None, connect=5)}, {"timeout": httpx.Timeout(None)}],
)  # fmt: skip
def test_an_hour_and_no_limit_are_meant(emulator: Emulator, limits: dict[str, Any]) -> None:
    built(emulator, **limits).invoke("Hello", **limits)


def test_a_query_is_the_clients() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=wire.body("Hi"))

    transport = httpx.MockTransport(answer)
    with httpx.Client(params={"tenant": "a"}, transport=transport) as client:
        ChatOpenRouterO3(api_key=KEY, http_client=client).invoke("Hello")
    assert seen[0].url.params["tenant"] == "a"
