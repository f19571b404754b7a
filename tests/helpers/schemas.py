"""Schemas as the client sends them, and the way back."""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3._wire.schemas.dialects import read_schema
from langchain_openrouter_o3._wire.schemas.json_schema import Schema, repair_schema
from langchain_openrouter_o3._wire.schemas.optionals import OptionalsRestorer
from langchain_openrouter_o3._wire.schemas.strict_schema import compile_strict, schema_to_wire


def strict_schema(schema: Any, what: str, *, parsed_here: bool = True) -> Schema:
    """Make a schema strict, or raise."""
    read = read_schema(schema, what)
    compiled = compile_strict(read, parsed_here=parsed_here)
    return schema_to_wire(read, compiled, True, what)[1]  # noqa: FBT003 - LangChain's word


def mend(schema: Any, what: str) -> Schema:
    """Repair a schema."""
    return repair_schema(read_schema(schema, what), what)


def drop_absent(value: Any, schema: Any) -> Any:
    """Take out the nulls that stand for absent properties."""
    compiled = compile_strict(read_schema(schema, "s"), parsed_here=True)
    return OptionalsRestorer(compiled.schema).restore(value)
