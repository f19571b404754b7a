"""The part of a conversation that an answer is about: the last prompt and what followed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_openrouter_o3.emulator.chat_request import Message, ToolCall


@dataclass(frozen=True)
class ToolResult:
    """What a called function returned."""

    call: ToolCall
    text: str


@dataclass(frozen=True)
class Turn:
    """The last user message, and the results of the functions that were called since."""

    prompt: str
    results: tuple[ToolResult, ...]
    instructions: str

    @classmethod
    def latest(cls, messages: Sequence[Message]) -> Turn:
        """Find the turn at the end of a conversation."""
        starts = [index for index, message in enumerate(messages) if message.role == "user"]
        start = starts[-1] if starts else 0
        calls = {call.id: call for message in messages[start:] for call in message.tool_calls}
        return cls(
            prompt=messages[start].text,
            results=tuple(
                ToolResult(calls[message.tool_call_id], message.text)
                for message in messages[start:]
                if message.tool_call_id in calls
            ),
            instructions="\n".join(
                message.text for message in messages if message.role in {"system", "developer"}
            ),
        )

    @property
    def material(self) -> str:
        """All text that values can be taken from: the prompt, then the results."""
        return "\n".join([self.prompt, *(result.text for result in self.results)])

    def has_called(self, name: str) -> bool:
        """Whether a function was called in this turn."""
        return any(result.call.name == name for result in self.results)
