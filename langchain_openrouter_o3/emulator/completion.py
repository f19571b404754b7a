"""A whole answer, before it is written as one JSON body or as a stream of chunks."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.tokens import (
    count_prompt_tokens,
    count_tokens,
    first_tokens,
)
from langchain_openrouter_o3.emulator.usage import Usage

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.chat_request import ChatRequest, ToolCall
    from langchain_openrouter_o3.emulator.json_value import JsonObject
    from langchain_openrouter_o3.emulator.reasoning import Reasoning

_ALPHABET = string.ascii_letters + string.digits
_ID_CHARACTERS = 20


def _now() -> int:
    return int(time.time())


def _new_suffix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))


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
