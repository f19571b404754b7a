"""How large a strict schema may be.

The numbers are OpenAI's
(https://platform.openai.com/docs/guides/structured-outputs#objects-have-limitations-on-nesting-depth-and-size).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import compact, list_at, object_at
from langchain_openrouter_o3.emulator.rules.schema_places import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_openrouter_o3.emulator.json_value import Json
    from langchain_openrouter_o3.emulator.rules.schema_places import Place

_MOST_LEVELS = 10
_MOST_PROPERTIES = 5_000
_MOST_ENUM_VALUES = 1_000
_LARGE_ENUM = 250
_MOST_CHARACTERS_OF_LARGE_ENUM = 15_000
_MOST_CHARACTERS = 120_000
_ADVICE = (
    "Consider reducing the number of enums, or use 'strict: false' to opt out of structured "
    "outputs."
)


def limit_fault(places: Sequence[Place]) -> str | None:
    """Return the first limit that a schema exceeds."""
    levels = max(place.level for place in places)
    properties = sum(len(object_at(place.node, "properties")) for place in places)
    if levels > _MOST_LEVELS:
        return f"{levels} levels of nesting exceeds limit of {_MOST_LEVELS}."
    if properties > _MOST_PROPERTIES:
        return f"{properties} parameters exceeds limit of {_MOST_PROPERTIES}."
    return _enum_fault(places) or _character_fault(places)


def _enum_fault(places: Sequence[Place]) -> str | None:
    enums = [list_at(place.node, "enum") for place in places]
    count = sum(map(len, enums))
    if count > _MOST_ENUM_VALUES:
        return (
            f"Expected at most {_MOST_ENUM_VALUES} enum values in total within a single schema "
            f"when using structured outputs, but received {count}. {_ADVICE}"
        )
    large = [_characters(enum) for enum in enums if len(enum) > _LARGE_ENUM]
    longest = max(large, default=0)
    if longest > _MOST_CHARACTERS_OF_LARGE_ENUM:
        return (
            f"Expected at most {_MOST_CHARACTERS_OF_LARGE_ENUM} total characters across enum "
            f"values when there are more than {_LARGE_ENUM} enum values, but received {longest}. "
            f"{_ADVICE}"
        )
    return None


def _character_fault(places: Sequence[Place]) -> str | None:
    count = sum(_characters(_texts(place)) for place in places)
    if count <= _MOST_CHARACTERS:
        return None
    return (
        f"Expected at most {_MOST_CHARACTERS} total characters across names of properties and "
        f"definitions, enum values and const values, but received {count}."
    )


def _texts(place: Place) -> list[Json]:
    names = [name for key in ("properties", *DEFINITIONS) for name in object_at(place.node, key)]
    const = [place.node["const"]] if "const" in place.node else []
    return [*names, *list_at(place.node, "enum"), *const]


def _characters(values: Sequence[Json]) -> int:
    """Count characters; a value that is no string counts as it is written."""
    return sum(len(value if isinstance(value, str) else compact(value)) for value in values)
