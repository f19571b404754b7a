"""LangChain's standard content blocks of OpenRouter's messages.

langchain-core calls these through `message.content_blocks`, for `output_version="v1"` and for
protocol events. Chunks carry a string index per kind of block, so that deltas of one kind join
and two kinds never do.

Messages of other packages say "openrouter", too. Their content may be a list of blocks, which is
read as langchain-core reads it where no package has registered a translator.

Source: https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import HumanMessage
from langchain_core.messages.block_translators import register_translator

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.response_accumulator import MODEL_PROVIDER

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

_INDEX = {"reasoning": "lc_reasoning", "text": "lc_text", "refusal": "lc_refusal"}


def message_to_blocks(message: AIMessage) -> list[ContentBlock]:
    """Translate a whole message: reasoning, text with its citations, refusal, tool calls."""
    blocks = _content(message)
    return cast("list[ContentBlock]", [*blocks, *_calls(message, blocks)])


def chunk_to_blocks(chunk: AIMessageChunk) -> list[ContentBlock]:
    """Translate a chunk: its delta, or all of it once the stream has ended."""
    blocks = _content(chunk)
    if chunk.chunk_position == "last":
        blocks += _calls(chunk, blocks)
    elif chunk.content and not isinstance(chunk.content, str):
        blocks += [call for call in _calls(chunk, blocks) if call["id"]]  # as core reads it
    else:
        blocks += [_call_delta(call) for call in chunk.tool_call_chunks]
    if isinstance(chunk.content, str):
        for block in blocks:
            if block["type"] in _INDEX:
                block["index"] = _INDEX[block["type"]]
    return cast("list[ContentBlock]", blocks)


def _calls(message: AIMessage, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Translate the tool calls that the content does not hold."""
    known = [block.get("id") for block in blocks if block["type"] == "tool_call"]
    return [
        {"type": "tool_call", "name": call["name"], "args": call["args"], "id": call["id"]}
        for call in message.tool_calls
        if call["id"] not in known
    ]


def _call_delta(call: Any) -> dict[str, Any]:
    return {
        "type": "tool_call_chunk",
        "id": call["id"],
        "name": call["name"],
        "args": call["args"],
        "index": call["index"],
    }


def _content(message: AIMessage) -> list[dict[str, Any]]:
    """Translate the content, and what OpenRouter sends beside it."""
    content, beside = message.content, message.additional_kwargs
    blocks: list[dict[str, Any]]
    if isinstance(content, str):
        blocks = [{"type": "text", "text": content}] if content else []
    else:
        # Core reads the content of any message that has no translator like a human one's.
        read = HumanMessage([part for part in content if part != ""]).content_blocks
        blocks = [dict(block) for block in read]
    _cite(blocks, beside.get("annotations"))
    for kind, key in (("reasoning", "reasoning_content"), ("refusal", "refusal")):
        text = beside.get(key)
        if isinstance(text, str) and text and not _holds(blocks, kind):
            blocks.insert(0 if kind == "reasoning" else len(blocks), {"type": kind, kind: text})
    return blocks


def _cite(blocks: list[dict[str, Any]], found: Any) -> None:
    """Put the citations on the first text, unless some text has its own."""
    if not is_array(found) or not found or any("annotations" in block for block in blocks):
        return
    if not _holds(blocks, "text"):
        blocks.append({"type": "text", "text": ""})
    cited = next(block for block in blocks if block["type"] == "text")
    cited["annotations"] = [_citation(annotation) for annotation in found]


def _holds(blocks: list[dict[str, Any]], kind: str) -> bool:
    return any(block["type"] == kind for block in blocks)


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
