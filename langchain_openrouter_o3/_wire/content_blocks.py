"""LangChain's standard content blocks of OpenRouter's messages.

langchain-core calls these through `message.content_blocks`, for `output_version="v1"` and for
protocol events. Chunks carry a string index per kind of block, so that deltas of one kind join
and two kinds never do.

Source: https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages.block_translators import register_translator

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.answer import MODEL_PROVIDER

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

_INDEX = {"reasoning": "lc_reasoning", "text": "lc_text"}


def message_to_blocks(message: AIMessage) -> list[ContentBlock]:
    """Translate a whole message: reasoning, text with its citations, tool calls."""
    blocks = [*_reasoning(message), *_text(message)]
    blocks += [
        {"type": "tool_call", "name": call["name"], "args": call["args"], "id": call["id"]}
        for call in message.tool_calls
    ]
    return cast("list[ContentBlock]", blocks)


def chunk_to_blocks(chunk: AIMessageChunk) -> list[ContentBlock]:
    """Translate a chunk: its delta, or all of it once the stream has ended."""
    if chunk.chunk_position == "last":
        blocks = cast("list[dict[str, Any]]", message_to_blocks(chunk))
    else:
        blocks = [*_reasoning(chunk), *_text(chunk)]
        blocks += [
            {
                "type": "tool_call_chunk",
                "id": call["id"],
                "name": call["name"],
                "args": call["args"],
                "index": call["index"],
            }
            for call in chunk.tool_call_chunks
        ]
    for block in blocks:
        if block["type"] in _INDEX:
            block.setdefault("index", _INDEX[block["type"]])
    return cast("list[ContentBlock]", blocks)


def _reasoning(message: AIMessage) -> list[dict[str, Any]]:
    text = message.additional_kwargs.get("reasoning_content")
    return [{"type": "reasoning", "reasoning": text}] if isinstance(text, str) and text else []


def _text(message: AIMessage) -> list[dict[str, Any]]:
    found: list[Any] = message.additional_kwargs.get("annotations") or []
    annotations = [_citation(item) for item in found]
    parts = message.content if is_array(message.content) else [message.content]
    blocks: list[dict[str, Any]] = []
    for part in parts:
        if not isinstance(part, str):
            known = part.get("type") in ("text", "reasoning")
            blocks.append(dict(part) if known else {"type": "non_standard", "value": part})
        elif part:
            blocks.append({"type": "text", "text": part})
    if annotations:
        if not any(block["type"] == "text" for block in blocks):
            blocks.append({"type": "text", "text": ""})
        cited = next(block for block in blocks if block["type"] == "text")
        cited["annotations"] = annotations
    return blocks


def _citation(annotation: Any) -> dict[str, Any]:
    cited = annotation.get("url_citation") if is_object(annotation) else None
    if not is_object(cited):
        return {"type": "non_standard_annotation", "value": {"annotation": annotation}}
    citation: dict[str, Any] = {"type": "citation"}
    for key in ("url", "title", "start_index", "end_index"):
        if cited.get(key) is not None:
            citation[key] = cited[key]
    if cited.get("content") is not None:
        citation["cited_text"] = cited["content"]
    return citation


def register() -> None:
    """Make langchain-core use this module for messages of the provider "openrouter"."""
    register_translator(MODEL_PROVIDER, message_to_blocks, chunk_to_blocks)
