"""An MCP server over stdio: its tools have schemas as zod writes them, and repeat what they get."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

_LARGEST = 9007199254740991  # JavaScript's largest safe integer, which zod writes for `.int()`
USER = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "const": "user"},
        "id": {"type": "integer", "exclusiveMinimum": 0, "maximum": _LARGEST},
    },
    "required": ["kind", "id"],
    "additionalProperties": False,
}
TEAM = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "const": "team"},
        "name": {"type": "string", "minLength": 1},
    },
    "required": ["kind", "name"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    # zod 3 with zod-to-json-schema: draft-07, a tuple as a list of items, nullable as a union.
    "file_ticket": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "description": "What is wrong"},
            "priority": {"type": "string", "enum": ["low", "high"], "default": "low"},
            "target": {"anyOf": [USER, TEAM]},
            "due": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "place": {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": [{"type": "number"}, {"type": "number"}],
            },
            "count": {"type": "integer", "minimum": -_LARGEST, "maximum": _LARGEST, "default": 1},
        },
        "required": ["title", "target"],
        "additionalProperties": False,
    },
    # zod 4: draft 2020-12, a record with names, definitions, a tree of itself.
    "label_ticket": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "labels": {
                "type": "object",
                "propertyNames": {"type": "string"},
                "additionalProperties": {"type": "string"},
            },
            "tree": {"$ref": "#/$defs/__schema0"},
            "place": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]},
        },
        "required": ["labels"],
        "additionalProperties": False,
        "$defs": {
            "__schema0": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "below": {"type": "array", "items": {"$ref": "#/$defs/__schema0"}},
                },
                "required": ["name", "below"],
                "additionalProperties": False,
            }
        },
    },
    # `z.object({})`, and a server that leaves everything out.
    "list_tickets": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    },
    "count_tickets": {"type": "object"},
}
SERVER: Any = Server("tickets")


@SERVER.list_tools()  # type: ignore[untyped-decorator]
async def list_tools() -> list[Any]:
    return [
        types.Tool(name=name, description=f"Tool {name}.", inputSchema=schema)
        for name, schema in SCHEMAS.items()
    ]


@SERVER.call_tool()  # type: ignore[untyped-decorator]
async def call_tool(name: str, arguments: dict[str, Any]) -> list[Any]:
    text = json.dumps({"tool": name, "arguments": arguments}, sort_keys=True)
    return [types.TextContent(type="text", text=text)]


async def main() -> None:
    async with stdio_server() as (read, write):
        await SERVER.run(read, write, SERVER.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
