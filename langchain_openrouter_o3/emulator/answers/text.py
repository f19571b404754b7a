"""Answers in words."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


_QUESTION = re.compile(
    r"(?:^|\b(?:what(?:['\u2019]s| is)|how much is|calculate|compute|evaluate|solve))"
    r"\s*:?\s*([-(]*\d[\d\s.+*/\u00d7\u00f7()-]*[\d)])\s*(?=[=?.,;!]|$)",
    re.IGNORECASE,
)
_SPELLING = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"})
_LONGEST = 200
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


def calculate(prompt: str) -> str | None:
    """Return `expression = value` when a prompt asks for the value of an expression."""
    question = _QUESTION.search(prompt)
    if question is None or len(question[1]) > _LONGEST:
        return None
    expression = question[1].strip()
    try:
        tree = ast.parse(expression.translate(_SPELLING), mode="eval")
        value = _value(tree.body)
        shown = int(value) if value.denominator == 1 else float(value)
    except (SyntaxError, ArithmeticError, ValueError):
        return None
    # A number alone asks for nothing.
    return None if isinstance(tree.body, ast.Constant) else f"{expression} = {shown}"


def _value(node: ast.expr) -> Fraction:
    """Calculate with fractions, so that 0.1 + 0.2 is 0.3.

    Raises:
        ValueError: There is something else than numbers and the four operations.
    """
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("not arithmetic")


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
