"""Tools as OpenRouter takes them: from anything LangChain calls a tool, checked when binding.

Source: https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.remembered import remembered
from langchain_openrouter_o3._wire.schema import (
    repair_schema,
    strict_schema,
    without_invented_words,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
else:
    BaseTool = Any  # importing it takes time; the converter checks what comes

Tool = "dict[str, Any] | type | Callable[..., Any] | BaseTool"

_CHOICES: dict[bool | str, str] = {
    True: "required",
    False: "none",
    "any": "required",
    "auto": "auto",
    "none": "none",
    "required": "required",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def tools_to_wire(
    tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
    *,
    strict: bool | None = None,
) -> list[dict[str, Any]]:
    """Convert tools.

    Args:
        tools: Functions, Pydantic classes, TypedDicts, `BaseTool`s, JSON schemas, OpenAI's
            dictionaries; dictionaries whose `type` is not "function" (OpenRouter's server
            tools) pass verbatim.
        strict: Whether the model must keep to the schema exactly; None leaves it open.

    Raises:
        OpenRouterInputError: A tool cannot be sent; the text names it.
    """
    given: Any = tools  # a caller's type checker may not have looked
    if not isinstance(given, Iterable) or isinstance(given, (str, Mapping)):
        raise OpenRouterInputError(f"tools is a list of tools, not {type(tools).__name__}.")
    return [
        _dictionary_to_wire(tool, strict) if is_object(tool) else _tool_to_wire(tool, strict)
        for tool in tools
    ]


def tool_name(tool: dict[str, Any]) -> str | None:
    """Return the name of a function on the wire; a server tool has none."""
    function = tool.get("function")
    return function.get("name") if tool.get("type") == "function" and function else None


def tool_choice_to_wire(
    choice: Any, tools: Sequence[dict[str, Any]]
) -> str | dict[str, Any] | None:
    """Convert `tool_choice` and check it against the bound tools.

    Args:
        choice: A name, "any", "required", "auto", "none", True, False, None or a dictionary.
        tools: The tools on the wire.

    Raises:
        OpenRouterInputError: It names a tool that is not bound, or nothing known.
    """
    if choice is None:
        return None
    if isinstance(choice, (bool, str)) and choice in _CHOICES:
        return _CHOICES[choice]
    bound = [name for name in map(tool_name, tools) if name is not None]
    if isinstance(choice, str):
        if choice in bound:
            return {"type": "function", "function": {"name": choice}}
        server = {tool.get("type") for tool in tools if tool_name(tool) is None}
        if choice in server:
            return {"type": choice}
    if is_object(choice):
        function = choice.get("function")
        name = function.get("name") if is_object(function) else None
        if choice.get("type") != "function" or name in bound:
            return dict(choice)
    raise OpenRouterInputError(
        f"tool_choice {choice!r} names no bound tool; bound: {bound}. Besides these, 'auto', "
        "'none', 'required' and 'any' are understood."
    )


def _tool_to_wire(tool: Any, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001
    if is_object(tool) and tool.get("type") not in (None, "function", "object"):
        return dict(tool)
    try:
        converted = convert_to_openai_tool(tool)
        function = dict(converted["function"])
    except (KeyError, ValueError, TypeError) as error:
        raise OpenRouterInputError(f"tools: {_label(tool)} cannot be a tool: {error}") from error
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OpenRouterInputError(
            f"tools: {name!r} is not a usable name; use 1 to 64 letters, digits, '_' and '-'."
        )
    what = f"tool {name!r}"
    function = without_invented_words(function)
    parameters = without_invented_words(repair_schema(function.get("parameters") or {}, what))
    if strict is not None:
        function["strict"] = strict
    function["parameters"] = (
        strict_schema(parameters, what) if function.get("strict") else parameters
    )
    return {**converted, "function": function}


_dictionary_to_wire = remembered(_tool_to_wire)


def _label(tool: Any) -> str:
    return str(getattr(tool, "name", None) or getattr(tool, "__name__", None) or tool)[:200]
