"""Deciding which functions to call, and with what.

A function is of use when the prompt has its name, the words of its name, or most words of its
description: the strongest of these counts. A function that was called in this turn is done with,
unless the prompt lists more things to call it for.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.hints import (
    Clues,
    listed_names,
    occurs,
    words_of,
    words_of_name,
)
from langchain_openrouter_o3.emulator.answers.schema_shape import property_names
from langchain_openrouter_o3.emulator.answers.values import write_value
from langchain_openrouter_o3.emulator.chat_request import ToolCall
from langchain_openrouter_o3.emulator.completion import call_id
from langchain_openrouter_o3.emulator.json_value import compact, list_at, object_at
from langchain_openrouter_o3.emulator.schema_values import is_valid

if TYPE_CHECKING:
    from collections.abc import Collection

    from langchain_openrouter_o3.emulator.answers.text import Turn
    from langchain_openrouter_o3.emulator.chat_request import ChatRequest, Function
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

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
    clues = Clues(turn.material)
    calls: list[tuple[str, str]] = []
    for function in wanted:
        if clues.is_spent():
            clues.restart()
        clues.ignored = property_names(function.parameters)
        calls += [(function.name, arguments) for arguments in _arguments(function, turn, clues)]
    if not calls and request.tool_choice.forces:
        function = _forced(request, turn)
        clues.restart()
        calls = [(function.name, compact(write_value(function.parameters, clues)))]
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


def _arguments(function: Function, turn: Turn, clues: Clues) -> list[str]:
    """Return the arguments of each call to make; a parameter that is a list gets one item each."""
    listed = _listed_items(function, turn)
    if listed is not None:
        done = [_parsed(each.call) for each in turn.results if each.call.name == function.name]
        return [compact(arguments) for arguments in listed if arguments not in done]
    if turn.has_called(function.name):
        return []
    return [compact(write_value(function.parameters, clues))]


def _listed_items(function: Function, turn: Turn) -> list[JsonObject] | None:
    """Return arguments per item when the prompt lists some and the function takes just one."""
    properties = object_at(function.parameters, "properties")
    names = list_at(function.parameters, "required") or [*properties]
    node = object_at(properties, str(names[0])) if len(names) == 1 else {}
    if node.get("type") != "string" or "enum" in node or "const" in node:
        return None
    quotations = [clue.value for clue in Clues(turn.prompt).quotations]
    items = quotations if len(quotations) > 1 else listed_names(turn.prompt)
    return [{str(names[0]): item} for item in items if is_valid(item, node)] or None


def _parsed(call: ToolCall) -> Json:
    try:
        parsed: Json = json.loads(call.arguments)
    except json.JSONDecodeError:
        return None
    return parsed
