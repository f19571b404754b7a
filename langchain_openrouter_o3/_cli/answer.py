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
    model: ChatOpenRouterO3, question: Question, stdout: Terminal, stderr: Terminal
) -> None:
    """Stream an answer as it is.

    Args:
        model: Who answers.
        question: What to ask.
        stdout: Where the answer goes, and nothing else.
        stderr: Where a person sees a sign of life and the reasoning.

    Raises:
        OpenRouterError: The request failed; what had come is on stdout.
    """
    stream = cast("Generator[AIMessageChunk]", model.stream(question.messages()))
    stderr.wait(THINKING)
    cut = False
    with closing(stream):
        for chunk in stream:
            thought = chunk.additional_kwargs.get("reasoning_content")
            if thought and stderr.watched:
                stderr.say(thought, "dim")
            if chunk.text:
                make_room(stderr)
                stdout.put(chunk.text)
            ended = chunk.response_metadata
            cut = cut or is_truncated(ended.get("finish_reason"), ended.get("native_finish_reason"))
    make_room(stderr)
    stdout.end_line()
    if cut:
        stderr.note(CUT)


def make_room(stderr: Terminal) -> None:
    """Leave a line empty for the eye, but not in a file."""
    if stderr.watched:
        stderr.gap()


def show_object(
    model: ChatOpenRouterO3,
    question: Question,
    schema: dict[str, Any],
    stdout: Terminal,
    stderr: Terminal,
) -> None:
    """Extract an object, and write it as one JSON document.

    Args:
        model: Who answers.
        question: What to extract from.
        schema: JSON schema of the object.
        stdout: Where the JSON goes, and nothing else.
        stderr: Where a person sees the object grow.

    Raises:
        OpenRouterError: The request failed or gave no such object; what had come stays.
    """
    reader = model.with_structured_output(schema)
    stream = cast("Generator[Any]", reader.stream(question.messages()))
    found: Any = None
    complete = False
    stderr.wait(THINKING)
    try:
        with closing(stream):
            for found in stream:
                stderr.grow(json.dumps(found, indent=2, ensure_ascii=False))
        complete = True
    finally:
        stderr.settle(keep=not complete)
    stdout.line(json.dumps(found, indent=2, ensure_ascii=not stdout.is_unicode))
