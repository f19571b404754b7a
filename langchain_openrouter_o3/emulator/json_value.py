"""JSON as the type checker sees it, read without surprises and written.

What is missing, or of another type, reads as an empty value: `rules` refuse what has to be there.
"""

from __future__ import annotations

import json
from typing import TypeAlias

import orjson

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = "dict[str, Json]"


def parse_object(raw: bytes) -> JsonObject | None:
    """Return the JSON object that some bytes are, or None if they are something else."""
    try:
        parsed: Json = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def object_at(parent: JsonObject, key: str) -> JsonObject:
    """Return the object under `key`, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def list_at(parent: JsonObject, key: str) -> list[Json]:
    """Return the array under `key`, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, list) else []


def objects_at(parent: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects in the array under `key`."""
    return [item for item in list_at(parent, key) if isinstance(item, dict)]


def text_at(parent: JsonObject, key: str) -> str:
    """Return the string under `key`, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def integer_at(parent: JsonObject, key: str) -> int | None:
    """Return the integer under `key`; JSON's true and false are no integers."""
    value = parent.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def compact(value: Json) -> str:
    """Write JSON as the wire has it: no spaces, and text as itself rather than escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(value: Json) -> bytes:
    """Write JSON as bytes; a lone surrogate, which JSON allows, has no UTF-8 form and is lost."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, or an integer of more than 64 bits
        return compact(value).encode("utf-8", "replace")
