"""Tools as OpenRouter takes them: from anything LangChain calls a tool, checked when binding.

Source: https://openrouter.ai/docs/features/tool-calling
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, get_args, get_type_hints

from langchain_core.runnables import RunnableConfig
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, create_model
from typing_extensions import is_typeddict

from langchain_openrouter_o3._json import in_order, is_object, memoize_json
from langchain_openrouter_o3._wire.schemas.dialects import read_schema
from langchain_openrouter_o3._wire.schemas.json_schema import (
    JSON_TYPES,
    clean_name,
    is_recursive,
    walk,
    without_invented_words,
    without_titles,
)
from langchain_openrouter_o3._wire.schemas.strict_schema import compile_strict, schema_to_wire
from langchain_openrouter_o3._wire.schemas.typed_dicts import explain
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.warn import warn_not_strict

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from langchain_openrouter_o3._wire.output_schema import OutputSchema
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
_LEVELS_IN_ORDER = 2  # the keys of a tool and of its function; those of a schema stay
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def tools_to_wire(
    tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
    *,
    strict: bool | None = None,
    prefer_strict: bool = False,
) -> list[dict[str, Any]]:
    """Convert tools.

    Args:
        tools: Functions, Pydantic classes, TypedDicts, `BaseTool`s, JSON schemas, OpenAI's
            dictionaries; dictionaries whose `type` is not "function" (OpenRouter's server
            tools) pass verbatim.
        strict: Whether the model must keep to the schema exactly; None leaves it to the tool.
        prefer_strict: Whether tools that say nothing are strict where they can be.

    Raises:
        OpenRouterInputError: A tool cannot be sent; the text names it.
    """
    given: Any = tools  # a caller's type checker may not have looked
    if not isinstance(given, Iterable) or isinstance(given, (str, Mapping)):
        raise OpenRouterInputError(f"tools is a list of tools, not {type(tools).__name__}.")
    return [_convert(tool, strict, prefer_strict) for tool in tools]


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
        choice = _of_responses(choice)
        function = choice.get("function")
        name = function.get("name") if is_object(function) else None
        if choice.get("type") != "function" or name in bound:
            return dict(choice)
    raise OpenRouterInputError(
        f"tool_choice {choice!r} names no bound tool; bound: {bound}. Besides these, 'auto', "
        "'none', 'required' and 'any' are understood."
    )


def _convert(tool: Any, strict: bool | None, prefer_strict: bool) -> dict[str, Any]:  # noqa: FBT001 - positions are memoized
    # What langchain-core makes of a class or function is remembered by content, too.
    given = tool if is_object(tool) else _to_openai(tool)
    converted = _memoized_tool(given, strict, prefer_strict)
    if converted["problem"]:
        warn_not_strict(f"tool {tool_name(converted['wire'])!r}", converted["problem"])
    wire: dict[str, Any] = converted["wire"]
    return wire


def _tool_to_wire(
    tool: dict[str, Any],
    strict: bool | None,  # noqa: FBT001 - `memoize_json` hands on positions
    prefer_strict: bool,  # noqa: FBT001 - positions are memoized
) -> dict[str, Any]:
    if tool.get("type") in JSON_TYPES:
        raise OpenRouterInputError(
            f"tools: the top of a tool's schema must be an object, not {tool['type']!r}; wrap it "
            "in a property."
        )
    if tool.get("type") not in (None, "function", "object", ["object"]):
        return {"wire": in_order(tool, _LEVELS_IN_ORDER), "problem": None}
    converted = _to_openai(tool)
    function = without_invented_words(converted["function"])
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OpenRouterInputError(
            f"tools: {name!r} is not a usable name; use 1 to 64 letters, digits, '_' and '-'."
        )
    what = f"tool {name!r}"
    schema = read_schema(function.get("parameters") or _NO_PARAMETERS, what)
    schema = without_invented_words(schema)
    strict = function.get("strict") if strict is None else strict
    compiled = compile_strict(schema, parsed_here=False)
    wanted = strict if strict is not None or prefer_strict else False
    function["strict"], function["parameters"] = schema_to_wire(schema, compiled, wanted, what)
    if strict is None and not prefer_strict:
        del function["strict"]
    return {
        "wire": in_order({**converted, "function": function}, _LEVELS_IN_ORDER),
        "problem": compiled.problem if wanted is None else None,
    }


_memoized_tool = memoize_json(_tool_to_wire)


def _to_openai(tool: Any) -> dict[str, Any]:
    """Let langchain-core convert a tool, but for what its conversion loses.

    It forgets which keys of a TypedDict are optional and by which aliases a tool takes its
    arguments, and leaves an empty schema where a definition holds itself.
    """
    try:
        if is_typeddict(tool):
            return _function_of(_read(tool), {"name": clean_name(tool.__name__)})
        given = _of_responses(_of_mcp(tool)) if is_object(tool) else tool
        converted = convert_to_openai_tool(given)
        function = _function_in(converted, tool)
        if (aliased := _arguments_by_alias(tool)) is not None:
            return _function_of(_read(aliased), function)
        if any(not node for _, node in walk(function.get("parameters"))):
            schema = _given_schema(tool)
            if schema is not None and is_recursive(_read(schema).schema):
                converted = _function_of(_read(schema), function)
                function = converted["function"]
        if inspect.isroutine(tool):
            function["parameters"] = _without_what_no_model_gives(function["parameters"], tool)
    except OpenRouterInputError:
        raise
    except AttributeError as error:  # functools.partial and other objects that can be called
        raise OpenRouterInputError(
            f"tools: {_label(tool)} is no function ({error}); write one that calls it."
        ) from error
    except Exception as error:  # reading a tool runs the caller's code
        raise OpenRouterInputError(
            f"tools: {_label(tool)} cannot be a tool: {explain(error, tool)}"
        ) from error
    return {**converted, "function": function}


def _without_what_no_model_gives(
    parameters: dict[str, Any], function: Callable[..., Any]
) -> dict[str, Any]:
    """Leave out a run's configuration, and what pydantic adds for positional arguments.

    langchain-core shows both for a function, but no configuration for the tool that it makes of it.
    """
    hints = get_type_hints(function)
    configuration = {
        name for name, hint in hints.items() if RunnableConfig in (hint, *get_args(hint))
    }
    hidden = {"v__positional_only", *configuration}
    kept = {name: each for name, each in parameters["properties"].items() if name not in hidden}
    required = [name for name in parameters.get("required", ()) if name in kept]
    rest = {key: value for key, value in parameters.items() if key != "required"}
    return {**rest, "properties": kept, **({"required": required} if required else {})}


def _of_mcp(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary of MCP as a function; core would drop its schema."""
    if not is_object(tool.get("inputSchema")):
        return tool
    described: dict[str, Any] = {
        key: value for key, value in tool.items() if key in ("name", "description")
    }
    return {**described, "parameters": tool["inputSchema"]}


def _of_responses(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a function, or a choice of one, of OpenAI's Responses API as chat completions do."""
    if tool.get("type") != "function" or "function" in tool or "name" not in tool:
        return tool
    function = {key: value for key, value in tool.items() if key != "type"}
    return {"type": "function", "function": function}


def _function_in(converted: dict[str, Any], tool: Any) -> dict[str, Any]:
    if "function" not in converted:
        raise OpenRouterInputError(
            f"tools: {_label(tool)} is a {converted.get('type')!r} tool, which OpenRouter does "
            "not take; make it a function with a parameter, as @tool does."
        )
    return dict(converted["function"])


def _read(schema: Any) -> OutputSchema:
    from langchain_openrouter_o3._wire.output_schema import (  # noqa: PLC0415 - takes time
        build_output_schema,
    )

    return build_output_schema(schema)


def _given_schema(tool: Any) -> Any:
    """Return the class or JSON schema that holds a tool's arguments; None for a dictionary."""
    if is_object(tool) or isinstance(tool, type):
        return None if is_object(tool) else tool
    schema = getattr(tool, "tool_call_schema", None)
    if schema is not None:
        return schema
    from langchain_core.tools import create_schema_from_function  # noqa: PLC0415 - takes time

    return create_schema_from_function(tool.__name__, tool, filter_args=())


def _arguments_by_alias(tool: Any) -> type[BaseModel] | None:
    """Return the class of a tool's arguments, if the tool takes them by their aliases alone."""
    schema, shown = getattr(tool, "args_schema", None), getattr(tool, "tool_call_schema", None)
    if not (_is_model(schema) and _is_model(shown)):
        return None
    named = ("populate_by_name", "validate_by_name")
    aliases = {name: field.validation_alias for name, field in schema.model_fields.items()}
    if any(map(schema.model_config.get, named)) or all(
        alias in (None, name) for name, alias in aliases.items()
    ):
        return None
    not_injected = {
        name: (schema.model_fields[name].annotation, schema.model_fields[name])
        for name in shown.model_fields
    }
    fields: Any = not_injected
    return create_model(schema.__name__, __config__=schema.model_config, **fields)


def _is_model(schema: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(schema, type) and issubclass(schema, BaseModel)


def _function_of(schema: OutputSchema, function: dict[str, Any]) -> dict[str, Any]:
    described = {"description": schema.description} if schema.description else {}
    parameters = {key: value for key, value in schema.schema.items() if key != "description"}
    return {
        "type": "function",
        "function": {**described, **function, "parameters": without_titles(parameters)},
    }


def _label(tool: Any) -> str:
    return str(getattr(tool, "name", None) or getattr(tool, "__name__", None) or tool)[:200]
