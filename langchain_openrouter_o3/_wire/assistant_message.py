"""An AIMessage as history: text, reasoning, refusal and calls go back as they came."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import encode, is_array, is_object
from langchain_openrouter_o3._wire.content import part_to_wire
from langchain_openrouter_o3._wire.conversation import accepted_name
from langchain_openrouter_o3._wire.merging import as_sent
from langchain_openrouter_o3._wire.reasoning import (
    OPENAI_ITEM,
    reasoning_details_to_wire,
    text_of,
)
from langchain_openrouter_o3._wire.tool_arguments import (
    TEXT_ARGUMENT,
    custom_input,
    parse_arguments,
)
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY, CUSTOM_KEY
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import AIMessage

    from langchain_openrouter_o3._wire.conversation import MessageContext, ToolCallTracker

# Blocks that repeat what AIMessage.tool_calls holds, in LangChain's and Anthropic's spelling.
_CALL_BLOCKS = frozenset(
    {"tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use", "function_call"}
)
_TEXT_BLOCKS = {"reasoning": "reasoning", "thinking": "thinking", "refusal": "refusal"}
_RETURNED = ("audio", "images")


def assistant_to_wire(
    message: AIMessage, tracker: ToolCallTracker, context: MessageContext
) -> dict[str, Any]:
    """Map an AI message, without its role.

    Raises:
        OpenRouterInputError: A block has no place on the wire.
    """
    extra = message.additional_kwargs
    if "function_call" in extra and not message.tool_calls:
        raise OpenRouterInputError(
            f"{context.name}: the legacy function_call cannot be sent; use tool_calls."
        )
    called = message.tool_calls or message.invalid_tool_calls
    calls = _calls(message, tracker, context) if called else []
    content: str | list[dict[str, Any]]
    if isinstance(message.content, str):
        if not (calls or extra):
            return {"content": message.content}
        content, thoughts, refusal = message.content, "", ""
    else:
        content, thoughts, refusal = _split_content(message.content, message, context)
    refusal = extra.get("refusal") or refusal
    wire: dict[str, Any] = {}
    if content or not (calls or refusal):
        wire["content"] = content or ""  # some servers refuse []
    if calls:
        wire["tool_calls"] = calls
    if refusal:
        wire["refusal"] = refusal
    if extra or thoughts:
        wire |= _reasoning(extra, thoughts, context)
        wire |= {key: as_sent(extra[key]) for key in _RETURNED if extra.get(key) is not None}
    return wire


def _split_content(
    blocks: Sequence[str | dict[Any, Any]], message: AIMessage, context: MessageContext
) -> tuple[list[dict[str, Any]], str, str]:
    """Sort content blocks into parts, thoughts and refusal."""
    thoughts = refusal = ""
    known = [call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)]
    parts: list[dict[str, Any]] = []
    for block in blocks:
        kind = str(block.get("type")) if is_object(block) else "text"
        if isinstance(block, str) or kind not in _CALL_BLOCKS | _TEXT_BLOCKS.keys():
            parts.append(part_to_wire(block, context))
        elif kind in _TEXT_BLOCKS:
            text = _block_text(block, kind, context)
            thoughts += text if kind != "refusal" else ""
            refusal += text if kind == "refusal" else ""
        elif block.get("call_id", block.get("id")) not in known:
            raise OpenRouterInputError(
                f"{context.name}: the {kind} block {block.get('id')!r} is not among the message's "
                "tool_calls; set AIMessage.tool_calls, which is what is sent."
            )
    return parts, thoughts, refusal


def _block_text(block: dict[str, Any], kind: str, context: MessageContext) -> str:
    """Read a thought or refusal; OpenAI's Responses keep their thoughts under `summary`."""
    text = block.get(_TEXT_BLOCKS[kind])
    if text is None and kind == "reasoning" and not block.get("encrypted_content"):
        summary = block.get("summary")
        parts = [part.get("text") for part in summary or () if is_object(part)]
        text = "".join(map(str, parts)) if all(isinstance(each, str) for each in parts) else None
    if not isinstance(text, str):
        raise OpenRouterInputError(
            f"{context.name}: the {kind} block holds no text that can be sent, or ciphertext of "
            "another provider; remove it."
        )
    return text


def _reasoning(extra: dict[str, Any], thoughts: str, context: MessageContext) -> dict[str, Any]:
    text = extra.get("reasoning_content") or thoughts
    if not text and isinstance(extra.get("reasoning"), str):  # of OpenRouter's own dictionary
        text = extra["reasoning"]
    details = extra.get("reasoning_details")
    wire: dict[str, Any] = {}
    if is_array(details):
        new = _new_items(details, context)
        if new or not details:
            wire["reasoning_details"] = reasoning_details_to_wire(as_sent(new))
    # The details already hold the text; it goes alone only where they do not.
    if text and (not is_array(details) or text_of(details) != text):
        wire["reasoning"] = text
    return wire


def _identity(entry: Any) -> str | None:
    identity = entry.get("id") if is_object(entry) else None
    return identity if isinstance(identity, str) and identity else None


def _new_items(details: list[Any], context: MessageContext) -> list[Any]:
    """Leave out OpenAI's reasoning items that an earlier message holds.

    Copies of a message get into a history by merged branches and forks; OpenAI answers 400
    "Duplicate item found" to the second one.
    """
    identities = [_identity(entry) for entry in details]
    new = details
    if not context.sent_reasoning.isdisjoint(identities):
        # What has no id belongs to an item that is not sent again.
        known = {None, *context.sent_reasoning}
        pairs = zip(details, identities, strict=True)
        new = [entry for entry, identity in pairs if identity not in known]
    context.sent_reasoning.update(
        each for each in identities if (each or "").startswith(OPENAI_ITEM)
    )
    return new


def _calls(
    message: AIMessage, tracker: ToolCallTracker, context: MessageContext
) -> list[dict[str, Any]]:
    raw: Any = message.additional_kwargs.get(ARGUMENTS_KEY) or {}
    if not is_object(raw):
        raise OpenRouterInputError(f"{context.name}: {ARGUMENTS_KEY} holds strings by call id.")
    calls: list[tuple[str | None, str, str]] = [
        (call["id"], call["name"], _arguments(call["args"], raw.get(call["id"] or ""), context))
        for call in message.tool_calls
    ]
    calls += [
        (call["id"], call["name"] or "", str(raw.get(call["id"] or "", call["args"] or "")))
        for call in message.invalid_tool_calls
    ]
    # Of one kind they are in order already, also where a database has sorted the keys of `raw`.
    if message.tool_calls and message.invalid_tool_calls:
        order = {identity: position for position, identity in enumerate(raw)}
        calls.sort(key=lambda call: order.get(call[0] or "", len(order)))
    custom = _custom_ids(message, context)
    return [
        {
            "id": tracker.call(identity, position, context),
            **_call(name, arguments, custom=identity in custom),
        }
        for position, (identity, name, arguments) in enumerate(calls)
    ]


def _custom_ids(message: AIMessage, context: MessageContext) -> list[Any]:
    """Return the ids of custom calls, whose only argument must still be a text."""
    found = message.additional_kwargs.get(CUSTOM_KEY)
    custom = found if is_array(found) else []
    for call in message.tool_calls if custom else ():
        text = call["args"].get(TEXT_ARGUMENT) if len(call["args"]) == 1 else None
        if call["id"] in custom and not isinstance(text, str):
            raise OpenRouterInputError(
                f"{context.name}: the custom tool call {call['id']!r} takes one text, as "
                f"{{{TEXT_ARGUMENT!r}: …}}."
            )
    return custom


def _call(name: str, arguments: str, *, custom: bool) -> dict[str, Any]:
    # Models make names up, and a call that came without one is kept, too: neither ends a thread.
    name = accepted_name(name)
    if custom:
        return {"type": "custom", "custom": {"name": name, "input": custom_input(arguments)}}
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def _arguments(args: dict[str, Any], raw: Any, context: MessageContext) -> str:
    """Reuse the model's own string while it still means the same arguments."""
    try:
        written = encode(args).decode()
        return raw if isinstance(raw, str) and _still_means(raw, written) else written
    except (TypeError, ValueError) as error:
        raise OpenRouterInputError(
            f"{context.name}: the arguments of a tool call are not JSON: {error}"
        ) from error


def _still_means(raw: str, written: str) -> bool:
    """Compare written arguments, because to Python 1 and True are equal."""
    rewritten = _rewritten(raw)
    return rewritten == written or (
        rewritten is not None and _meaning(rewritten) == _meaning(written)
    )


@lru_cache(maxsize=4096)  # the same strings come back with every turn of a conversation
def _rewritten(raw: str) -> str | None:
    """Write an argument string as we would; None if it holds no arguments."""
    return encode(parse_arguments(raw)).decode() if raw.strip() else None


@lru_cache(maxsize=4096)
def _meaning(written: str) -> str:
    """Write JSON so that writing counts no more: JavaScript makes 1.0 a 1, databases sort keys."""
    return json.dumps(json.loads(written, parse_float=_number), sort_keys=True)


def _number(digits: str) -> float:
    number = float(digits)
    return int(number) if number.is_integer() else number
