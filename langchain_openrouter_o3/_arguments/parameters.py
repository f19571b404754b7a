"""Parameters: their names, and which of several places wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from langchain_openrouter_o3._arguments.checks import check_n
from langchain_openrouter_o3._arguments.constructor import refusal_text
from langchain_openrouter_o3._arguments.conversions import CONVERSIONS, FIELD_CONVERSIONS
from langchain_openrouter_o3._arguments.foreign_names import check_bodies
from langchain_openrouter_o3._http.timeouts import plain_timeout
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.request import (
    ALIASES,
    BODY_PARAMETERS,
    CALL_OPTIONS,
    canonical_names,
)
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.settings import Reasoning
from langchain_openrouter_o3.tools import tool_choice_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from langchain_openrouter_o3._arguments.fields import ModelFields

CORE_ARGUMENTS = ("stream", "ls_structured_output_format", "structured_output_format")
"""What langchain-core itself passes to a model's hooks beside the parameters."""

_CALL_ARGUMENTS = frozenset({*BODY_PARAMETERS, *CALL_OPTIONS, *CORE_ARGUMENTS, "n"})
_MODEL_FIELDS = tuple(sorted(BODY_PARAMETERS - {"tools", "tool_choice"}))
# The short spellings of reasoning parameters, and the keys of the map that each of them sets.
_SHORT_REASONING = {
    "reasoning_effort": ("effort", "max_tokens"),
    "include_reasoning": ("exclude",),
}


def first_name(name: str) -> str:
    """Return the first name of an argument."""
    return ALIASES.get(name, name)


def read_call(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a call's arguments under their first names and check their values.

    Raises:
        OpenRouterInputError: A name is unknown, or a value cannot be sent.
    """
    arguments = canonical_names(kwargs, _CALL_ARGUMENTS)
    check_n(arguments.pop("n", None))
    if arguments.get("model") is not None:
        _check_slug(arguments["model"])
    _convert(arguments, CONVERSIONS)
    if arguments.get("tool_choice") is not None and arguments.get("tools"):
        arguments["tool_choice"] = tool_choice_to_wire(arguments["tool_choice"], arguments["tools"])
    return arguments


def default_parameters(model: ModelFields) -> dict[str, Any]:
    """Collect the body parameters that are set on a model, as they go out."""
    values = {name: getattr(model, name) for name in _MODEL_FIELDS}
    _check_slug(model.model)
    _convert(values, FIELD_CONVERSIONS)  # a value may have been assigned unchecked
    return {name: value for name, value in values.items() if value is not None}


def _check_slug(slug: Any) -> None:
    if not (isinstance(slug, str) and slug):
        raise OpenRouterInputError(f"model={slug!r} is no name of a model.")


def _convert(values: dict[str, Any], conversions: Mapping[str, Callable[[Any], Any]]) -> None:
    """Bring values into the forms of the wire, in place.

    Raises:
        OpenRouterInputError: One cannot be; the text names it.
    """
    for name, convert in conversions.items():
        if values.get(name) is not None:
            try:
                values[name] = convert(values[name])
            except ValidationError as error:
                raise OpenRouterInputError(f"{name}: {refusal_text(error)}") from None


def serializable_attributes(model: ModelFields) -> dict[str, Any]:
    """Collect the fields that need another form to survive LangChain's serialisation."""
    attributes = {
        name: value
        for name, value in default_parameters(model).items()
        if name in ("reasoning", "provider", "response_format")
    }
    if model.timeout is not None:
        attributes["timeout"] = plain_timeout(model.timeout)
    return attributes


def later_wins(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Join bound arguments with later ones, which win under any of their names.

    Args:
        earlier: As they were bound.
        later: As they were bound after that, or given to a call. What contradicts itself in
            here stays, and is refused when it is sent.

    Raises:
        OpenRouterInputError: Options or headers are in `extra_body`, where all could read them.
    """
    check_bodies(later, ALIASES)
    named = {first_name(name) for name in later}
    kept = {name: value for name, value in earlier.items() if first_name(name) not in named}
    return {**_without_overridden_reasoning(kept, named), **later}


def _without_overridden_reasoning(kept: dict[str, Any], named: Collection[str]) -> dict[str, Any]:
    """Take out what a later spelling of the reasoning parameters says anew."""
    if "reasoning" in named:
        return {name: value for name, value in kept.items() if name not in _SHORT_REASONING}
    lost = {key for name in named for key in _SHORT_REASONING.get(name, ())}
    reasoning = kept.get("reasoning")
    if isinstance(reasoning, Reasoning):
        reasoning = reasoning.to_wire()
    if lost and is_object(reasoning):
        rest = {key: value for key, value in reasoning.items() if key not in lost}
        return {**kept, "reasoning": rest}
    return kept
