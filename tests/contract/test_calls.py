"""Arguments of calls: the call wins, under any name, by invoke, bind and configuration."""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterError,
    OpenRouterInputError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import sent
from tests.helpers.modes import MODES

PING = {"type": "function", "function": {"name": "ping"}}


def built(emulator: Emulator, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, **arguments)


def test_a_bare_call_sends_model_and_messages_only(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    model.invoke("Hello")
    assert sent(emulator) == {
        "model": "openai/o3-mini",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert "http-referer" not in emulator.requests[-1].headers
    assert "x-title" not in emulator.requests[-1].headers


@pytest.mark.parametrize(
    ("constructor", "call", "key", "expected"),
    [
        ({"max_tokens": 900}, {"max_tokens": 800}, "max_tokens", 800),
        ({"max_tokens": 900}, {"max_completion_tokens": 800}, "max_tokens", 800),
        ({"max_tokens": 900}, {"max_tokens": None}, "max_tokens", None),
        ({"seed": 1}, {"seed": 2}, "seed", 2),
        ({}, {"model": "openai/o4-mini"}, "model", "openai/o4-mini"),
        ({}, {"model_name": "openai/o3"}, "model", "openai/o3"),
        ({"reasoning_effort": "low"}, {}, "reasoning", {"effort": "low"}),
        (
            {"reasoning_effort": "low"},
            {"reasoning_effort": "high"},
            "reasoning",
            {"effort": "high"},
        ),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning_effort": "high"},
            "reasoning",
            {"effort": "high", "summary": "auto"},
        ),
        (
            {"reasoning_effort": "low"},
            {"reasoning": {"summary": "auto"}},
            "reasoning",
            {"summary": "auto"},
        ),
        (
            {"reasoning": {"max_tokens": 99}},
            {"reasoning_effort": "low"},
            "reasoning",
            {"effort": "low"},
        ),
        ({"include_reasoning": False}, {}, "reasoning", {"exclude": True}),
        ({"include_reasoning": True}, {}, "reasoning", {"exclude": False}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": None}, "reasoning", None),
        (
            {"reasoning": {"effort": "low"}},
            {"include_reasoning": False},
            "reasoning",
            {"effort": "low", "exclude": True},
        ),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "low"},
            {},
            "reasoning",
            {"effort": "low"},
        ),
        ({}, {"stop": []}, "stop", None),
        (
            {"provider": {"order": ["OpenAI"]}},
            {"openrouter_provider": {"zdr": True}},
            "provider",
            {"zdr": True},
        ),
        ({"models": ["openai/o3"]}, {}, "models", ["openai/o3"]),
        ({"user": "u1"}, {"user": "u2"}, "user", "u2"),
        ({"plugins": [{"id": "web"}]}, {}, "plugins", [{"id": "web"}]),
        ({"trace": {"trace_id": "t"}}, {}, "trace", {"trace_id": "t"}),
        ({"session_id": "s"}, {}, "session_id", "s"),
        ({"service_tier": "flex"}, {}, "service_tier", "flex"),
        ({"extra_body": {"a": {"b": None}}}, {"extra_body": {"c": 1}}, "a", {"b": None}),
        ({"model_kwargs": {"a": 1}}, {"model_kwargs": {"a": 2}}, "a", 2),
    ],
)
def test_the_call_wins_over_the_constructor(
    emulator: Emulator, constructor: dict[str, Any], call: dict[str, Any], key: str, expected: Any
) -> None:
    model = built(emulator, **constructor)
    model.invoke("Hello", **call)
    assert sent(emulator).get(key) == expected
    model.bind(**call).invoke("Hello")
    assert sent(emulator).get(key) == expected
    assert "reasoning_effort" not in sent(emulator)


def test_configurable_fields_change_the_model_and_its_profile(emulator: Emulator) -> None:
    model = built(emulator).configurable_fields(
        model=ConfigurableField(id="model"), max_tokens=ConfigurableField(id="limit")
    )
    chosen = model.with_config(configurable={"model": "openai/o4-mini", "limit": 2_000})
    chosen.invoke("Hello")
    assert (sent(emulator)["model"], sent(emulator)["max_tokens"]) == ("openai/o4-mini", 2_000)
    list(chosen.stream("Hello"))
    assert sent(emulator)["stream"] is True


def test_withheld_parameters_are_not_sent_and_the_call_says_so(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.warns(UserWarning, match="parallel_tool_calls, temperature") as caught:
        model.invoke("Hello", temperature=1, parallel_tool_calls=False)
    assert len(caught) == 1
    assert sent(emulator).keys() == {"model", "messages"}


def test_a_call_that_changes_the_model_names_what_it_withholds(emulator: Emulator) -> None:
    model = built(emulator, model="openai/gpt-4.1-mini", temperature=0.5)
    with pytest.warns(UserWarning, match="o3-mini does not support temperature"):
        model.invoke("Hello", model="openai/o3-mini")
    assert "temperature" not in sent(emulator)


def test_no_model_means_the_constructors(emulator: Emulator) -> None:
    built(emulator, model="openai/o4-mini").invoke("Hello", model=None)
    assert sent(emulator)["model"] == "openai/o4-mini"


def test_a_call_can_take_reasoning_effort_out(emulator: Emulator) -> None:
    model = built(emulator, reasoning_effort="low", reasoning={"summary": "auto"})
    model.invoke("Hello", reasoning_effort=None)
    assert sent(emulator)["reasoning"] == {"summary": "auto"}


def test_no_null_is_sent_at_any_depth(emulator: Emulator) -> None:
    plugins = [{"id": "web", "max_results": None}]
    built(emulator, plugins=plugins, trace={"trace_id": None, "a": 1}).invoke("Hello")
    assert b"null" not in emulator.requests[-1].raw


def test_headers_in_latin_1_arrive(emulator: Emulator) -> None:
    built(emulator, app_title="Schäfchen").invoke("Hello")
    assert emulator.requests[-1].headers["x-title"] == "Schäfchen"


def test_credentials_in_headers_are_not_shown(emulator: Emulator) -> None:
    seen: list[str] = []

    class Spy(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append(f"{args} {kwargs}")

    secret = {"Authorization": "Bearer s3cret-in-header"}
    model = built(emulator, default_headers=secret)
    model.invoke("Hello", extra_headers=secret, config={"callbacks": [Spy()]})
    assert emulator.requests[-1].headers["authorization"] == "Bearer s3cret-in-header"
    assert "s3cret" not in f"{seen} {model!r}"
    with pytest.raises(TypeError, match="credentials"):
        pickle.dumps(model)


def test_a_gateway_that_echoes_a_key_of_any_form_does_not_spread_it(emulator: Emulator) -> None:
    echo = wire.to_json(wire.error(401, "Incorrect API key provided: plainkey-abc123"))
    emulator.play(Canned(status=401, pieces=echo))
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="plainkey-abc123")
    with pytest.raises(OpenRouterAuthenticationError) as caught:
        model.invoke("Hello")
    assert "plainkey" not in f"{caught.value} {caught.value.body}"


def test_an_unknown_model_gets_every_parameter(emulator: Emulator) -> None:
    built(emulator, model="openai/gpt-4.1-mini", temperature=0.5, max_tokens=50).invoke("Hello")
    assert (sent(emulator)["temperature"], sent(emulator)["max_tokens"]) == (0.5, 50)


def test_default_headers_win_over_app_title_whatever_their_case(emulator: Emulator) -> None:
    model = built(
        emulator,
        app_url="https://sheep.example",
        app_title="Sheep",
        app_categories=["cli-agent", "games"],
        default_headers={"x-title": "Mine", "User-Agent": "mine/1"},
    )
    model.invoke("Hello", extra_headers={"X-Trace": "7"})
    headers = emulator.requests[-1].headers
    assert headers["http-referer"] == "https://sheep.example"
    assert headers["x-title"] == "Mine"
    assert headers["user-agent"] == "mine/1"
    assert headers["x-openrouter-categories"] == "cli-agent,games"
    assert headers["x-trace"] == "7"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"temprature": 1}, "Did you mean 'temperature'"),
        ({"max_tokens": 5}, "below 16"),
        ({"max_tokens": "100"}, "whole number"),
        ({"max_tokens": 50, "max_completion_tokens": 60}, "twice"),
        ({"n": 3}, "one answer"),
        ({"reasoning_effort": "xlow"}, "reasoning_effort"),
        ({"reasoning": {"newkey": 1}}, "newkey"),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "drop one"),
        ({"tool_choice": "required"}, "without tools"),
        ({"reasoning": {"max_tokens": 50}, "reasoning_effort": "high"}, "drop one"),
        ({"reasoning": {"exclude": True}, "include_reasoning": True}, "drop one"),
        ({"reasoning": {"exclude": False}, "include_reasoning": False}, "drop one"),
        ({"reasoning": {"effort": "none"}}, "accepts low, medium, high"),
        ({"reasoning": {"enabled": False}}, "always reasons"),
        ({"model": "openai/o3-mini-high", "reasoning": {"effort": "low"}}, "accepts high"),
        ({"tools": [PING, {"type": "openrouter:web_search"}, PING]}, "bound more than once"),
        ({"user": "\ud83d"}, "user"),
        ({"trace": {"a": object()}}, "JSON"),
        ({"extra_headers": {"x-a": "one\r\nx-injected: two"}}, "x-a"),
        ({"extra_headers": {"x-a": "\x00"}}, "x-a"),
        ({"extra_headers": {"x-a": "snow ☃"}}, "x-a"),
        ({"extra_headers": {"x-a": 5}}, "x-a"),
        ({"extra_headers": {"x-a": None}}, "x-a"),
        ({"extra_headers": {"": "x"}}, "is not a header name"),
        ({"extra_headers": {"a b": "x"}}, "is not a header name"),
        ({"extra_headers": {"é": "x"}}, "is not a header name"),
        ({"extra_headers": {b"A": b"x"}}, "is not a header name"),
        ({"response_format": {"type": "json_object"}}, "json"),
        ({"extra_headers": {"A": "\n"}}, "extra_headers"),
        ({"extra_body": {"x": float("nan")}}, "JSON"),
        ({"stop": ["a"], "stop_sequences": ["b"]}, "twice"),
        ({"stop_sequences": 5}, "stop"),
        ({"extra_body": [1]}, "extra_body"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": "a"}, "max_retries"),
    ],
)
def test_bad_call_arguments_are_refused_before_sending(
    emulator: Emulator, model: ChatOpenRouterO3, call: dict[str, Any], expected: str
) -> None:
    with pytest.raises(OpenRouterInputError, match=expected):
        model.invoke("Hello", **call)
    assert emulator.requests == []


def test_without_an_api_key_the_error_says_where_to_get_one(emulator: Emulator) -> None:
    model = ChatOpenRouterO3(base_url=emulator.base_url)
    with pytest.raises(OpenRouterAuthenticationError, match="OPENROUTER_API_KEY"):
        model.invoke("Hello")
    assert emulator.requests == []


def test_an_authorization_in_default_headers_replaces_api_key(emulator: Emulator) -> None:
    headers = {"Authorization": "Bearer mine"}
    ChatOpenRouterO3(base_url=emulator.base_url, default_headers=headers).invoke("Hello")
    assert emulator.requests[-1].headers["authorization"] == "Bearer mine"


def test_a_response_format_of_the_constructor_shapes_every_answer(emulator: Emulator) -> None:
    class Person(BaseModel):
        name: str
        born: int | None = None

    answer = built(emulator, response_format=Person).invoke("Ada Lovelace, born 1815")
    assert Person.model_validate_json(answer.text).born == 1815
    schema = sent(emulator)["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["required"] == ["name", "born"]


def test_half_a_surrogate_pair_is_refused_by_message(
    emulator: Emulator, model: ChatOpenRouterO3
) -> None:
    with pytest.raises(OpenRouterInputError, match=r"messages\[1\]"):
        model.invoke([("system", "ok"), ("human", "broken \ud83d")])
    assert emulator.requests == []


def test_text_is_sent_as_utf8_without_escapes(emulator: Emulator, model: ChatOpenRouterO3) -> None:
    model.invoke("Grüße 🐑")
    assert "Grüße 🐑".encode() in emulator.requests[-1].raw
    assert json.loads(emulator.requests[-1].raw) == sent(emulator)


@contextlib.contextmanager
def scripted_server(*pieces: bytes) -> Iterator[str]:
    """Answer one request with these bytes, one piece after the other; gives the base URL."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.join()


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_may_come_in_any_pieces_and_end_with_its_connection(mode: str) -> None:
    body = wire.sse(wire.chunk("Hello"), *wire.ending())
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with (
        scripted_server(head[:20], head[20:] + body[:10], body[10:]) as base_url,
        ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0) as model,
    ):
        assert MODES[mode](model).content == "Hello"


@pytest.mark.parametrize("mode", ["stream", "astream"])
@pytest.mark.parametrize("with_head", [True, False])
def test_what_came_before_a_broken_chunk_is_not_lost(mode: str, *, with_head: bool) -> None:
    kind = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"
    head = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % kind
    event = wire.sse(wire.chunk("Hello"), done=False)
    broken = b"%x\r\n%b\r\nno size\r\n" % (len(event), event)
    pieces = [head + broken] if with_head else [head, broken]
    with (
        scripted_server(*pieces) as base_url,
        ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0) as model,
        pytest.raises(OpenRouterError) as caught,
    ):
        MODES[mode](model)
    assert caught.value.partial is not None
    assert caught.value.partial.content == "Hello"
