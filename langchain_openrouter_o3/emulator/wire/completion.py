"""A whole answer with usage and reasoning, before it is written as one JSON body or as chunks.

OpenRouter sends the `usage` object with every answer, asked for or not
(https://openrouter.ai/docs/guides/guides/usage-accounting).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import string
import time
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.wire.catalogue import WEB_SEARCH_PRICE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject
    from langchain_openrouter_o3.emulator.wire.catalogue import Price
    from langchain_openrouter_o3.emulator.wire.chat_request import ChatRequest, ToolCall

BYTES_PER_TOKEN = 4
_TOKENS_PER_PROMPT_TEXT = 3


def count_tokens(text: str) -> int:
    """Return how many tokens a text has."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def count_prompt_tokens(texts: Iterable[str]) -> int:
    """Return how many tokens a prompt has."""
    return sum(count_tokens(text) + _TOKENS_PER_PROMPT_TEXT for text in texts)


def first_tokens(text: str, tokens: int) -> str:
    """Return the beginning of a text that has at most so many tokens, in whole characters."""
    return text.encode("utf-8", "replace")[: tokens * BYTES_PER_TOKEN].decode("utf-8", "ignore")


@dataclass(frozen=True)
class Usage:
    """The tokens of one answer; reasoning tokens are completion tokens too."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    web_searches: int
    price: Price

    @property
    def prompt_cost(self) -> Decimal:
        """What the input costs, in USD."""
        price, cached = Decimal(self.price.prompt), self.price.input_cache_read
        fresh = self.prompt_tokens - self.cached_tokens
        return fresh * price + self.cached_tokens * (price if cached is None else Decimal(cached))

    @property
    def completion_cost(self) -> Decimal:
        """What the output costs, in USD."""
        return self.completion_tokens * Decimal(self.price.completion)

    @property
    def cost(self) -> Decimal:
        """What the answer costs, in USD; a web search has its own price."""
        return (
            self.prompt_cost + self.completion_cost + self.web_searches * Decimal(WEB_SEARCH_PRICE)
        )

    def free(self) -> Usage:
        """Return the usage of an answer that nobody had to give again."""
        return Usage(0, 0, 0, 0, 0, self.price)

    def to_json(self) -> JsonObject:
        """Return the object, its keys in OpenRouter's order."""
        usage: JsonObject = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "cost": float(self.cost),
            "is_byok": False,
            "prompt_tokens_details": {
                "cached_tokens": self.cached_tokens,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {
                "upstream_inference_cost": float(self.cost),
                "upstream_inference_prompt_cost": float(self.prompt_cost),
                "upstream_inference_completions_cost": float(self.completion_cost),
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "image_tokens": 0,
                "audio_tokens": 0,
            },
        }
        if self.web_searches:
            usage["server_tool_use_details"] = {"web_search_requests": self.web_searches}
        return usage


# --- Reasoning ---


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


# --- Answers and their ids ---


_ALPHABET = string.ascii_letters + string.digits
_ID_CHARACTERS = 20
_CALL_ID_CHARACTERS = 24


def _now() -> int:
    return int(time.time())


def _new_suffix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))


def call_id(seed: str) -> str:
    """Return the id of a call, the same for the same seed."""
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).digest()
    return "call_" + "".join(
        _ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_CALL_ID_CHARACTERS]
    )


@dataclass(frozen=True)
class Answer:
    """What the model says: a text, calls of functions, or a refusal."""

    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    annotations: tuple[JsonObject, ...] = ()

    @property
    def tokens(self) -> int:
        """How many tokens the answer has."""
        calls = (count_tokens(call.name) + count_tokens(call.arguments) for call in self.tool_calls)
        return count_tokens(self.text or "") + count_tokens(self.refusal or "") + sum(calls)


@dataclass(frozen=True)
class Completion:
    """An answer with everything that OpenRouter says about it."""

    slug: str
    answer: Answer
    reasoning: Reasoning | None
    usage: Usage
    finish_reason: str
    native_finish_reason: str
    routing: JsonObject | None = None
    created: int = field(default_factory=_now)
    suffix: str = field(default_factory=_new_suffix)
    chosen_id: str | None = None

    @property
    def id(self) -> str:
        """The generation's id."""
        return self.chosen_id or f"gen-{self.created}-{self.suffix}"

    def repeated(self) -> Completion:
        """Return the same answer for nothing, as the cache gives it: with an id of its own."""
        fresh = replace(self, created=_now(), suffix=_new_suffix(), chosen_id=None)
        return replace(fresh, usage=self.usage.free())


def complete(
    request: ChatRequest, answer: Answer, *, cached_tokens: int, reasoning: Reasoning | None
) -> Completion:
    """Put an answer under the request's limit, and count and price it.

    The limit on output tokens includes the hidden reasoning. OpenRouter says `length` for a
    text that was cut, but still `tool_calls` for a call: only the native reason tells, and the
    arguments are broken JSON.
    """
    limit = request.max_tokens or request.model.max_completion_tokens
    if reasoning is not None and reasoning.tokens > limit:
        reasoning = replace(reasoning, tokens=limit)
    thought = 0 if reasoning is None else reasoning.tokens
    is_cut = thought + answer.tokens > limit
    said = _cut(answer, limit - thought) if is_cut else answer
    if reasoning is not None and said.tool_calls:
        reasoning = replace(reasoning, call_id=said.tool_calls[0].id)
    usage = Usage(
        prompt_tokens=count_prompt_tokens(request.prompt),
        completion_tokens=min(thought + said.tokens, limit),
        cached_tokens=cached_tokens,
        reasoning_tokens=thought,
        web_searches=1 if said.annotations else 0,
        price=request.model.price,
    )
    return Completion(
        slug=request.slug,
        answer=said,
        reasoning=reasoning,
        usage=usage,
        finish_reason="tool_calls" if said.tool_calls else "length" if is_cut else "stop",
        native_finish_reason="max_output_tokens" if is_cut else "completed",
    )


def _cut(answer: Answer, tokens: int) -> Answer:
    if tokens <= 0:
        return Answer()
    if answer.tool_calls:
        return replace(answer, tool_calls=_cut_calls(answer.tool_calls, tokens))
    return replace(
        answer,
        text=None if answer.text is None else first_tokens(answer.text, tokens),
        refusal=None if answer.refusal is None else first_tokens(answer.refusal, tokens),
    )


def _cut_calls(calls: tuple[ToolCall, ...], tokens: int) -> tuple[ToolCall, ...]:
    """Keep the calls that fit, and the first characters of the one that does not."""
    kept: list[ToolCall] = []
    for call in calls:
        left = tokens - count_tokens(call.name)
        arguments = first_tokens(call.arguments, max(left, 0))
        kept.append(replace(call, arguments=arguments or call.arguments[:1]))
        tokens = left - count_tokens(call.arguments)
        if tokens < 0:
            break
    return tuple(kept)
