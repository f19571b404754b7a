"""A schema in a few words: `name, born int, tags list, died? int`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from langchain_openrouter_o3._cli.options import read_schema
from langchain_openrouter_o3._cli.outcome import BadArgumentError

_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "list": {"type": "array", "items": {"type": "string"}},
}
_FIELD = re.compile(r"\s*([A-Za-z_]\w*)(\?)?(?:\s+(\w+))?\s*")


def read_any_schema(given: str) -> dict[str, Any]:
    """Read a schema from a file, or from words.

    Raises:
        BadArgumentError: It is neither.
    """
    if given.endswith(".json") or Path(given).is_file():
        return read_schema(given)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for part in given.split(","):
        found = _FIELD.fullmatch(part)
        kind = _TYPES.get((found[3] or "text").lower()) if found is not None else None
        if found is None or kind is None:
            raise BadArgumentError(
                f"--schema: {part.strip()!r} is no field. Name a file, or fields such as "
                f'"name, born int, died? int"; types are {", ".join(_TYPES)}'
            )
        properties[found[1]] = kind
        if not found[2]:
            required.append(found[1])
    return {
        "title": "row",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
