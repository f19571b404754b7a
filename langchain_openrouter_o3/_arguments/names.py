"""The names of arguments, of which one argument may have several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._arguments.foreign_names import unknown_argument
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


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
