"""What OpenRouter answers: an error, or a completion as one JSON body or as events.

An error is `{"error": {"message", "code"[, "metadata"]}[, "user_id"]}`; `code` repeats the HTTP
status (https://openrouter.ai/docs/api/reference/errors-and-debugging).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import encode
from langchain_openrouter_o3.emulator.wire.completion import summary_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.wire.chat_request import ToolCall
    from langchain_openrouter_o3.emulator.wire.completion import Answer, Completion, Reasoning

# OpenRouter puts its user's id on top of most refusals; clients must keep it out of their logs,
# so the emulator gives them one to leak.
USER_ID = "user_emulator0000000000000000"


class ApiError(Exception):
    """A refusal, as an HTTP status and the body that goes with it."""

    def __init__(
        self,
        status: int,
        message: str,
        metadata: JsonObject | None = None,
        *,
        names_user: bool = True,
    ) -> None:
        """Describe the refusal; one that comes before the key is known names no user."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.metadata = metadata
        self.provider_message = message
        self.names_user = names_user

    def body(self) -> JsonObject:
        """Return the JSON body."""
        error: JsonObject = {"message": self.message, "code": self.status}
        if self.metadata is not None:
            error["metadata"] = self.metadata
        body: JsonObject = {"error": error}
        if self.names_user:
            body["user_id"] = USER_ID
        return body


class BadRequestError(ApiError):
    """OpenRouter itself finds the request wrong."""

    def __init__(self, message: str, metadata: JsonObject | None = None) -> None:
        """Say what is wrong."""
        super().__init__(400, message, metadata)


class ProviderError(ApiError):
    """OpenAI finds the request wrong, and OpenRouter passes that on.

    The message says only that; what the provider said is a JSON text in `metadata.raw`.
    """

    def __init__(self, message: str, *, param: str | None, code: str | None = None) -> None:
        """Say what OpenAI would say."""
        error: JsonObject = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }
        raw = json.dumps({"error": error}, indent=2, ensure_ascii=False)
        super().__init__(
            400,
            "Provider returned error",
            {"raw": raw, "provider_name": "OpenAI", "is_byok": False},
        )
        self.provider_message = message


# --- Completions ---


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


COMMENT = b": OPENROUTER PROCESSING\n\n"
_DONE = b"data: [DONE]\n\n"
_WORD = re.compile(r"\s*\S+|\s+$")
_ARGUMENT_PIECE = re.compile(r"\s*\w+|[^\w\s]+|\s+")


def events(completion: Completion) -> Iterator[bytes]:
    """Return the events of a stream after its first comment."""
    reasoning = completion.reasoning
    if reasoning is not None:
        for delta in _reasoning_deltas(reasoning):
            yield _event(completion, delta)
        yield COMMENT
    for delta in _answer_deltas(completion.answer):
        yield _event(completion, delta)
    last = _delta("")
    yield _event(completion, last | _no_reasoning(reasoning), finished=True)
    yield _event(completion, last, finished=True, usage=completion.usage.to_json())
    yield _DONE


def _event(
    completion: Completion,
    delta: JsonObject,
    *,
    finished: bool = False,
    usage: JsonObject | None = None,
) -> bytes:
    chunk: JsonObject = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.slug,
        "provider": "OpenAI",
    }
    if usage is not None:
        chunk["service_tier"] = "default"
    choice: JsonObject = {
        "index": 0,
        "delta": delta,
        "finish_reason": completion.finish_reason if finished else None,
        "native_finish_reason": completion.native_finish_reason if finished else None,
    }
    chunk["choices"] = [choice]
    if usage is not None:
        chunk["usage"] = usage
        if completion.routing is not None:
            chunk["openrouter_metadata"] = completion.routing
    return b"data: " + encode(chunk) + b"\n\n"


def _delta(content: str | None, **more: Json) -> JsonObject:
    return {"content": content, "role": "assistant", **more}


def _no_reasoning(reasoning: Reasoning | None) -> JsonObject:
    """What a delta without reasoning text says about it when reasoning was not excluded."""
    return {} if reasoning is None or reasoning.excluded else {"reasoning": None}


def _reasoning_deltas(reasoning: Reasoning) -> Iterator[JsonObject]:
    for piece in _WORD.findall(reasoning.summary or ""):
        yield _delta("", reasoning=piece, reasoning_details=[summary_entry(piece)])
    # The encrypted entry is never split.
    entry = reasoning.encrypted_entry()
    yield _delta("", **_no_reasoning(reasoning), reasoning_details=[entry])


def _answer_deltas(answer: Answer) -> Iterator[JsonObject]:
    for annotation in answer.annotations:
        yield _delta("", annotations=[annotation])
    for piece in _WORD.findall(answer.refusal or ""):
        yield _delta("", refusal=piece)
    for piece in _WORD.findall(answer.text or ""):
        yield _delta(piece)
    for index, call in enumerate(answer.tool_calls):
        yield from _call_deltas(index, call)


def _call_deltas(index: int, call: ToolCall) -> Iterator[JsonObject]:
    """The id and the name come once, with empty arguments; then more empty ones, then pieces."""
    head: JsonObject = {
        "index": index,
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": ""},
    }
    yield _delta(None, tool_calls=[head])
    for piece in ("", *_ARGUMENT_PIECE.findall(call.arguments)):
        yield _delta(None, tool_calls=[{"index": index, "function": {"arguments": piece}}])
