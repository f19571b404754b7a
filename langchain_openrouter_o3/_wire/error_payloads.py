"""Building the error that an error body means: its class, its words and its advice.

One function serves an HTTP status, an error inside a 200 body (top level or in a choice) and an
error inside a stream.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._pages import without_pages
from langchain_openrouter_o3._redaction import ELLIPSIS, redact
from langchain_openrouter_o3._waits import (
    first_wait,
    reset_seconds,
    retry_after_seconds,
    wait_in_words,
)
from langchain_openrouter_o3._wire.failure import Failure, read_failure
from langchain_openrouter_o3._wire.remedies import Asked, remedy
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
"""Upstream bodies can be of any length; a message that is read stays short."""

MAX_SEARCHED_CHARS = 10_000


class Meaning(NamedTuple):
    """What a code or a wording means.

    Attributes:
        kind: The class of the error.
        status: The HTTP status that goes with it, for bodies that name none.
    """

    kind: type[OpenRouterError]
    status: int | None


class Wording(NamedTuple):
    """Words that mean something.

    Attributes:
        pattern: Of the message and the codes.
        statuses: With which it counts; None is a body that names no status.
        meaning: See `Meaning`.
    """

    pattern: str
    statuses: frozenset[int | None]
    meaning: Meaning


_INVALID = Meaning(OpenRouterInvalidRequestError, 400)
_OVERFLOW = Meaning(OpenRouterContextOverflowError, 400)
_CREDITS = Meaning(OpenRouterCreditsError, 402)
_MODERATION = Meaning(OpenRouterModerationError, 403)
_NOT_FOUND = Meaning(OpenRouterNotFoundError, 404)
_RATE_LIMIT = Meaning(OpenRouterRateLimitError, 429)

_BY_AVAILABILITY = {
    "model_not_found": _NOT_FOUND,
    "wrong_endpoint": _INVALID,
    "no_endpoints": _NOT_FOUND,
    "model_deprecated": _NOT_FOUND,
    "model_unavailable_upstream": _NOT_FOUND,
    "capacity_exhausted": _RATE_LIMIT,
    "temporarily_unavailable": Meaning(OpenRouterAPIError, 503),
    "region_restricted": Meaning(OpenRouterPermissionError, 403),
    "privacy_restricted": _NOT_FOUND,
    "constraint_filtered": _NOT_FOUND,
    "free_variant_ended": _NOT_FOUND,
}

_BY_ERROR_TYPE = {
    "context_length_exceeded": _OVERFLOW,
    "token_limit_exceeded": _CREDITS,  # a cap on credits, not the context window
    "max_tokens_exceeded": _INVALID,
    "string_too_long": _INVALID,
    "authentication": Meaning(OpenRouterAuthenticationError, 401),
    "permission_denied": Meaning(OpenRouterPermissionError, 403),
    "payment_required": _CREDITS,
    "rate_limit_exceeded": _RATE_LIMIT,
    "provider_overloaded": Meaning(OpenRouterAPIError, 503),
    "provider_unavailable": Meaning(OpenRouterAPIError, 502),
    "invalid_request": _INVALID,
    "invalid_prompt": _INVALID,
    "not_found": _NOT_FOUND,
    "precondition_failed": Meaning(OpenRouterInvalidRequestError, 412),
    "payload_too_large": Meaning(OpenRouterInvalidRequestError, 413),
    "unprocessable": Meaning(OpenRouterInvalidRequestError, 422),
    "content_policy_violation": _MODERATION,
    "refusal": Meaning(OpenRouterRefusalError, 400),
    "invalid_image": _INVALID,
    "image_too_large": _INVALID,
    "image_too_small": _INVALID,
    "unsupported_image_format": _INVALID,
    "image_not_found": _INVALID,
    "image_download_failed": _INVALID,
    "server": Meaning(OpenRouterAPIError, 500),
    "timeout": Meaning(OpenRouterTimeoutError, 504),
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

_REFUSED = frozenset({400, 413, 422, None})
_BLOCKED = frozenset({400, 403, 422, None})
_UNNUMBERED = frozenset({None})

# Patterns of errors are compiled (by `re`, once) when there is one: importing is for everybody.
# The first that fits counts. Where the status says more than words can, it decides alone.
_WORDINGS = (
    Wording(
        r"context_length_exceeded|maximum context length|context (?:window|length|limit|size)"
        r"|(?:prompt|input|conversation|messages?) (?:is|are) too (?:long|large)"
        r"|input tokens? (?:count )?exceed",
        _REFUSED,
        _OVERFLOW,
    ),
    Wording(
        r"content_filter|content_policy_violation|responsibleaipolicyviolation"
        r"|content management policy|content (?:filtering )?policy|safety system"
        r"|violat\w+ (?:\w+ )?(?:usage|content|safety) (?:guideline|polic)"
        r"|\bmoderation\b|\bflagged\b",
        _BLOCKED,
        _MODERATION,
    ),
    Wording(
        r"key limit exceeded|limit of (?:this|the|your) key|(?:spending|credit|usage) limit",
        frozenset({400, 403, None}),
        _CREDITS,
    ),
    Wording(
        r"rate.?limit|too many requests|please wait|\b(?:try again|retry) (?:in|after) \d",
        _UNNUMBERED,
        _RATE_LIMIT,
    ),
    Wording(
        # Output tokens are another matter: the remedy would be a smaller max_tokens.
        r"\A(?!.*(?:max_\w*tokens|(?:completion|output) tokens)).*"
        r"(?:too many (?:\w+ )?tokens"
        r"|(?:maximum|max|allowed) (?:allowed )?(?:number|amount) of (?:\w+ )?tokens"
        r"|tokens? (?:\w+ )?(?:exceeds?|exceeded) the (?:\S+ )?(?:maximum|limit|max)"
        r"|exceeds? the (?:\S+ )?(?:maximum|limit|max)\b.{0,40}\btokens?"
        r"|(?:input|prompt)\b.{0,60}exceeds? the (?:\S+ )?(?:maximum|limit|max)"
        r"|supports at most [\d,]+ tokens"
        r"|reduce the length of the (?:messages|prompt|input)"
        r"|(?:maximum|max) (?:input|prompt) (?:length|size|tokens))",
        _REFUSED,
        _OVERFLOW,
    ),
    Wording(
        r"insufficient.(?:credit|quota|balance|fund)|more credits|payment required"
        r"|exceeded your current quota",
        _UNNUMBERED,
        _CREDITS,
    ),
    Wording(
        r"(?:invalid|incorrect|missing|no|expired).{0,20}(?:api.?key|auth|token\b)|unauthori[sz]ed"
        r"|authentication",
        _UNNUMBERED,
        Meaning(OpenRouterAuthenticationError, 401),
    ),
    Wording(
        r"not a valid model|no endpoints found|\bmodel\b.{0,80}(?:does not exist|not found)",
        _UNNUMBERED,
        _NOT_FOUND,
    ),
    Wording(
        r"permission|forbidden|access denied", _UNNUMBERED, Meaning(OpenRouterPermissionError, 403)
    ),
    Wording(r"timed? ?out", _UNNUMBERED, Meaning(OpenRouterTimeoutError, 504)),
    Wording(
        r"overloaded|unavailable|bad gateway|upstream",
        _UNNUMBERED,
        Meaning(OpenRouterAPIError, 503),
    ),
)

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
    status = status if status is not None and status >= 400 else facts.status  # noqa: PLR2004
    meaning = _classify(status, facts)
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


def _classify(status: int | None, facts: Failure) -> Meaning:
    """Say what a failure means: by OpenRouter's own codes, then by words, then by status."""
    known = _BY_AVAILABILITY.get(facts.availability or "") or _BY_ERROR_TYPE.get(
        facts.error_type or ""
    )
    status = status if status is not None else facts.status_of_word
    if known is None:
        known = _by_words(status, facts)
    if known is not None:
        return known if status is None else known._replace(status=status)
    return Meaning(_class_of(status), status)


def _by_words(status: int | None, facts: Failure) -> Meaning | None:
    if facts.flagged and status in (400, 403, None):
        return _MODERATION
    text = f"{' '.join(facts.codes)} {facts.message}"[:MAX_SEARCHED_CHARS]
    flags = re.IGNORECASE | re.DOTALL
    fitting = (each for each in _WORDINGS if status in each.statuses)
    return next((each.meaning for each in fitting if re.search(each.pattern, text, flags)), None)


def _class_of(status: int | None) -> type[OpenRouterError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    is_refused = status is not None and 400 <= status < 500  # noqa: PLR2004
    return OpenRouterInvalidRequestError if is_refused else OpenRouterAPIError


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
