"""Parameters: their values, and which of several places wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import ValidationError

from langchain_openrouter_o3._arguments.checks import check_n
from langchain_openrouter_o3._arguments.constructor import canonical_names, refusal_text
from langchain_openrouter_o3._arguments.conversions import (
    SHORT_SPELLINGS,
    merge_reasoning,
    response_format_without_warning,
    without_overridden,
)
from langchain_openrouter_o3._arguments.fields import (
    ALIASES,
    ARGUMENTS,
    BODY_FIELDS,
    WITHHELD,
    ModelFields,
    validator_of,
)
from langchain_openrouter_o3._arguments.foreign_names import check_bodies
from langchain_openrouter_o3._http.request_headers import check_headers
from langchain_openrouter_o3._http.time_limits import plain_timeout
from langchain_openrouter_o3._wire.tools import tool_choice_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_openrouter_o3._arguments.declarations import Place

CORE_ARGUMENTS = ("stream", "ls_structured_output_format", "structured_output_format")
"""What langchain-core itself passes to a model's hooks beside the parameters."""

_CALL_ARGUMENTS = frozenset(name for name, argument in ARGUMENTS.items() if argument.per_call)
_KEYS = {
    key: name
    for name, argument in ARGUMENTS.items()
    if argument.place == "body"
    for key in argument.keys
}


def first_name(name: str) -> str:
    """Return the first name of an argument."""
    return ALIASES.get(name, name)


def read_call(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a call's arguments under their first names and check their values.

    Raises:
        OpenRouterInputError: A name is unknown, or a value cannot be sent.
    """
    cores = {name: kwargs[name] for name in CORE_ARGUMENTS if name in kwargs}
    own = {name: value for name, value in kwargs.items() if name not in cores}
    arguments = canonical_names(own, _CALL_ARGUMENTS, ALIASES, _KEYS)
    check_n(arguments.pop("n", None))
    if arguments.get("model") is not None:
        _check_slug(arguments["model"])
    for name, value in arguments.items():
        if value is not None:
            arguments[name] = _read_value(name, value)
    if arguments.get("tool_choice") is not None and arguments.get("tools"):
        arguments["tool_choice"] = tool_choice_to_wire(arguments["tool_choice"], arguments["tools"])
    return {**arguments, **cores}


def as_sent(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments as they go out, for a key of a cache; the call itself warns.

    What can be read once only is not read here; a mark of its own, which never comes again, stands
    for it. The address in its `repr` would come again.
    """
    once = {name for name in kwargs if isinstance(kwargs[name], Iterator)}
    read = {name: value for name, value in kwargs.items() if name not in once}
    if read.get("response_format") is not None:
        read["response_format"] = response_format_without_warning(read["response_format"])
    return {**read_call(read), **{name: uuid4().hex for name in once}}


def _read_value(name: str, value: Any) -> Any:
    """Check a value as the constructor does; one of the body is written for it."""
    argument = ARGUMENTS[name]
    if argument.place not in ("body", "header"):
        return value
    if name in ModelFields.model_fields:
        value = _check_value(name, value)
    if argument.place == "body":
        return argument.body_value(value)
    check_headers(argument.headers(value), name)
    return value


def _check_value(name: str, value: Any) -> Any:
    try:
        checked = validator_of(name).validate_python(value)
    except ValidationError as error:
        raise OpenRouterInputError(refusal_text(name, error)) from None
    if isinstance(value, str) and not isinstance(checked, str):
        raise OpenRouterInputError(
            f"{name}: a text came where a whole number, a number, True or False belongs."
        )
    return checked


def arguments_of(place: Place, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a call's arguments that go to one place."""
    return {
        name: value
        for name, value in arguments.items()
        if name in ARGUMENTS and ARGUMENTS[name].place == place
    }


def default_parameters(model: ModelFields) -> dict[str, Any]:
    """Collect the body parameters that are set on a model, as they go out.

    Raises:
        OpenRouterInputError: What was assigned to the model cannot work.
    """
    model.check_assigned()
    return {
        name: ARGUMENTS[name].field_value(value)
        for name in BODY_FIELDS
        if (value := getattr(model, name)) is not None
    }


def _check_slug(slug: Any) -> None:
    if not (isinstance(slug, str) and slug):
        raise OpenRouterInputError(f"model={slug!r} is no name of a model.")


def merge_parameters(defaults: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Let a call win over the model's own parameters; None takes a parameter out.

    Raises:
        OpenRouterInputError: Both spellings of the effort came in one place.
    """
    merged = {**defaults, **call}
    if merged.get("model") is None and "model" in defaults:
        merged["model"] = defaults["model"]  # there is always a model
    merged["reasoning"] = merge_reasoning(defaults, call)
    return {
        name: value
        for name, value in merged.items()
        if value is not None and name not in SHORT_SPELLINGS
    }


def withheld_from(parameters: Mapping[str, Any], *, known: bool) -> list[str]:
    """Return the names of the parameters that a model does not have.

    Args:
        parameters: By their first names.
        known: Whether the model is one that this package knows; others get everything.
    """
    return sorted(WITHHELD & parameters.keys()) if known else []


def under_keys(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Bring parameters under their keys of the body."""
    return {
        key: value for name, value in parameters.items() for key in ARGUMENTS[name].keys or (name,)
    }


def serializable_attributes(model: ModelFields) -> dict[str, Any]:
    """Collect the fields that need another form to survive LangChain's serialisation."""
    attributes = {
        name: value
        for name, value in default_parameters(model).items()
        if ARGUMENTS[name].to_wire is not None
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
    return {**without_overridden(kept, named), **later}
