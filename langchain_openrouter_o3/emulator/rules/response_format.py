"""Rules about the response format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.chat_request import text_content
from langchain_openrouter_o3.emulator.errors import BadRequestError, ProviderError
from langchain_openrouter_o3.emulator.json_value import object_at, objects_at, text_at
from langchain_openrouter_o3.emulator.rules.schemas import strict_fault
from langchain_openrouter_o3.emulator.rules.tools import NAME

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import JsonObject

_TYPES = frozenset({"json_object", "json_schema", "text"})


def type_is_known(body: JsonObject) -> None:
    """The format is one that exists."""
    response_format = body.get("response_format")
    if response_format is not None and _type(body) not in _TYPES:
        raise BadRequestError("response_format.type: Invalid input: unknown type")


def json_is_mentioned(body: JsonObject) -> None:
    """JSON mode needs a message that asks for JSON, lest the model write blanks forever."""
    texts = (text_content(message.get("content")) for message in objects_at(body, "messages"))
    if _type(body) == "json_object" and not any("json" in text.lower() for text in texts):
        raise ProviderError(
            "Response input messages must contain the word 'json' in some form to use "
            "'text.format' of type 'json_object'.",
            param="input",
        )


def name_is_valid(body: JsonObject) -> None:
    """A schema has a name, of certain characters only."""
    if _type(body) != "json_schema":
        return
    name = _json_schema(body).get("name")
    if name is None:
        raise ProviderError(
            "Missing required parameter: 'text.format.name'.",
            param="text.format.name",
            code="missing_required_parameter",
        )
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ProviderError(
            "Invalid 'text.format.name': expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$', with at most 64 characters.",
            param="text.format.name",
            code="invalid_value",
        )


def schema_is_valid(body: JsonObject) -> None:
    """There is a schema; when it is strict, it is within OpenAI's subset."""
    if _type(body) != "json_schema":
        return
    json_schema = _json_schema(body)
    schema = json_schema.get("schema")
    if not isinstance(schema, dict):
        raise ProviderError(
            "Missing required parameter: 'text.format.schema'.",
            param="text.format.schema",
            code="missing_required_parameter",
        )
    name = f"response_format '{text_at(json_schema, 'name')}'"
    fault = strict_fault(schema, name) if json_schema.get("strict") is True else None
    if fault is not None:
        raise ProviderError(fault, param="text.format.schema", code="invalid_json_schema")


def _type(body: JsonObject) -> str:
    return text_at(object_at(body, "response_format"), "type")


def _json_schema(body: JsonObject) -> JsonObject:
    return object_at(object_at(body, "response_format"), "json_schema")
