"""OpenAI's limits on the size of strict schemas.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import encode
from langchain_openrouter_o3._wire.schema import resolve_ref, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3._wire.schema import Schema

MAX_LEVELS = 10
"""Of nesting; properties and items count, unions and references do not."""

MAX_PROPERTIES = 5_000
"""In all."""

MAX_ENUM_VALUES = 1_000
"""In all."""

LONG_ENUM, MAX_ENUM_CHARACTERS = 250, 15_000
"""An enum of more values than the first may hold no more characters than the second."""

MAX_CHARACTERS = 120_000
"""Of all names of properties and definitions, enum values and constants."""


def find_broken_limit(root: Schema) -> Iterator[str]:
    """Give the limits that a strict schema exceeds, each with its path."""
    for path, node in walk(root):
        values = node.get("enum", ())
        characters = sum(map(_characters, values))
        if len(values) > LONG_ENUM and characters > MAX_ENUM_CHARACTERS:
            yield (
                f"{path}: {characters} characters in an enum of {len(values)} values; OpenAI's "
                f"limit for more than {LONG_ENUM} values is {MAX_ENUM_CHARACTERS}"
            )
    properties = [name for _, node in walk(root) for name in node.get("properties", ())]
    values = [value for _, node in walk(root) for value in node.get("enum", ())]
    constants = [node["const"] for _, node in walk(root) if "const" in node]
    named = [*properties, *root.get("$defs", ()), *values, *constants]
    for count, limit, what in (
        (len(properties), MAX_PROPERTIES, "properties"),
        (len(values), MAX_ENUM_VALUES, "enum values"),
        (sum(map(_characters, named)), MAX_CHARACTERS, "characters of names, enums and constants"),
    ):
        if count > limit:
            yield f"$: {count} {what}; OpenAI's limit is {limit}"
    for path, levels in _Nesting(root).too_deep(root, "$", 0, ()):
        yield f"{path}: {levels} levels of nesting; OpenAI's limit is {MAX_LEVELS}"


class _Nesting:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._deepest: dict[int, int] = {}  # at which level each schema was met, by identity

    def too_deep(
        self, node: Schema, path: str, level: int, above: tuple[str, ...]
    ) -> Iterator[tuple[str, int]]:
        """Give what lies too deep; a recursive definition does not lie below itself."""
        if self._deepest.get(id(node), -1) >= level:
            return
        self._deepest[id(node)] = level
        if level > MAX_LEVELS:
            yield path, level
            return
        properties = node.get("properties", {}).items()
        below = [(f"{path}.properties.{name}", child) for name, child in properties]
        below += [(f"{path}.items", node["items"])] if "items" in node else []
        for place, child in below:
            yield from self.too_deep(child, place, level + 1, above)
        for position, option in enumerate(node.get("anyOf", ())):
            yield from self.too_deep(option, f"{path}.anyOf[{position}]", level, above)
        reference = node.get("$ref")
        if reference is not None and reference not in above:
            target = resolve_ref(reference, self._root)
            yield from self.too_deep(target, path, level, (*above, reference))


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(encode(value))
