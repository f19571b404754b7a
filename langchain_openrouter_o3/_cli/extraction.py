"""One answer that is an object of a JSON schema."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from langchain_openrouter_o3._cli.answer import THINKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._cli.answer import Question
    from langchain_openrouter_o3._terminal.terminal import Terminal


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
