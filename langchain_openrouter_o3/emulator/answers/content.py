"""What a turn of the conversation is answered with: words, or calls of functions.

A function is of use when the prompt has its name, the words of its name, or most words of its
description: the strongest of these counts. A function that was called in this turn is done with,
unless the prompt lists more things to call it for.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.hints import (
    Hints,
    listed_names,
    occurs,
    words_of,
    words_of_name,
)
from langchain_openrouter_o3.emulator.answers.values import property_names, write_value
from langchain_openrouter_o3.emulator.json_schema import is_valid
from langchain_openrouter_o3.emulator.json_value import compact, list_at, object_at
from langchain_openrouter_o3.emulator.wire.chat_request import ToolCall
from langchain_openrouter_o3.emulator.wire.completion import call_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest, Function, Message


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


def refusal_text(prompt: str) -> str:
    """Refuse a prompt, as models do when they are asked for something harmful."""
    return f"I'm sorry, but the emulator was asked to refuse this: “{_beginning(prompt)}”"


def _beginning(prompt: str) -> str:
    text = " ".join(prompt.split())
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]}…"


# --- Functions to call, and with what ---


# Words that say nothing about what a function is for.
_EMPTY_WORDS = frozenset(
    words_of(
        """
        a about an and are as at be by call can current do fetch find for from function get given
        has in input into is it its look lookup my of on or return returns run that the this to
        tool use using value with your
        """,
    ),
)
_BY_NAME, _BY_WORDS, _BY_DESCRIPTION, _UNFIT = 3, 2, 1, 0


def call_tools(request: ChatRequest, turn: Turn) -> tuple[ToolCall, ...]:
    """Return the calls that an answer consists of, or none if it is not to be calls."""
    if not request.functions or request.tool_choice.mode == "none":
        return ()
    wanted = _wanted(request, turn)
    hints = Hints(turn.material)
    calls: list[tuple[str, str]] = []
    for function in wanted:
        if hints.is_used_up():
            hints.restart()
        hints.ignored = property_names(function.parameters)
        calls += [(function.name, arguments) for arguments in _arguments(function, turn, hints)]
    if not calls and request.tool_choice.forces:
        function = _forced(request, turn)
        hints.restart()
        calls = [(function.name, compact(write_value(function.parameters, hints)))]
    if not request.parallel_tool_calls or request.tool_choice.name is not None:
        calls = calls[:1]
    seed = "\0".join(request.prompt)
    return tuple(
        ToolCall(call_id(f"{seed}\0{number}"), name, arguments)
        for number, (name, arguments) in enumerate(calls)
    )


def _wanted(request: ChatRequest, turn: Turn) -> list[Function]:
    """Return the functions that the tool choice or the prompt names, done with or not."""
    if request.tool_choice.name is not None:
        return [each for each in request.functions if each.name == request.tool_choice.name]
    spoken = frozenset(words_of(turn.prompt))
    fits = [(_fit(each, turn.prompt, spoken), each) for each in request.functions]
    best = max(fit for fit, _ in fits)
    return [function for fit, function in fits if fit == best != _UNFIT]


def _forced(request: ChatRequest, turn: Turn) -> Function:
    """Return the function for a call that has to be made although nothing is left to do."""
    wanted = _wanted(request, turn)
    fresh = [each for each in request.functions if not turn.has_called(each.name)]
    unused = [each for each in wanted if each in fresh] or fresh
    return (unused or wanted or list(request.functions))[0]


def _fit(function: Function, prompt: str, spoken: Collection[str]) -> int:
    if re.search(rf"(?<![\w-]){re.escape(function.name)}(?![\w-])", prompt, re.IGNORECASE):
        return _BY_NAME
    named = [word for word in words_of_name(function.name) if word not in _EMPTY_WORDS]
    if named and all(occurs(word, spoken) for word in named):
        return _BY_WORDS
    sentence = function.description.partition(". ")[0]
    described = [word for word in words_of(sentence) if word not in _EMPTY_WORDS]
    common = [word for word in described if occurs(word, spoken)]
    # One common word is a coincidence.
    is_described = len(common) > 1 and 2 * len(common) > len(described)
    return _BY_DESCRIPTION if is_described else _UNFIT


def _arguments(function: Function, turn: Turn, hints: Hints) -> list[str]:
    """Return the arguments of each call to make; a parameter that is a list gets one item each."""
    listed = _listed_items(function, turn)
    if listed is not None:
        done = [_parsed(each.call) for each in turn.results if each.call.name == function.name]
        return [compact(arguments) for arguments in listed if arguments not in done]
    if turn.has_called(function.name):
        return []
    return [compact(write_value(function.parameters, hints))]


def _listed_items(function: Function, turn: Turn) -> list[JsonObject] | None:
    """Return arguments per item when the prompt lists some and the function takes just one."""
    properties = object_at(function.parameters, "properties")
    names = list_at(function.parameters, "required") or [*properties]
    node = object_at(properties, str(names[0])) if len(names) == 1 else {}
    if node.get("type") != "string" or "enum" in node or "const" in node:
        return None
    quotations = [hint.value for hint in Hints(turn.prompt).quotations]
    items = quotations if len(quotations) > 1 else listed_names(turn.prompt)
    return [{str(names[0]): item} for item in items if is_valid(item, node)] or None


def _parsed(call: ToolCall) -> Json:
    try:
        parsed: Json = json.loads(call.arguments)
    except json.JSONDecodeError:
        return None
    return parsed
