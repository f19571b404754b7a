"""Requests: a conversation becomes sound JSON or an error that says why not; it stays as it is."""

from __future__ import annotations

import json
import warnings
from typing import Any

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3._arguments.call import build_call
from tests.fuzz.conversations import call_arguments, conversation
from tests.fuzz.source import ByteSource

_MODEL = ChatOpenRouterO3(api_key="a-key-of-no-worth", base_url="https://openrouter.test")


def request(data: bytes) -> None:
    """A byte for the mode, a call's arguments and a conversation."""
    source = ByteSource(data)
    stream = source.flag()
    arguments = call_arguments(source)
    try:
        messages = conversation(source)
    except (TypeError, ValueError):  # LangChain has no such message
        return
    before = repr((messages, arguments))
    body: dict[str, Any] | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what o3-mini does not take
            call = build_call(_MODEL, messages, None, arguments, own=None, stream=stream)
        body = json.loads(call.request.body.decode(), parse_constant=_refuse)
    except OpenRouterInputError:
        pass  # refused by name, which is as good
    assert repr((messages, arguments)) == before
    if body is not None:
        _check(body, len(messages), stream=stream)


def _check(body: dict[str, Any], count: int, *, stream: bool) -> None:
    assert body.get("stream", False) is stream
    assert len(body["messages"]) == count
    assert None not in body.values()
    for message in body["messages"]:
        assert None not in message.values()
        for call in message.get("tool_calls", ()):
            assert call["id"]
            assert isinstance(call["function"]["arguments"], str)
    ids = [call["id"] for m in body["messages"] for call in m.get("tool_calls", ())]
    results = [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]
    assert sorted(ids) == sorted(results)


def _refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} in the body of a request")
