"""Building the error that an error body means: its class, its words and its advice.

One function serves an HTTP status, an error inside a 200 body (top level or in a choice) and an
error inside a stream.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterRateLimitError
from langchain_openrouter_o3.errors.failure import Failure, read_failure
from langchain_openrouter_o3.errors.kinds import MAX_SEARCHED_CHARS, Meaning, classify
from langchain_openrouter_o3.errors.pages import without_pages
from langchain_openrouter_o3.errors.redaction import ELLIPSIS, redact
from langchain_openrouter_o3.errors.remedies import Asked, remedy
from langchain_openrouter_o3.errors.retry_after import (
    first_wait,
    reset_seconds,
    retry_after_seconds,
    wait_in_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

MAX_LABEL_CHARS = 100
MAX_MESSAGE_CHARS = 1_000
"""Upstream bodies can be of any length; a message that is read stays short."""


_ENDS = (".", "!", "?", ")", ELLIPSIS)
_HEADERS_KEPT = r"retry-after.*|x-ratelimit-.*|x-generation-id|content-type"


def error_from_payload(  # noqa: PLR0913 - everything known of a failure, all but the body by name
    payload: Any,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    generation_id: str | None = None,
    retry_after: float | None = None,
    partial: AIMessage | None = None,
    asked: Asked | None = None,
    now: float | None = None,
) -> OpenRouterError:
    """Build the error that an error body, a choice's error or a stream's error event means.

    Args:
        payload: The decoded JSON (`{"error": {...}}` or the inner object), or text.
        status: The HTTP status, when it is not 200.
        headers: Response headers, any case.
        generation_id: The id seen before the failure; the header's is used otherwise.
        retry_after: Seconds to wait, where the caller knows better than headers and body.
        partial: What had been received of the message.
        asked: What was asked for, and where.
        now: Seconds since the epoch, for waits that are dates.

    Returns:
        An instance of the matching leaf; it is returned, not raised.
    """
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    payload = redact(payload)
    facts = read_failure(payload)
    status = status if status is not None and status >= 400 else facts.status  # noqa: PLR2004 - HTTP's own numbers
    meaning = classify(status, facts)
    generation_id = generation_id or lowered.get("x-generation-id")
    wait = retry_after
    if wait is None:
        wait = _wait(meaning, facts, lowered, time.time() if now is None else now)
    text = _sentence(facts, status, generation_id)
    advice = _advice(meaning.kind, facts, wait, asked or Asked(), status)
    return meaning.kind(
        f"{text}{'' if text.endswith(_ENDS) else '.'}{advice}",
        status_code=meaning.status,
        code=facts.code,
        error_type=facts.error_type,
        provider_name=facts.provider_name,
        generation_id=generation_id,
        retry_after=wait,
        retryable=facts.retryable,
        fallback_models=facts.fallback_models,
        body=_without_pages(payload),
        partial=partial,
        headers={k: v for k, v in lowered.items() if re.fullmatch(_HEADERS_KEPT, k)},
    )


def _wait(meaning: Meaning, facts: Failure, headers: Mapping[str, str], now: float) -> float | None:
    """Read how long to wait: what is asked for first, then when a limit ends, then words."""
    every = (headers, facts.headers)
    waits = [retry_after_seconds(each, now) for each in every]
    waits.insert(1, facts.wait)
    if meaning.kind is OpenRouterRateLimitError:  # other answers tell the state of limits, too
        waits += [reset_seconds(each, now) for each in every]
    waits.append(wait_in_words(facts.message[:MAX_SEARCHED_CHARS]))
    return first_wait(waits)


def _advice(
    kind: type[OpenRouterError],
    facts: Failure,
    wait: float | None,
    asked: Asked,
    status: int | None,
) -> str:
    """Say what to do: in the server's words if it has any, otherwise in ours."""
    passing = kind.is_retryable if facts.retryable is None else facts.retryable
    advice = (
        _clip(facts.remedy, MAX_MESSAGE_CHARS)
        if facts.remedy
        else remedy(kind, facts, asked, status),
        f"The server asks to wait {wait:g} s." if wait and wait >= 1 and passing else None,
        f"OpenRouter offers {_clip(', '.join(facts.fallback_models), MAX_MESSAGE_CHARS)} instead "
        "(models= tries them by itself)."
        if facts.fallback_models
        else None,
    )
    return "".join(f" {sentence}" for sentence in advice if sentence)


def _clip(text: str, limit: int = MAX_LABEL_CHARS) -> str:
    return text if len(text) <= limit else f"{text[:limit]}{ELLIPSIS} ({len(text)} characters)"


def _sentence(facts: Failure, status: int | None, generation_id: str | None) -> str:
    """Say what happened, in whose words, and where. Only an HTTP status is called one."""
    words = _clip(redact(facts.message), MAX_MESSAGE_CHARS)
    who = f"[{_clip(facts.provider_name)}] " if facts.provider_name else ""
    labels = (
        f"HTTP {status}" if status is not None else None,
        facts.error_type,
        None if str(facts.code) in (str(status), "None") else f"code {facts.code}",
        generation_id,
    )
    where = ", ".join(_clip(label) for label in labels if label)
    return f"{who}{words} ({where})" if where else f"{who}{words}"


def _without_pages(value: Any) -> Any:
    """Return a redacted body, which is of bounded depth, with titles in place of web pages."""
    if isinstance(value, str):
        return without_pages(value)
    if is_object(value):
        return {key: _without_pages(item) for key, item in value.items()}
    return [_without_pages(item) for item in value] if is_array(value) else value
