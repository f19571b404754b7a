"""Rules that answer a request, in the place of a language model.

They are good for agents, tools and extraction, because they read a request's own material: the
words and values of the prompt, the names and schemas of the tools, and the tools' results. The
same request always gets the same answer. There is no language model here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.answers.prose import refuse, write_text
from langchain_openrouter_o3.emulator.answers.structured import write_json
from langchain_openrouter_o3.emulator.answers.tool_use import call_tools
from langchain_openrouter_o3.emulator.answers.turn import Turn
from langchain_openrouter_o3.emulator.completion import Answer

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.chat_request import ChatRequest
    from langchain_openrouter_o3.emulator.json_value import JsonObject

__all__ = ["answer"]

_REFUSAL_WORDS = "please refuse"


def answer(request: ChatRequest) -> Answer:
    """Answer a request: with calls if tools are of use, else in the format that it asks for."""
    turn = Turn.latest(request.messages)
    calls = call_tools(request, turn)
    if calls:
        return Answer(tool_calls=calls)
    if _REFUSAL_WORDS in turn.prompt.lower():
        # The refusal has a field of its own only where the content is bound to a schema.
        refusal = refuse(turn.prompt)
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
