"""The schemas within a schema, and where each of them stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import list_at, object_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

DEFINITIONS = ("$defs", "definitions")
_BRANCHES = ("anyOf", "oneOf", "allOf")
_PLAIN_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True)
class Place:
    """A schema within a schema; `level` counts the properties and items around it."""

    node: JsonObject
    path: tuple[str | int, ...] = ()
    level: int = 0

    @property
    def context(self) -> tuple[str, ...]:
        """The path as most of OpenAI's sentences have it."""
        return tuple(map(str, self.path))

    @property
    def json_path(self) -> str:
        """The path as a JSONPath."""
        return "$" + "".join(map(_path_step, self.path))

    def children(self) -> Iterator[Place]:
        """Return the schemas directly within this one."""
        for keyword in ("properties", *DEFINITIONS):
            # A definition is a schema of its own, so that recursion is no endless nesting.
            level = self.level + 1 if keyword == "properties" else 0
            for name, node in object_at(self.node, keyword).items():
                yield self._child(node, (keyword, name), level)
        for keyword in _BRANCHES:
            for index, node in enumerate(list_at(self.node, keyword)):
                yield self._child(node, (keyword, index), self.level)
        if "items" in self.node:
            yield self._child(self.node["items"], ("items",), self.level + 1)

    def _child(self, node: Json, steps: tuple[str | int, ...], level: int) -> Place:
        """Return a place; what is no object there, such as `true`, says nothing of a value."""
        return Place(node if isinstance(node, dict) else {}, (*self.path, *steps), level)


def places_in(schema: JsonObject) -> Iterator[Place]:
    """Return the places of a schema and of all schemas in it, in their order."""
    left = [Place(schema)]
    while left:
        place = left.pop()
        yield place
        left.extend([*place.children()][::-1])


def _path_step(step: str | int) -> str:
    if isinstance(step, str) and _PLAIN_NAME.fullmatch(step):
        return f".{step}"
    return f"[{step!r}]"
