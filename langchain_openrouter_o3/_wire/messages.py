"""From LangChain's messages to OpenRouter's.

Everything is sent or refused: a block that has no place on the wire raises an error with the
message's index and the block's type. Nothing is filtered.
"""

from __future__ import annotations

import re
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_openrouter_o3._wire.assistant import assistant_to_wire
from langchain_openrouter_o3._wire.call_ids import CallIds
from langchain_openrouter_o3._wire.parts import Place, content_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROLES = frozenset({"system", "developer", "user", "assistant"})
_MAX_NAME = 64


class _Target(NamedTuple):
    place: Place
    ids: CallIds


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
    ids = CallIds()
    wire: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        place = Place(f"messages[{index}] ({message.type})", image_inputs)
        ids.enter(message, place.name)
        wire.append(_mapping_of(type(message))(message, _Target(place, ids)))
    ids.leave()
    return wire


@lru_cache(maxsize=64)
def _mapping_of(kind: type[BaseMessage]) -> Callable[[Any, _Target], dict[str, Any]]:
    """Find the mapping of a class once; long histories have few classes."""
    return _message_to_wire.dispatch(kind)


@singledispatch
def _message_to_wire(message: BaseMessage, target: _Target) -> dict[str, Any]:
    raise OpenRouterInputError(
        f"{target.place.name}: a {type(message).__name__} cannot be sent; use HumanMessage, "
        "AIMessage, SystemMessage, ToolMessage or ChatMessage."
    )


@_message_to_wire.register
def _(message: SystemMessage, target: _Target) -> dict[str, Any]:
    # The tag that langchain-openai and its converters use for OpenAI's developer role.
    developer = message.additional_kwargs.get("__openai_role__") == "developer"
    return _plain(message, "developer" if developer else "system", target)


@_message_to_wire.register
def _(message: HumanMessage, target: _Target) -> dict[str, Any]:
    return _plain(message, "user", target)


@_message_to_wire.register
def _(message: ChatMessage, target: _Target) -> dict[str, Any]:
    if message.role not in _ROLES:
        raise OpenRouterInputError(
            f"{target.place.name}: role {message.role!r} is not one of "
            f"{', '.join(sorted(_ROLES))}; a tool's result is a ToolMessage."
        )
    return _plain(message, message.role, target)


@_message_to_wire.register
def _(message: ToolMessage, target: _Target) -> dict[str, Any]:
    return {
        "role": "tool",
        "tool_call_id": target.ids.result(message),
        "content": content_to_wire(message.content, target.place),
    }


@_message_to_wire.register
def _(message: AIMessage, target: _Target) -> dict[str, Any]:
    wire = assistant_to_wire(message, target.ids, target.place)
    return {"role": "assistant", **_name(message), **wire}


def _plain(message: BaseMessage, role: str, target: _Target) -> dict[str, Any]:
    content = content_to_wire(message.content, target.place)
    return {"role": role, **_name(message), "content": content}


def _name(message: BaseMessage) -> dict[str, str]:
    name = message.name or message.additional_kwargs.get("name")
    return {"name": re.sub(r"[^A-Za-z0-9_-]", "_", str(name))[:_MAX_NAME]} if name else {}
