"""LangChain messages and call arguments, right and wrong ones, decided byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from tests.fuzz.source import ByteSource

_TEXTS = ("Hello", "", "json", "é😀\u2028", "\ud83d", "a\nb")
_IDS = ("call_1", "call_2", "", "x" * 70, "a b", None)
_ARGUMENTS = ('{"a": 1}', "{}", "", '{"a": ', "[]", '{"a": NaN}')
_ROLES = ("user", "assistant", "system", "developer", "tool", "")
_TYPES = (
    "text", "text-plain", "reasoning", "thinking", "refusal", "image", "image_url", "file",
    "audio", "input_audio", "video_url", "tool_call", "tool_use", "invalid_tool_call",
    "non_standard", "server_tool_call", "",
)  # fmt: skip
_FIELDS = (
    "text", "reasoning", "thinking", "refusal", "summary", "url", "base64", "mime_type", "file",
    "image_url", "id", "call_id", "extras", "cache_control", "title", "index", "type", "data",
    "file_id", "filename", "encrypted_content",
)  # fmt: skip
_EXTRAS = (
    "reasoning_content", "reasoning_details", "refusal", "tool_call_arguments", "audio", "images",
    "function_call", "name", "__openai_role__", "tool_calls", "annotations",
)  # fmt: skip
_PARAMETERS = (
    "max_tokens", "seed", "temperature", "reasoning", "reasoning_effort", "include_reasoning",
    "tools", "tool_choice", "response_format", "provider", "models", "user", "plugins", "stop",
    "service_tier", "logit_bias", "model", "n", "timeout", "max_retries",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, 1, 16, 100_000, "low", "high", "auto", "required", "json_object", True, 0.5,
    {"effort": "low"}, {"type": "json_object"}, {"exclude": True}, {"order": ["openai"]},
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
    [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    ["END"], "openai/o4-mini", "someone/unknown",
)  # fmt: skip
_MAX_MESSAGES = 6
_NOT_NUMBERS = (float("nan"), float("-inf"), b"bytes", {1}, object)


def conversation(source: ByteSource) -> list[BaseMessage]:
    """Up to six messages; those that LangChain itself refuses raise its ValidationError."""
    messages: list[BaseMessage] = []
    for _ in range(source.number(_MAX_MESSAGES + 1)):
        messages.append(source.choice(_MESSAGES)(source))
        last = messages[-1]
        if isinstance(last, AIMessage) and not source.rarely():
            calls = [*last.tool_calls, *last.invalid_tool_calls]
            messages += [ToolMessage("done", tool_call_id=str(call["id"])) for call in calls]
    return messages


def call_arguments(source: ByteSource) -> dict[str, Any]:
    """Arguments of a call; most calls have none."""
    return {
        source.choice(_PARAMETERS): source.json() if source.rarely() else source.choice(_VALUES)
        for _ in range(source.choice((0, 0, 0, 1, 2, 3)))
    }


def _value(source: ByteSource) -> Any:
    return source.choice(_NOT_NUMBERS) if source.rarely() else source.json(2)


def _content(source: ByteSource) -> Any:
    if not source.flag():
        return source.choice(_TEXTS)
    return [
        source.choice(_TEXTS) if source.rarely() else _block(source)
        for _ in range(source.number(4))
    ]


def _block(source: ByteSource) -> dict[str, Any]:
    kind = source.choice(_TYPES)
    block: dict[str, Any] = {"type": kind}
    if kind in ("text", "text-plain", "reasoning", "thinking", "refusal"):
        block["text" if kind == "text-plain" else kind] = source.choice(_TEXTS)
    if kind in ("tool_call", "tool_use", "invalid_tool_call"):
        block["id"] = source.choice(_IDS)
    for _ in range(source.choice((0, 0, 1, 2))):
        block[source.choice(_FIELDS)] = _value(source)
    return block


def _extras(source: ByteSource) -> dict[str, Any]:
    return {
        source.choice(_EXTRAS): source.choice(_TEXTS) if source.flag() else _value(source)
        for _ in range(source.choice((0, 0, 1, 2)))
    }


def _assistant(source: ByteSource) -> BaseMessage:
    calls: list[Any] = []
    invalid: list[Any] = []
    raw: dict[str, Any] = {}
    for _ in range(source.choice((0, 0, 1, 2))):
        identity = source.choice(_IDS)
        call = {"name": "f", "id": identity}
        if source.flag():
            calls.append({**call, "type": "tool_call", "args": {"a": _value(source)}})
        else:
            arguments = source.choice(_ARGUMENTS)
            invalid.append({**call, "type": "invalid_tool_call", "args": arguments, "error": None})
        if source.flag():
            raw[str(identity)] = source.choice(_ARGUMENTS)
    return AIMessage(
        content=_content(source),
        tool_calls=calls,
        invalid_tool_calls=invalid,
        additional_kwargs={**({"tool_call_arguments": raw} if raw else {}), **_extras(source)},
        name=source.choice((None, "", "a b")),
    )


def _user(source: ByteSource) -> BaseMessage:
    return HumanMessage(_content(source), additional_kwargs=_extras(source))


def _system(source: ByteSource) -> BaseMessage:
    return SystemMessage(_content(source), additional_kwargs=_extras(source))


def _other(source: ByteSource) -> BaseMessage:
    if source.rarely():
        return FunctionMessage(name="f", content=_content(source))
    return ChatMessage(role=source.choice(_ROLES), content=_content(source))


def _tool(source: ByteSource) -> BaseMessage:
    return ToolMessage(_content(source), tool_call_id=str(source.choice(_IDS)))


_MESSAGES: tuple[Callable[[ByteSource], BaseMessage], ...] = (
    _user, _assistant, _system, _assistant, _other, _tool,
)  # fmt: skip
