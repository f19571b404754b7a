"""Message chunks of a stream, built without validating what is valid by construction.

Validating a chunk that holds one word costs more than receiving it. `build_delta` fills the two
objects directly, as pydantic's `model_construct` does, and reads tool-call fragments by the same
rules as langchain-core. That both ways give equal objects is checked once per process, on first
use, and by the property tests; if a release of langchain-core changes its messages, a warning
says so and every chunk is validated again.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import langchain_core
from langchain_core.messages import AIMessageChunk
from langchain_core.messages import tool as core_tool
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.json import parse_partial_json

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.results import generation_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

    BuildDelta = Callable[
        [str, dict[str, Any], dict[str, Any], list[ToolCallChunk]],
        ChatGenerationChunk,
    ]

_JSON_SPACE = " \t\n\r"
_new = object.__new__
_set = object.__setattr__  # pydantic keeps its state in slots of these names


def build_last(
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    usage_metadata: UsageMetadata | None,
) -> ChatGenerationChunk:
    """Build the last chunk of a stream, which carries all that is known only at the end."""
    position: Literal["last"] = "last"
    message = AIMessageChunk(
        content="",
        additional_kwargs=additional_kwargs,
        response_metadata=response_metadata,
        tool_call_chunks=[],
        usage_metadata=usage_metadata,
        chunk_position=position,
    )
    info = generation_info(response_metadata)
    return ChatGenerationChunk(message=message, generation_info=info)


def build_delta(
    text: str,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """Build a chunk of a stream; it keeps the lists and dictionaries that it is given.

    Args:
        text: What the delta adds to the text.
        additional_kwargs: Reasoning; no key `tool_calls`, which core would parse.
        response_metadata: Of every chunk.
        tool_call_chunks: Pieces of tool calls, as `create_tool_call_chunk` makes them.
    """
    return _builder()(text, additional_kwargs, response_metadata, tool_call_chunks)


def validated_delta(
    text: str,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """Build the same chunk as `direct_delta`, validated."""
    message = AIMessageChunk(
        content=text,
        additional_kwargs=additional_kwargs,
        response_metadata=response_metadata,
        tool_call_chunks=tool_call_chunks,
    )
    return ChatGenerationChunk(message=message)


def direct_delta(
    text: str,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_call_chunks: list[ToolCallChunk],
) -> ChatGenerationChunk:
    """Build the same chunk as `validated_delta`, without validating."""
    given = {"content", "additional_kwargs", "response_metadata", "tool_call_chunks"}
    tool_calls: list[ToolCall] = []
    invalid_tool_calls: list[InvalidToolCall] = []
    if tool_call_chunks:
        given |= {"tool_calls", "invalid_tool_calls"}  # core assigns them after validation
        for chunk in tool_call_chunks:
            _read_fragment(chunk, tool_calls, invalid_tool_calls)
    message = _new(AIMessageChunk)
    fields: dict[str, Any] = {
        "content": text,
        "additional_kwargs": additional_kwargs,
        "response_metadata": response_metadata,
        "type": "AIMessageChunk",
        "name": None,
        "id": None,
        "tool_calls": tool_calls,
        "invalid_tool_calls": invalid_tool_calls,
        "usage_metadata": None,
        "tool_call_chunks": tool_call_chunks,
        "chunk_position": None,
    }
    _set(message, "__dict__", fields)
    _set(message, "__pydantic_fields_set__", given)
    _set(message, "__pydantic_extra__", {})
    _set(message, "__pydantic_private__", None)
    generation = _new(ChatGenerationChunk)
    fields = {
        "text": message.text,
        "generation_info": None,
        "type": "ChatGenerationChunk",
        "message": message,
    }
    _set(generation, "__dict__", fields)
    _set(generation, "__pydantic_fields_set__", {"message", "text"})
    _set(generation, "__pydantic_extra__", None)
    _set(generation, "__pydantic_private__", None)
    return generation


def choose_builder(direct: BuildDelta = direct_delta) -> BuildDelta:
    """Return the direct way if it gives what validation gives, otherwise validation, loudly."""
    pieces = ("", "{", '{"a": [', '"b', "1]}")
    samples: list[tuple[str, dict[str, Any], list[ToolCallChunk]]] = [
        ("Hello", {}, []),
        ("", {"reasoning_content": "Hm."}, []),
        *(("", {}, [core_tool.tool_call_chunk(args=piece, index=0)]) for piece in pieces),
        ("", {}, [core_tool.tool_call_chunk(name="f", args="", id="call_1", index=0)]),
    ]
    for text, kwargs, chunks in samples:
        metadata = {"model_provider": "openrouter"}
        built = [
            build(text, dict(kwargs), dict(metadata), [chunk.copy() for chunk in chunks])
            for build in (direct, validated_delta)
        ]
        if state_of(built[0]) != state_of(built[1]):
            warnings.warn(
                f"langchain-core {langchain_core.__version__} builds message chunks in a way "
                "that this release of langchain-openrouter-o3 does not know; streaming works, "
                "but slower. Please report it.",
                RuntimeWarning,
                stacklevel=2,
            )
            return validated_delta
    return direct


_builder = lru_cache(maxsize=1)(choose_builder)


def state_of(value: Any) -> Any:
    """Return all that pydantic keeps of an object, with the types, at any depth."""
    if hasattr(value, "__pydantic_fields_set__"):
        state = [
            getattr(value, f"__pydantic_{name}__") for name in ("fields_set", "extra", "private")
        ]
        return type(value), state, state_of(dict(value.__dict__))
    if is_object(value):
        return {key: state_of(item) for key, item in value.items()}
    if is_array(value):
        return [state_of(item) for item in value]
    return type(value), value


def _read_fragment(
    chunk: ToolCallChunk, valid: list[ToolCall], invalid: list[InvalidToolCall]
) -> None:
    """Sort a fragment as `AIMessageChunk` does: by whether its end completes to an object."""
    fragment = chunk["args"]
    arguments: Any = _complete(fragment) if fragment else {}
    if is_object(arguments):
        valid.append(core_tool.tool_call(name=chunk["name"] or "", args=arguments, id=chunk["id"]))
    else:
        invalid.append(
            core_tool.invalid_tool_call(
                name=chunk["name"], args=fragment, id=chunk["id"], error=None
            )
        )


def _complete(fragment: str) -> Any:
    if not fragment.lstrip(_JSON_SPACE).startswith("{"):
        return None  # it cannot become an object; core's search for its end takes long
    try:
        return parse_partial_json(fragment)
    except (ValueError, RecursionError):
        return None
