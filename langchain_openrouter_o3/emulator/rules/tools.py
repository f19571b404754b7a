"""Rules about the tools and the tool choice."""

from __future__ import annotations

import re

from langchain_openrouter_o3.emulator.chat_request import function_tools
from langchain_openrouter_o3.emulator.errors import BadRequestError, ProviderError
from langchain_openrouter_o3.emulator.json_value import JsonObject, list_at, object_at, text_at
from langchain_openrouter_o3.emulator.rules.schemas import lax_fault, strict_fault

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODES = ("auto", "none", "required")


def tools_are_functions_or_server_tools(body: JsonObject) -> None:
    """Every tool has a type; those that are no functions are OpenRouter's own."""
    for index, tool in enumerate(list_at(body, "tools")):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(kind, str):
            raise BadRequestError(f"tools.{index}.type: Invalid input: expected string")
        if kind == "function" and not isinstance(tool.get("function"), dict):
            raise BadRequestError(f"tools.{index}.function: Invalid input: expected object")


def names_are_valid(body: JsonObject) -> None:
    """A function's name has only certain characters, and not too many."""
    for index, function in enumerate(function_tools(body)):
        if not NAME.fullmatch(text_at(function, "name")):
            raise ProviderError(
                f"Invalid 'tools[{index}].name': expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$', with at most 64 characters.",
                param=f"tools[{index}].name",
                code="invalid_value",
            )


def names_are_unique(body: JsonObject) -> None:
    """No two functions have the same name."""
    seen: set[str] = set()
    for name in (text_at(function, "name") for function in function_tools(body)):
        if name in seen:
            raise ProviderError(
                f"Function names must be unique, but '{name}' is not.", param="tools"
            )
        seen.add(name)


def parameters_are_schemas(body: JsonObject) -> None:
    """A function's parameters are an object schema that OpenAI understands."""
    for index, function in enumerate(function_tools(body)):
        parameters = object_at(function, "parameters")
        find_fault = strict_fault if function.get("strict") is True else lax_fault
        name = f"function '{text_at(function, 'name')}'"
        fault = find_fault(parameters, name) if parameters else None
        if fault is not None:
            raise ProviderError(
                fault, param=f"tools[{index}].parameters", code="invalid_function_parameters"
            )


def tool_choice_is_possible(body: JsonObject) -> None:
    """A tool choice is a mode or names a function, and there are tools to choose from."""
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not list_at(body, "tools"):
        raise ProviderError(
            "Invalid value for 'tool_choice': it needs 'tools' to choose from.",
            param="tool_choice",
        )
    if isinstance(choice, dict) and choice.get("type") == "function":
        _refuse_unknown(text_at(object_at(choice, "function"), "name"), body)
    elif choice not in _MODES:
        raise BadRequestError(f"tool_choice: Invalid input: expected one of {', '.join(_MODES)}")


def _refuse_unknown(name: str, body: JsonObject) -> None:
    if name not in [text_at(function, "name") for function in function_tools(body)]:
        raise ProviderError(
            f"Tool choice '{name}' not found in 'tools' parameter.",
            param="tool_choice",
        )
