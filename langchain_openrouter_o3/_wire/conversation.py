"""Where a history stands while it is written: the message at hand, and the open tool calls.

Every call has its result, and both have the same id. Providers answer 400 to a call without a
result, a result without a call, a missing id and an over-long one from another provider's history;
the errors here name the ids beforehand.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage, ToolMessage


class MessageContext:
    """The message that is being mapped, for errors, and what the model can take.

    One object walks through the whole conversation; its name is made when an error needs it.

    Attributes:
        index: Of the message.
        message: The message.
        image_inputs: Whether the model sees images.
        sent_reasoning: Ids of OpenAI's reasoning items that stand in an earlier message.
    """

    index: int
    message: BaseMessage

    def __init__(self, *, image_inputs: bool) -> None:
        """Start before the first message."""
        self.image_inputs = image_inputs
        self.sent_reasoning: set[str | None] = set()

    @property
    def name(self) -> str:
        """What errors call it."""
        return name_of(self.index, self.message)


def name_of(index: int, message: BaseMessage) -> str:
    """Name a message by its index and its type."""
    return f"messages[{index}] ({message.type})"


_REFUSED_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_MAX_NAME = 64


def accepted_name(name: str) -> str:
    """Write the name of a speaker or of a called function as OpenAI accepts it."""
    return _REFUSED_IN_NAMES.sub("_", name)[:_MAX_NAME] or "_"


_ACCEPTED = re.compile(r"[\x21-\x7e]{1,64}")
"""Printable ASCII without spaces; OpenAI's Responses API, which serves o3-mini, takes 64."""


class ToolCallTracker:
    """Follows a conversation from message to message."""

    def __init__(self) -> None:
        """Start before the first message."""
        self._open: dict[str, str] = {}  # calls without a result: id in the history → on the wire
        self._caller: tuple[int, BaseMessage] | None = None

    def check_answered(self) -> None:
        """Begin a message that is no result, or end the conversation.

        Raises:
            OpenRouterInputError: Calls still wait for their results.
        """
        if self._open and self._caller is not None:
            raise OpenRouterInputError(
                f"{name_of(*self._caller)}: the tool calls {list(self._open)} have no result; add "
                "a ToolMessage for each before the next message, or remove the calls."
            )

    def call(self, identity: str | None, position: int, context: MessageContext) -> str:
        """Open a call and return its id on the wire.

        Raises:
            OpenRouterInputError: Another call of the message has the same id.
        """
        key = identity or f"missing-{position}"
        if key in self._open:
            raise OpenRouterInputError(
                f"{context.name}: two tool calls have the id {identity!r}; give each its own."
            )
        wire = identity or _short(f"message {context.index} call {position}")
        self._caller = context.index, context.message
        self._open[key] = wire if _ACCEPTED.fullmatch(wire) else _short(wire)
        return self._open[key]

    def result(self, message: ToolMessage, context: MessageContext) -> str:
        """Close a call and return its id on the wire.

        Raises:
            OpenRouterInputError: No open call has the result's id.
        """
        key: str | None = message.tool_call_id
        # A result without an id pairs, in order, with a call that had none either.
        if key not in self._open and key in ("", "None"):
            key = next((name for name in self._open if name.startswith("missing-")), None)
        if key not in self._open:
            raise OpenRouterInputError(
                f"{context.name}: the tool result {message.tool_call_id!r} answers no call of the "
                f"preceding AI message (open calls: {list(self._open) or 'none'}); remove it or "
                "restore the message with its call."
            )
        return self._open.pop(key)


def _short(identity: Any) -> str:
    return f"call_{hashlib.sha256(str(identity).encode('utf-8', 'replace')).hexdigest()[:24]}"
