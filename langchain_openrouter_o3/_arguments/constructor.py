"""The constructor: its names, and its errors, which do not repeat what was passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from langchain_openrouter_o3._arguments.foreign_names import unknown_argument
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import EFFORTS, is_builtin_profile, model_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


def canonical_names(
    arguments: Mapping[str, Any],
    known: Collection[str],
    aliases: Mapping[str, str],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """Bring arguments under their first names.

    Args:
        arguments: By any of their names.
        known: First names that exist.
        aliases: Other names, with the first name of each.
        keys: Keys of the body that have another name here, with that name.

    Raises:
        OpenRouterInputError: A name is unknown (the text says what to write instead), or one
            argument came under two names.
    """
    canonical: dict[str, Any] = {}
    for name, value in arguments.items():
        first = aliases.get(name, name)
        if first not in known:
            raise unknown_argument(name, known, aliases, keys)
        if first in canonical:
            raise OpenRouterInputError(f"{first!r} was given twice, also as {name!r}; drop one.")
        canonical[first] = value
    return canonical


def read_constructor(data: Any, fields: Mapping[str, FieldInfo], aliases: Mapping[str, str]) -> Any:
    """Bring a constructor's arguments under their first names and hide the key.

    Args:
        data: The arguments.
        fields: Of the class, whose subclasses may give theirs an alias as pydantic does.
        aliases: Other names of this package's own fields.

    Raises:
        OpenRouterInputError: A name is unknown, or one argument came twice.
    """
    if not is_object(data):
        return data  # an instance, or something that pydantic refuses itself
    known = data.keys() <= fields.keys()
    given = {} if known else {**aliases, **_own_aliases(fields)}
    values = canonical_names(data, fields, given, {})
    if isinstance(values.get("api_key"), str):
        values["api_key"] = SecretStr(values["api_key"])
    for name in ("api_key", "base_url"):
        if name in values and values[name] is None:
            del values[name]  # None means "not given": the environment or the default decides
    return values


def _own_aliases(fields: Mapping[str, FieldInfo]) -> dict[str, str]:
    """Return the aliases that a subclass gives its fields, with the name of each field."""
    return {
        alias: name
        for name, field in fields.items()
        if field.validation_alias is not None
        for alias in getattr(field.validation_alias, "choices", (field.validation_alias,))
        if isinstance(alias, str)
    }


def slug_of(data: Any, default: str) -> Any:
    """Return the model that a constructor was given, under any of its names."""
    named = data if is_object(data) else {}
    return named.get("model", named.get("model_name", default))


def without_inputs(title: str, error: ValidationError, slug: Any = None) -> ValidationError:
    """Rebuild a validation error without the arguments, among which is the key.

    Args:
        title: What was built.
        error: What is wrong with it.
        slug: Of the model whose efforts are offered for one that does not exist.
    """
    facts = model_facts(slug) if isinstance(slug, str) else None
    efforts = facts.efforts if facts is not None else None
    details = [
        InitErrorDetails(
            type=PydanticCustomError("argument", "{text}", {"text": _text_of(item, efforts)}),
            loc=item["loc"],
            input=None,
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def refusal_text(name: str, error: ValidationError, efforts: Sequence[str] | None = EFFORTS) -> str:
    """Say in one line what is wrong with an argument, without repeating it.

    Args:
        name: Of the argument.
        error: What is wrong with it.
        efforts: Those of the model, which are offered for one that does not exist.
    """
    items = error.errors(include_url=False, include_context=False, include_input=False)
    texts = (_text_of(item, efforts, name).removeprefix("Value error, ") for item in items)
    return "; ".join(
        text if text.startswith(name) else f"{'.'.join(map(str, (name, *item['loc'])))}: {text}"
        for item, text in zip(items, texts, strict=True)
    )


def _text_of(item: ErrorDetails, efforts: Sequence[str] | None, name: str = "") -> str:
    """Return the text of a problem; of all efforts only those are offered that can be had."""
    *_, place = (name, *map(str, item["loc"]))
    if item["type"] != "literal_error" or not place.endswith("effort") or efforts is None:
        return item["msg"]
    return f"Input should be {', '.join(efforts)}: this model has no other reasoning_effort"


def refused(title: str, text: str) -> ValidationError:
    """Make the validation error of an argument that this package refuses itself."""
    kind = PydanticCustomError("argument", "{text}", {"text": text})
    details = [InitErrorDetails(type=kind, input=None)]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def own_value(name: str, value: Any) -> Any:
    """Return a field without what LangChain and this package add to every model."""
    if name == "metadata" and is_object(value):
        own = {key: each for key, each in value.items() if key != "lc_versions"}
        return own or None
    if name == "profile" and value is not None and is_builtin_profile(value):
        return None
    return value
