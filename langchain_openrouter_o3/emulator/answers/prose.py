"""Answers in plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.arithmetic import calculate

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.answers.turn import Turn

_ECHO = re.compile(r"\s*echo\s+(?P<text>.*\S)", re.IGNORECASE | re.DOTALL)
_REPEAT = re.compile(r"\brepeat (\d{1,6}) words\b", re.IGNORECASE)
_WRITE = re.compile(r"\bwrite\b(?: me)?\s+([^.!?\n]{1,80})", re.IGNORECASE)
_QUOTED_CHARACTERS = 80


def write_text(turn: Turn) -> str:
    """Answer a prompt in plain text; results of tools are the answer if there are any."""
    if turn.results:
        return "\n".join(f"The tool {each.call.name} says: {each.text}" for each in turn.results)
    echo = _ECHO.match(turn.prompt)
    if echo is not None:
        # A way to tag an answer: it holds what only this prompt held.
        return echo["text"]
    repeat = _REPEAT.search(turn.prompt)
    if repeat is not None:
        # Numbered, so that a reader of a long stream notices a lost or a doubled word.
        return " ".join(f"word{number}" for number in range(1, int(repeat[1]) + 1))
    result = calculate(turn.prompt)
    if result is not None:
        return f"{result}. The emulator can calculate, but it is no language model."
    task = _WRITE.search(turn.prompt)
    if task is not None:
        return (
            f"You asked me to write {task[1].strip()}. A language model would do so here, but "
            "this is the OpenRouter emulator. It follows fixed rules, and these three sentences "
            "are all that it writes."
        )
    return (
        "This is the OpenRouter emulator: it follows fixed rules and is no language model. "
        f"You said: “{_beginning(turn.prompt)}”"
    )


def refuse(prompt: str) -> str:
    """Refuse a prompt, as models do when they are asked for something harmful."""
    return f"I'm sorry, but the emulator was asked to refuse this: “{_beginning(prompt)}”"


def _beginning(prompt: str) -> str:
    text = " ".join(prompt.split())
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}…"
