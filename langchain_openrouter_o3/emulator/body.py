"""A completion as the JSON body of an answer that is not streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.chat_request import ToolCall
    from langchain_openrouter_o3.emulator.completion import Completion
    from langchain_openrouter_o3.emulator.json_value import JsonObject

# OpenRouter keeps the connection alive with white space while the model works, which JSON allows.
PADDING = b"\n         \n"


def completion_body(completion: Completion) -> JsonObject:
    """Return the body, its keys in OpenRouter's order."""
    body: JsonObject = {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.slug,
        "provider": "OpenAI",
        "system_fingerprint": None,
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "logprobs": None,
                "finish_reason": completion.finish_reason,
                "native_finish_reason": completion.native_finish_reason,
                "message": _message(completion),
            },
        ],
        "usage": completion.usage.to_json(),
    }
    if completion.routing is not None:
        body["openrouter_metadata"] = completion.routing
    return body


def _message(completion: Completion) -> JsonObject:
    answer, reasoning = completion.answer, completion.reasoning
    message: JsonObject = {"role": "assistant", "content": answer.text, "refusal": answer.refusal}
    if reasoning is None or not reasoning.excluded:
        message["reasoning"] = None if reasoning is None else reasoning.summary
    if answer.tool_calls:
        message["tool_calls"] = [_call(*item) for item in enumerate(answer.tool_calls)]
    if reasoning is not None:
        message["reasoning_details"] = [*reasoning.details()]
    if answer.annotations:
        message["annotations"] = [*answer.annotations]
    return message


def _call(index: int, call: ToolCall) -> JsonObject:
    return {
        "type": "function",
        "index": index,
        "id": call.id,
        "function": {"name": call.name, "arguments": call.arguments},
    }
