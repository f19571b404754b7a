"""From LangChain's messages to OpenRouter's.

Everything is sent or refused: a block that has no place on the wire raises an error with the
message's index and the block's type. Nothing is filtered.
"""

from __future__ import annotations

from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_openrouter_o3._wire.assistant_message import assistant_to_wire
from langchain_openrouter_o3._wire.content import content_to_wire
from langchain_openrouter_o3._wire.conversation import (
    MessageContext,
    ToolCallTracker,
    accepted_name,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROLES = frozenset({"system", "developer", "user", "assistant"})


def messages_to_wire(
    messages: Sequence[BaseMessage], *, image_inputs: bool = True
) -> list[dict[str, Any]]:
    """Map a conversation.

    Args:
        messages: LangChain's messages.
        image_inputs: Whether the model sees images.

    Returns:
        OpenRouter's `messages`.

    Raises:
        OpenRouterInputError: Something in it cannot be sent; the text says where and what.
    """
    if not messages:
        raise OpenRouterInputError("messages is empty; pass at least one message.")
    context = MessageContext(image_inputs=image_inputs)
    tracker = ToolCallTracker()
    wire: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        context.index, context.message = index, message
        wire.append(_mapping_of(type(message))(message, tracker, context))
    tracker.check_answered()
    return wire


@lru_cache(maxsize=64)
def _mapping_of(
    kind: type[BaseMessage],
) -> Callable[[Any, ToolCallTracker, MessageContext], dict[str, Any]]:
    """Find the mapping of a class once; long histories have few classes."""
    return _message_to_wire.dispatch(kind)


@singledispatch
def _message_to_wire(
    message: BaseMessage, tracker: ToolCallTracker, context: MessageContext
) -> dict[str, Any]:
    del tracker
    raise OpenRouterInputError(
        f"{context.name}: a {type(message).__name__} cannot be sent; use HumanMessage, "
        "AIMessage, SystemMessage, ToolMessage or ChatMessage."
    )


@_message_to_wire.register
def _(message: SystemMessage, tracker: ToolCallTracker, context: MessageContext) -> dict[str, Any]:
    # The tag that langchain-openai and its converters use for OpenAI's developer role.
    developer = message.additional_kwargs.get("__openai_role__") == "developer"
    return _plain(message, "developer" if developer else "system", tracker, context)


@_message_to_wire.register
def _(message: HumanMessage, tracker: ToolCallTracker, context: MessageContext) -> dict[str, Any]:
    return _plain(message, "user", tracker, context)


@_message_to_wire.register
def _(message: ChatMessage, tracker: ToolCallTracker, context: MessageContext) -> dict[str, Any]:
    if message.role not in _ROLES:
        raise OpenRouterInputError(
            f"{context.name}: role {message.role!r} is not one of "
            f"{', '.join(sorted(_ROLES))}; a tool's result is a ToolMessage."
        )
    return _plain(message, message.role, tracker, context)


@_message_to_wire.register
def _(message: ToolMessage, tracker: ToolCallTracker, context: MessageContext) -> dict[str, Any]:
    return {
        "role": "tool",
        "tool_call_id": tracker.result(message, context),
        "content": content_to_wire(message.content, context),
    }


@_message_to_wire.register
def _(message: AIMessage, tracker: ToolCallTracker, context: MessageContext) -> dict[str, Any]:
    tracker.check_answered()
    return {"role": "assistant", **_name(message), **assistant_to_wire(message, tracker, context)}


def _plain(
    message: BaseMessage, role: str, tracker: ToolCallTracker, context: MessageContext
) -> dict[str, Any]:
    tracker.check_answered()
    content = content_to_wire(message.content, context)
    return {"role": role, **_name(message), "content": content}


def _name(message: BaseMessage) -> dict[str, str]:
    name = message.name or message.additional_kwargs.get("name")
    return {"name": accepted_name(str(name))} if name else {}
