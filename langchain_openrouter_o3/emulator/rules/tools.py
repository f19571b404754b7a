"""Rules about response formats and tools."""

from __future__ import annotations

import re

from langchain_openrouter_o3.emulator.json_value import (
    JsonObject,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.rules.schemas import lax_problem, strict_problem
from langchain_openrouter_o3.emulator.wire.chat_request import function_tools, text_content
from langchain_openrouter_o3.emulator.wire.responses import BadRequestError, ProviderError

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = frozenset({"json_object", "json_schema", "text"})


def response_format_is_known(body: JsonObject) -> None:
    """The format is one that exists."""
    response_format = body.get("response_format")
    if response_format is not None and _type(body) not in _TYPES:
        raise BadRequestError("response_format.type: Invalid input: unknown type")


def json_is_mentioned(body: JsonObject) -> None:
    """JSON mode needs a message that asks for JSON, lest the model write blanks forever."""
    texts = (text_content(message.get("content")) for message in objects_at(body, "messages"))
    if _type(body) == "json_object" and not any("json" in text.lower() for text in texts):
        raise ProviderError(
            "Response input messages must contain the word 'json' in some form to use "
            "'text.format' of type 'json_object'.",
            param="input",
        )


def schema_name_is_valid(body: JsonObject) -> None:
    """A schema has a name, of certain characters only."""
    if _type(body) != "json_schema":
        return
    name = _json_schema(body).get("name")
    if name is None:
        raise ProviderError(
            "Missing required parameter: 'text.format.name'.",
            param="text.format.name",
            code="missing_required_parameter",
        )
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ProviderError(
            "Invalid 'text.format.name': expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$', with at most 64 characters.",
            param="text.format.name",
            code="invalid_value",
        )


def schema_is_valid(body: JsonObject) -> None:
    """There is a schema; when it is strict, it is within OpenAI's subset."""
    if _type(body) != "json_schema":
        return
    json_schema = _json_schema(body)
    schema = json_schema.get("schema")
    if not isinstance(schema, dict):
        raise ProviderError(
            "Missing required parameter: 'text.format.schema'.",
            param="text.format.schema",
            code="missing_required_parameter",
        )
    name = f"response_format '{text_at(json_schema, 'name')}'"
    fault = strict_problem(schema, name) if json_schema.get("strict") is True else None
    if fault is not None:
        raise ProviderError(fault, param="response_format", code="invalid_json_schema")


def _type(body: JsonObject) -> str:
    return text_at(object_at(body, "response_format"), "type")


def _json_schema(body: JsonObject) -> JsonObject:
    return object_at(object_at(body, "response_format"), "json_schema")


# --- Tools ---


_MODES = ("auto", "none", "required")
_MOST_TOOLS = 128
_FUNCTION_TYPES = {
    "description": (str, "string"),
    "parameters": (dict, "object"),
    "strict": (bool, "boolean"),
}


def tools_are_functions_or_server_tools(body: JsonObject) -> None:
    """Every tool has a type; those that are no functions are OpenRouter's own."""
    for index, tool in enumerate(list_at(body, "tools")):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(kind, str):
            raise BadRequestError(f"tools.{index}.type: Invalid input: expected string")
        if kind == "function" and not isinstance(tool.get("function"), dict):
            raise BadRequestError(f"tools.{index}.function: Invalid input: expected object")
        for name, (expected, word) in _FUNCTION_TYPES.items():
            if not isinstance(object_at(tool, "function").get(name), (expected, type(None))):
                place = f"tools.{index}.function.{name}"
                raise BadRequestError(f"{place}: Invalid input: expected {word}")


def tools_are_few(body: JsonObject) -> None:
    """OpenAI takes 128 tools."""
    count = len(list_at(body, "tools"))
    if count > _MOST_TOOLS:
        raise ProviderError(
            "Invalid 'tools': array too long. Expected an array with maximum length "
            f"{_MOST_TOOLS}, but got an array with length {count} instead.",
            param="tools",
            code="array_above_max_length",
        )


def function_names_are_valid(body: JsonObject) -> None:
    """A function's name has only certain characters, and not too many."""
    for index, function in enumerate(function_tools(body)):
        if not NAME.fullmatch(text_at(function, "name")):
            raise ProviderError(
                f"Invalid 'tools[{index}].name': expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$', with at most 64 characters.",
                param=f"tools[{index}].name",
                code="invalid_value",
            )


def function_names_are_unique(body: JsonObject) -> None:
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
        find_fault = strict_problem if function.get("strict") is True else lax_problem
        name = f"function '{text_at(function, 'name')}'"
        fault = find_fault(parameters, name) if parameters else None
        if fault is not None:
            where = f"tools[{index}].function.parameters"
            raise ProviderError(fault, param=where, code="invalid_json_schema")


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
