"""One streamed answer."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_openrouter_o3._wire.finish_reasons import is_truncated

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_core.messages import AIMessageChunk, BaseMessage

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._terminal.terminal import Terminal

THINKING = "Thinking"
CUT = "The answer was cut by the token limit, which counts hidden reasoning: raise --max-tokens."


@dataclass(frozen=True)
class Question:
    """A prompt, and instructions before it."""

    prompt: str
    system: str | None = None

    def messages(self) -> list[BaseMessage]:
        """Return the conversation that asks it."""
        instructions = [] if self.system is None else [SystemMessage(self.system)]
        return [*instructions, HumanMessage(self.prompt)]


def show_answer(
    model: ChatOpenRouterO3, question: Question, terminal: Terminal, aside: Terminal
) -> None:
    """Stream an answer as it is.

    Args:
        model: Who answers.
        question: What to ask.
        terminal: Where the answer goes, and nothing else.
        aside: Where a person sees a sign of life and the reasoning.

    Raises:
        OpenRouterError: The request failed; what had come is on the terminal.
    """
    stream = cast("Generator[AIMessageChunk]", model.stream(question.messages()))
    aside.wait(THINKING)
    cut = False
    with closing(stream):
        for chunk in stream:
            thought = chunk.additional_kwargs.get("reasoning_content")
            if thought and aside.watched:
                aside.say(thought, "dim")
            if chunk.text:
                make_room(aside)
                terminal.put(chunk.text)
            ended = chunk.response_metadata
            cut = cut or is_truncated(ended.get("finish_reason"), ended.get("native_finish_reason"))
    make_room(aside)
    terminal.end_line()
    if cut:
        aside.note(CUT)


def make_room(aside: Terminal) -> None:
    """Leave a line empty for the eye, but not in a file."""
    if aside.watched:
        aside.gap()


def show_object(
    model: ChatOpenRouterO3,
    question: Question,
    schema: dict[str, Any],
    terminal: Terminal,
    aside: Terminal,
) -> None:
    """Extract an object, and write it as one JSON document.

    Args:
        model: Who answers.
        question: What to extract from.
        schema: JSON schema of the object.
        terminal: Where the JSON goes, and nothing else.
        aside: Where a person sees the object grow.

    Raises:
        OpenRouterError: The request failed or gave no such object; what had come stays.
    """
    reader = model.with_structured_output(schema)
    stream = cast("Generator[Any]", reader.stream(question.messages()))
    found: Any = None
    complete = False
    aside.wait(THINKING)
    try:
        with closing(stream):
            for found in stream:
                aside.grow(json.dumps(found, indent=2, ensure_ascii=False))
        complete = True
    finally:
        aside.settle(keep=not complete)
    terminal.line(json.dumps(found, indent=2, ensure_ascii=not terminal.is_unicode))
