"""`show`, by which the steps of the tour show their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage

from langchain_openrouter_o3._cli.answer import THINKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from pydantic import BaseModel

    from langchain_openrouter_o3._terminal.terminal import Terminal


class Stage:
    """Shows results on a terminal, each kind in its own way."""

    def __init__(self, terminal: Terminal) -> None:
        """Use a terminal."""
        self._terminal = terminal

    def text(self, text: str) -> None:
        """Show a piece of an answer."""
        self._terminal.say(text)

    def thought(self, text: str | None) -> None:
        """Show a piece of a reasoning summary, if there is one."""
        self._terminal.say(text or "", "dim")

    def message(self, message: BaseMessage) -> None:
        """Show what an agent's step has added: calls of tools, a result, or the answer."""
        terminal = self._terminal
        if isinstance(message, ToolMessage):
            terminal.line(f"  \N{LEFTWARDS ARROW} {message.name}: {message.text}")
            terminal.wait(THINKING)
            return
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                terminal.line(
                    f"  \N{RIGHTWARDS ARROW} {call['name']}({_arguments(call['args'])})", "code"
                )
        if message.text:
            terminal.gap()
            terminal.say(message.text)

    def update(self, update: dict[str, Any]) -> None:
        """Show what a step of LangGraph has added."""
        states: list[dict[str, list[BaseMessage]]] = [state for state in update.values() if state]
        for state in states:
            for message in state.get("messages", []):
                self.message(message)

    def fields(self, value: BaseModel) -> None:
        """Show an object by its fields."""
        self._terminal.fields((name, str(item)) for name, item in value)


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
