"""Building the error that an error body means: its class, its words and its advice.

One function serves an HTTP status, an error inside a 200 body (top level or in a choice) and an
error inside a stream.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._redaction import ELLIPSIS, redact
from langchain_openrouter_o3._wire.failure import Failure, read_failure
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterContextOverflowError,
    OpenRouterCreditsError,
    OpenRouterError,
    OpenRouterInvalidRequestError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
    OpenRouterRefusalError,
    OpenRouterTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

MAX_LABEL_CHARS = 100
MAX_MESSAGE_CHARS = 1_000
"""Upstream bodies can be whole HTML pages; a message that is read stays short."""

_BY_ERROR_TYPE: dict[str, type[OpenRouterError]] = {
    "context_length_exceeded": OpenRouterContextOverflowError,
    "token_limit_exceeded": OpenRouterContextOverflowError,
    "max_tokens_exceeded": OpenRouterInvalidRequestError,
    "string_too_long": OpenRouterInvalidRequestError,
    "authentication": OpenRouterAuthenticationError,
    "permission_denied": OpenRouterPermissionError,
    "payment_required": OpenRouterCreditsError,
    "rate_limit_exceeded": OpenRouterRateLimitError,
    "provider_overloaded": OpenRouterAPIError,
    "provider_unavailable": OpenRouterAPIError,
    "invalid_request": OpenRouterInvalidRequestError,
    "invalid_prompt": OpenRouterInvalidRequestError,
    "not_found": OpenRouterNotFoundError,
    "precondition_failed": OpenRouterInvalidRequestError,
    "payload_too_large": OpenRouterInvalidRequestError,
    "unprocessable": OpenRouterInvalidRequestError,
    "content_policy_violation": OpenRouterModerationError,
    "refusal": OpenRouterRefusalError,
    "invalid_image": OpenRouterInvalidRequestError,
    "image_too_large": OpenRouterInvalidRequestError,
    "image_too_small": OpenRouterInvalidRequestError,
    "unsupported_image_format": OpenRouterInvalidRequestError,
    "image_not_found": OpenRouterInvalidRequestError,
    "image_download_failed": OpenRouterInvalidRequestError,
    "server": OpenRouterAPIError,
    "timeout": OpenRouterTimeoutError,
}

_BY_STATUS: dict[int, type[OpenRouterError]] = {
    401: OpenRouterAuthenticationError,
    402: OpenRouterCreditsError,
    403: OpenRouterPermissionError,
    404: OpenRouterNotFoundError,
    408: OpenRouterTimeoutError,
    429: OpenRouterRateLimitError,
    504: OpenRouterTimeoutError,
}

# Patterns of errors are compiled (by `re`, once) when there is one: importing is for everybody.
_OVERFLOW_WORDING = (
    r"context_length_exceeded|maximum context length|context (?:window|length|limit)"
    r"|(?:prompt|input) is too long|input tokens exceed"
)

_ADVICE: dict[type[OpenRouterError], str] = {
    OpenRouterCreditsError: (
        "Add credits at https://openrouter.ai/settings/credits, or lower max_tokens: OpenRouter "
        "reserves the price of the longest possible answer before it starts."
    ),
    OpenRouterContextOverflowError: "Shorten the conversation (trim_messages, summarization).",
    OpenRouterAuthenticationError: "Check api_key or OPENROUTER_API_KEY.",
    OpenRouterModerationError: "Change the flagged text; the same text will be flagged again.",
    OpenRouterRefusalError: (
        "Change the request, or name fallback models with models=; the same request will be "
        "refused again."
    ),
    OpenRouterPermissionError: (
        "The key is valid: see https://openrouter.ai/settings/privacy and the provider's terms, "
        "or choose other providers with provider= or another model."
    ),
    OpenRouterNotFoundError: (
        "Check the slug at https://openrouter.ai/models, and whether provider= and the "
        "parameters leave an endpoint."
    ),
}
_COUNTRY_WORDING = r"\b(country|countries|region|territory)\b"
_COUNTRY_ADVICE = (
    "The provider does not serve the country that the request came from: choose other "
    "providers with provider= or another model."
)

_HEADERS_KEPT = r"retry-after.*|x-ratelimit-.*|x-generation-id|content-type"


def error_from_payload(  # noqa: PLR0913 - everything known of a failure, all but the body by name
    payload: Any,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    generation_id: str | None = None,
    retry_after: float | None = None,
    partial: AIMessage | None = None,
) -> OpenRouterError:
    """Build the error that an error body, a choice's error or a stream's error event means.

    Args:
        payload: The decoded JSON (`{"error": {...}}` or the inner object), or text.
        status: The HTTP status, when it is not 200.
        headers: Response headers, any case.
        generation_id: The id seen before the failure; the header's is used otherwise.
        retry_after: Seconds from the response headers; the body's own word is used otherwise.
        partial: What had been received of the message.

    Returns:
        An instance of the matching leaf; it is returned, not raised.
    """
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    payload = redact(payload)
    facts = read_failure(payload)
    effective = status if status is not None and status != 200 else facts.status  # noqa: PLR2004
    cls = _classify(effective, facts)
    generation_id = generation_id or lowered.get("x-generation-id")
    wait = facts.retry_after if retry_after is None else retry_after
    return cls(
        f"{_sentence(facts, effective, generation_id)}{_advice(cls, facts, wait)}",
        status_code=effective,
        code=facts.code,
        error_type=facts.error_type,
        provider_name=facts.provider_name,
        generation_id=generation_id,
        retry_after=wait,
        retryable=facts.retryable,
        fallback_models=facts.fallback_models,
        body=payload,
        partial=partial,
        headers={k: v for k, v in lowered.items() if re.fullmatch(_HEADERS_KEPT, k)},
    )


def _classify(status: int | None, facts: Failure) -> type[OpenRouterError]:
    known = _BY_ERROR_TYPE.get(facts.error_type or "")
    if known is not None:
        return known
    if status in (400, 413, 422, None) and re.search(
        _OVERFLOW_WORDING, facts.message, re.IGNORECASE
    ):
        return OpenRouterContextOverflowError
    if facts.flagged and status in (400, 403):
        return OpenRouterModerationError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and 400 <= status < 500:  # noqa: PLR2004
        return OpenRouterInvalidRequestError
    return OpenRouterAPIError


def _advice(cls: type[OpenRouterError], facts: Failure, wait: float | None) -> str:
    """Say what to do: in the server's words if it has any, otherwise in ours."""
    passing = cls.is_retryable if facts.retryable is None else facts.retryable
    blocked = cls is OpenRouterPermissionError and re.search(
        _COUNTRY_WORDING, facts.message, re.IGNORECASE
    )
    advice = (
        _clip(facts.remedy, MAX_MESSAGE_CHARS)
        if facts.remedy
        else (_COUNTRY_ADVICE if blocked else _ADVICE.get(cls)),
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
    """Say what happened, in whose words, and where."""
    words = _clip(redact(facts.message), MAX_MESSAGE_CHARS)
    who = f"[{_clip(facts.provider_name)}] " if facts.provider_name else ""
    labels = (
        f"HTTP {status}" if status is not None else None,
        facts.error_type,
        None if facts.code in (status, None) else f"code {facts.code}",
        generation_id,
    )
    where = ", ".join(_clip(label) for label in labels if label)
    return f"{who}{words} ({where})" if where else f"{who}{words}"
