"""Where the mapping of a conversation stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


class Place:
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
