"""Reasoning as OpenAI's models show it: a summary, and the whole in an encrypted form.

Both are entries of `reasoning_details`
(https://openrouter.ai/docs/guides/best-practices/reasoning-tokens). A client has to send them
back unchanged and in order, so the encrypted form here is a seal of its own id, of the summary
before it, and of the call that follows it: the emulator notices what a client changes or moves
(see `rules.messages`).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Collection

    from langchain_openrouter_o3.emulator.chat_request import ChatRequest
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

FORMAT = "openai-responses-v1"
_TOKENS = {"low": 64, "medium": 192, "high": 704}
_ID_MARK = "rs_0e"
_SEAL_MARK = "gAAAAABvcm8z"
_SEAL_BYTES = 240
_STAMP_CHARACTERS = 8
_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class Reasoning:
    """What the model thought before it answered."""

    tokens: int
    summary: str | None
    item_id: str
    excluded: bool
    call_id: str | None = None  # of the first call that follows

    def details(self) -> list[JsonObject]:
        """Return the entries of `reasoning_details`, whole."""
        summary = [] if self.summary is None else [summary_entry(self.summary)]
        return [*summary, self.encrypted_entry()]

    def encrypted_entry(self) -> JsonObject:
        """Return the encrypted entry, which follows the summary if there is one."""
        return {
            "type": "reasoning.encrypted",
            "data": _seal(self.item_id) + _stamp(self.summary) + _stamp(self.call_id),
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


def is_sealed(entry: JsonObject) -> bool:
    """Whether an encrypted entry, or what is left of it, came from here."""
    return _is_marked(entry.get("id"), _ID_MARK) or _is_marked(entry.get("data"), _SEAL_MARK)


def is_altered(entry: JsonObject, summary: str) -> bool:
    """Whether a sealed entry, or the summary before it, is not what it was.

    An entry without its id, and one without its summary, can be verified all the same.
    """
    item_id, data = entry.get("id"), entry.get("data")
    if not isinstance(data, str):
        return item_id is not None
    seal, stamp = data[: -2 * _STAMP_CHARACTERS], data[-2 * _STAMP_CHARACTERS : -_STAMP_CHARACTERS]
    is_of_id = item_id is None or seal == _seal(str(item_id))
    return not is_of_id or (bool(summary) and stamp != _stamp(summary))


def leads_to_one_of(entry: JsonObject, call_ids: Collection[str]) -> bool:
    """Whether the call that followed a sealed entry is among these, if one did."""
    stamp = str(entry.get("data"))[-_STAMP_CHARACTERS:]
    return stamp in {_stamp(None), *map(_stamp, call_ids)}


def _is_marked(value: Json, mark: str) -> bool:
    return isinstance(value, str) and value.startswith(mark)


def _item_id(seed: bytes) -> str:
    return _ID_MARK + hashlib.sha256(seed).hexdigest()[:45]


def _seal(item_id: str) -> str:
    noise = hashlib.shake_256(item_id.encode("utf-8", "replace")).digest(_SEAL_BYTES)
    return _SEAL_MARK + base64.urlsafe_b64encode(noise).decode("ascii")


def _stamp(text: str | None) -> str:
    """Return a few characters that another text does not have."""
    digest = hashlib.sha256((text or "").encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:_STAMP_CHARACTERS]


def _summary(request: ChatRequest) -> str:
    """Two parts that nothing separates, as OpenAI's summaries come through OpenRouter."""
    prompt = next((item.text for item in reversed(request.messages) if item.role == "user"), "")
    quoted = " ".join(prompt.split())[:_QUOTED_CHARACTERS]
    tools = f"{len(request.functions)} functions" if request.functions else "no functions"
    return (
        f"**Reading the request**\n\nThe user writes “{quoted}”, and I may call {tools}."
        "**Choosing a rule**\n\nI look for the first of my rules that fits and follow it."
    )
