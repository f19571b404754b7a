"""The four ways of receiving an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError

Outcome = AIMessage | OpenRouterError


def invoke(model: ChatOpenRouterO3) -> AIMessage:
    return model.invoke("Hello")


def ainvoke(model: ChatOpenRouterO3) -> AIMessage:
    return asyncio.run(model.ainvoke("Hello"))


def stream(model: ChatOpenRouterO3) -> AIMessage:
    total: AIMessageChunk | None = None
    for chunk in model.stream("Hello"):
        total = chunk if total is None else total + chunk
    return _whole(total)


def astream(model: ChatOpenRouterO3) -> AIMessage:
    async def collect() -> AIMessageChunk | None:
        total: AIMessageChunk | None = None
        async for chunk in model.astream("Hello"):
            total = chunk if total is None else total + chunk
        return total

    return _whole(asyncio.run(collect()))


MODES: dict[str, Callable[[ChatOpenRouterO3], AIMessage]] = {
    "invoke": invoke,
    "ainvoke": ainvoke,
    "stream": stream,
    "astream": astream,
}


every_mode = pytest.mark.parametrize("mode", MODES)
streamed_modes = pytest.mark.parametrize("mode", ["stream", "astream"])


def outcome(mode: str, model: ChatOpenRouterO3) -> Outcome:
    """Receive the answer in a mode; a typed error is an outcome too."""
    try:
        return MODES[mode](model)
    except OpenRouterError as error:
        return error


def comparable(result: Outcome) -> Any:
    """Reduce an outcome to what must not depend on how it was received.

    One difference is by design: langchain-core repairs cut JSON when it sums chunks, so a
    stream closes the arguments of an incomplete call wrongly on purpose. The exact string is
    in additional_kwargs in every mode. Another is LangChain's: the id of each run.
    """
    if isinstance(result, OpenRouterError):
        partial = comparable(result.partial) if result.partial else None
        return type(result), str(result), result.code, result.body, partial
    raw = result.additional_kwargs.get("tool_call_arguments", {})
    fields = result.model_dump(exclude={"id"})
    for call in fields["invalid_tool_calls"]:
        assert call["args"].startswith(raw[call["id"]])
        call["args"] = raw[call["id"]]
    return fields


def _whole(total: AIMessageChunk | None) -> AIMessage:
    assert total is not None
    assert total.chunk_position == "last"
    message = message_chunk_to_message(total)
    assert type(message) is AIMessage
    return message
