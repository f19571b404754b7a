"""Rules that answer a request, in the place of a language model.

They are good for agents, tools and extraction, because they read a request's own material: the
words and values of the prompt, the names and schemas of the tools, and the tools' results. The
same request always gets the same answer. There is no language model here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.content import (
    Turn,
    call_tools,
    refusal_text,
    write_text,
)
from langchain_openrouter_o3.emulator.answers.hints import Hints
from langchain_openrouter_o3.emulator.answers.values import property_names, write_value
from langchain_openrouter_o3.emulator.json_value import compact
from langchain_openrouter_o3.emulator.wire.completion import Answer

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest

__all__ = ["answer"]

_QUOTED_KEY = re.compile(r"['\"`]([A-Za-z_]\w*)['\"`]")
_SAYS_KEYS = re.compile(r"\b(?:field|key|propert)", re.IGNORECASE)


def write_json(request: ChatRequest, turn: Turn) -> str:
    """Answer with one JSON value and nothing around it."""
    told = f"{turn.instructions}\n{turn.prompt}"
    schema = request.schema or _schema_in(told) or _schema_of_keys(told)
    if schema is None:
        return compact({"answer": write_text(turn)})
    return compact(write_value(schema, Hints(turn.material, property_names(schema))))


def _schema_in(text: str) -> JsonObject | None:
    """Return the last schema in a text; output parsers put theirs after an example."""
    found: JsonObject | None = None
    place = text.find("{")
    while place >= 0:
        try:
            value, end = json.JSONDecoder().raw_decode(text, place)
        except json.JSONDecodeError:
            end = place + 1
        else:
            found = _as_schema(value) or found
        place = text.find("{", end)
    return found


def _as_schema(value: Json) -> JsonObject | None:
    is_schema = isinstance(value, dict) and isinstance(value.get("properties"), dict)
    return value if isinstance(value, dict) and is_schema else None


def _schema_of_keys(text: str) -> JsonObject | None:
    """Return the schema that `with 'setup' and 'punchline' keys` amounts to."""
    keys: list[Json] = [*dict.fromkeys(_QUOTED_KEY.findall(text))]
    if not keys or not _SAYS_KEYS.search(text):
        return None
    properties: JsonObject = {str(key): {"type": "string"} for key in keys}
    return {"type": "object", "properties": properties, "required": keys}


_REFUSAL_WORDS = "please refuse"


def answer(request: ChatRequest) -> Answer:
    """Answer a request: with calls if tools are of use, else in the format that it asks for."""
    turn = Turn.latest(request.messages)
    calls = call_tools(request, turn)
    if calls:
        return Answer(tool_calls=calls)
    if _REFUSAL_WORDS in turn.prompt.lower():
        # The refusal has a field of its own only where the content is bound to a schema.
        refusal = refusal_text(turn.prompt)
        return Answer(refusal=refusal) if request.schema else Answer(text=refusal)
    annotations = (_citation(turn.prompt),) if request.searches_web else ()
    if request.format == "text":
        return Answer(text=write_text(turn), annotations=annotations)
    return Answer(text=write_json(request, turn), annotations=annotations)


def _citation(prompt: str) -> JsonObject:
    return {
        "type": "url_citation",
        "url_citation": {
            "url": "https://example.com/emulated-search-result",
            "title": "An emulated search result",
            "start_index": 0,
            "end_index": 0,
            "content": f"Nobody searched the web for “{prompt[:60]}”.",
        },
    }
