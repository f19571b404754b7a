"""Reasoning as OpenAI's models show it: a summary, and the whole in an encrypted form.

Both are entries of `reasoning_details`
(https://openrouter.ai/docs/guides/best-practices/reasoning-tokens). A client has to send them
back unchanged, so the encrypted form here is a seal of its own id: when a client alters one of
them, or puts it beside another's id, the emulator notices (see `rules.messages`).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.tokens import count_tokens

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.chat_request import ChatRequest
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

FORMAT = "openai-responses-v1"
_TOKENS = {"low": 64, "medium": 192, "high": 704}
_ID_MARK = "rs_0e"
_SEAL_MARK = "gAAAAABvcm8z"
_SEAL_BYTES = 240
_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class Reasoning:
    """What the model thought before it answered."""

    tokens: int
    summary: str | None
    item_id: str
    excluded: bool

    def details(self) -> list[JsonObject]:
        """Return the entries of `reasoning_details`, whole."""
        summary = [] if self.summary is None else [summary_entry(self.summary)]
        return [*summary, self.encrypted_entry()]

    def encrypted_entry(self) -> JsonObject:
        """Return the encrypted entry, which follows the summary if there is one."""
        return {
            "type": "reasoning.encrypted",
            "data": _seal(self.item_id),
            "id": self.item_id,
            "format": FORMAT,
            "index": 0 if self.summary is None else 1,
        }


def reason(request: ChatRequest) -> Reasoning | None:
    """Think about a request, the same for the same request; not every model does."""
    wish = request.reasoning
    if wish is None:
        return None
    seed = "\0".join((request.slug, wish.effort, *request.prompt)).encode("utf-8", "replace")
    return Reasoning(
        tokens=_TOKENS[wish.effort],
        summary=_summary(request) if wish.summary and not wish.exclude else None,
        item_id=_item_id(seed),
        excluded=wish.exclude,
    )


def scripted_reasoning(request: ChatRequest, summary: str | None, *, seed: str) -> Reasoning | None:
    """Think what a script says; without a summary only the encrypted entry tells of it."""
    wish = request.reasoning
    if wish is None:
        return None
    return Reasoning(
        tokens=_TOKENS[wish.effort] + count_tokens(summary or ""),
        summary=None if wish.exclude else summary,
        item_id=_item_id(seed.encode()),
        excluded=wish.exclude,
    )


def summary_entry(text: str) -> JsonObject:
    """Return an entry with a summary or a piece of one."""
    return {"type": "reasoning.summary", "summary": text, "format": FORMAT, "index": 0}


def is_altered(entry: JsonObject) -> bool:
    """Whether an encrypted entry came from here and is not what it was."""
    item_id, data = entry.get("id"), entry.get("data")
    if not (_is_marked(item_id, _ID_MARK) or _is_marked(data, _SEAL_MARK)):
        return False
    return item_id is not None and data != _seal(str(item_id))


def _is_marked(value: Json, mark: str) -> bool:
    return isinstance(value, str) and value.startswith(mark)


def _item_id(seed: bytes) -> str:
    return _ID_MARK + hashlib.sha256(seed).hexdigest()[:45]


def _seal(item_id: str) -> str:
    noise = hashlib.shake_256(item_id.encode("utf-8", "replace")).digest(_SEAL_BYTES)
    return _SEAL_MARK + base64.urlsafe_b64encode(noise).decode("ascii")


def _summary(request: ChatRequest) -> str:
    """Two parts that nothing separates, as OpenAI's summaries come through OpenRouter."""
    prompt = next((item.text for item in reversed(request.messages) if item.role == "user"), "")
    quoted = " ".join(prompt.split())[:_QUOTED_CHARACTERS]
    tools = f"{len(request.functions)} functions" if request.functions else "no functions"
    return (
        f"**Reading the request**\n\nThe user writes “{quoted}”, and I may call {tools}."
        "**Choosing a rule**\n\nI look for the first of my rules that fits and follow it."
    )
