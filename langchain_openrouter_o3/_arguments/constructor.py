"""The constructor: its names, and its errors, which do not repeat what was passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from langchain_openrouter_o3._arguments.names import canonical_names
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.profiles import is_builtin_profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def read_constructor(data: Any, fields: Collection[str], aliases: Mapping[str, str]) -> Any:
    """Bring a constructor's arguments under their first names and hide the key.

    Raises:
        OpenRouterInputError: A name is unknown, or one argument came twice.
    """
    if not is_object(data):
        return data  # an instance, or something that pydantic refuses itself
    values = canonical_names(data, fields, aliases, {})
    if isinstance(values.get("api_key"), str):
        values["api_key"] = SecretStr(values["api_key"])
    for name in ("api_key", "base_url"):
        if name in values and values[name] is None:
            del values[name]  # None means "not given": the environment or the default decides
    return values


def without_inputs(title: str, error: ValidationError) -> ValidationError:
    """Rebuild a validation error without the arguments, among which is the key."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("argument", "{text}", {"text": item["msg"]}),
            loc=item["loc"],
            input=None,
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def refused(title: str, text: str) -> ValidationError:
    """Make the validation error of an argument that this package refuses itself."""
    kind = PydanticCustomError("argument", "{text}", {"text": text})
    details = [InitErrorDetails(type=kind, input=None)]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def texts_of(error: ValidationError) -> str:
    """Return what a validation error says, without what was passed."""
    items = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ": ".join([*(str(part) for part in item["loc"]), item["msg"]]) for item in items
    )


def own_value(name: str, value: Any) -> Any:
    """Return a field without what LangChain and this package add to every model."""
    if name == "metadata" and is_object(value):
        own = {key: each for key, each in value.items() if key != "lc_versions"}
        return own or None
    if name == "profile" and value is not None and is_builtin_profile(value):
        return None
    return value
