"""Reading the body of an error: whose words, which code.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._redaction import MAX_DEPTH, redact

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SECONDS = 10.0**9
MAX_MODELS = 20

_HOPELESS = ("no_endpoints", "constraint_filtered")
_STATUS_OF_WORD = {
    # Codes were numbers in every recorded error; words are reported second-hand
    # (https://github.com/Aider-AI/aider/issues/3550), so the known ones keep their meaning.
    "bad_request": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "not_found_error": 404,
    "timeout": 408,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "internal_server_error": 500,
    "bad_gateway": 502,
    "overloaded_error": 503,
    "service_unavailable": 503,
}


class Failure(NamedTuple):
    """What an error body says.

    Attributes:
        message: OpenRouter's words and the provider's, which are mostly the useful ones.
        code: As it came, a number or a word.
        status: The HTTP status that the code stands for.
        error_type: OpenRouter's canonical type.
        provider_name: Who failed behind OpenRouter.
        flagged: Whether moderation speaks.
        retry_after: Seconds that the body asks to wait.
        retryable: The server's verdict (`error.availability.retryable`).
        remedy: What the server advises to do.
        fallback_models: Models that the server offers instead.
    """

    message: str
    code: int | str | None
    status: int | None
    error_type: str | None
    provider_name: str | None
    flagged: bool
    retry_after: float | None
    retryable: bool | None
    remedy: str | None
    fallback_models: list[str]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if is_object(value) else {}


def _seconds(value: Any) -> float | None:
    sensible = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if sensible and 0 <= value < MAX_SECONDS else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def read_failure(payload: Any) -> Failure:
    """Read an error: a body with `error`, the inner object, or bare text under `error`."""
    outer = _mapping(payload)
    inner = outer.get("error", outer)
    error = _mapping(inner)
    metadata = _mapping(error.get("metadata"))
    own = _text(error.get("message")) or _text(inner) or _upstream_words(outer.get("detail"))
    upstream = _upstream_words(metadata.get("raw"))
    code = error.get("code")
    code = code if isinstance(code, (int, str)) and not isinstance(code, bool) else None
    availability = _mapping(error.get("availability"))
    reasons = metadata.get("reasons")
    own += _constraints(error, availability, metadata)
    retryable = _retryable(availability, metadata)
    waits = (availability.get("retry_after"), metadata.get("retry_after_seconds"))
    return Failure(
        message=_join_words(own, upstream, reasons),
        code=code,
        status=_status_of(code),
        error_type=_text(metadata.get("error_type")) or _text(error.get("error_type")),
        provider_name=_text(metadata.get("provider_name")),
        flagged=is_array(reasons) or "flagged_input" in metadata,
        retry_after=next((wait for wait in map(_seconds, waits) if wait is not None), None),
        retryable=retryable,
        remedy=_text(metadata.get("remedy_hint")),
        fallback_models=_slugs(availability.get("fallback_models")),
    )


def _slugs(value: Any) -> list[str]:
    """Read a list of models, each a slug or an object with an `id`."""
    items = value if is_array(value) else ()
    found = (_text(item.get("id") if is_object(item) else item) for item in items)
    return [slug for slug in found if slug][:MAX_MODELS]


def _retryable(*places: Mapping[str, Any]) -> bool | None:
    """Read the server's verdict; no endpoint for these constraints is none tomorrow either."""
    for place in places:
        if isinstance(place.get("retryable"), bool):
            return bool(place["retryable"])
        if any(place.get(key) in _HOPELESS for key in ("reason", "error_type")):
            return False
    return None


def _constraints(*places: Mapping[str, Any]) -> str:
    """Say which wishes left no endpoint; a routing error looks like a model's otherwise."""
    named = {
        key: place[key]
        for place in places
        for key in ("excluded_by", "constraint")
        if place.get(key)
    }
    return f" ({', '.join(f'{key}: {value}' for key, value in named.items())})" if named else ""


def _status_of(code: int | str | None) -> int | None:
    if isinstance(code, str):
        return int(code) if code.isdecimal() and len(code) == 3 else _STATUS_OF_WORD.get(code)  # noqa: PLR2004
    return code


def _upstream_words(raw: Any, depth: int = 0) -> str:
    """Find the provider's own sentence in `metadata.raw`: a JSON string, plain text or an object.

    The useful text is there; OpenRouter's `message` is mostly "Provider returned error".
    """
    if depth > MAX_DEPTH:
        return ""
    if isinstance(raw, str):
        nested = _parse_nested(raw)
        return raw.strip() if nested is None else _upstream_words(nested, depth + 1)
    if is_array(raw):
        return _upstream_words(raw[0], depth + 1) if raw else ""
    found = _mapping(raw)
    for key in ("error", "message", "detail", "msg"):
        value = found.get(key)
        if is_object(value) or _text(value):
            return _upstream_words(value, depth + 1)
    return json.dumps(redact(raw), ensure_ascii=False) if found else ""


def _parse_nested(text: str) -> Any:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if is_object(parsed) or is_array(parsed) else None


def _join_words(own: str, upstream: str, reasons: Any) -> str:
    words = own.strip()
    if upstream and upstream not in words:
        generic = not words or words == "Provider returned error"
        words = upstream if generic else f"{words}: {upstream}"
    if is_array(reasons) and reasons:
        words = f"{words} (reasons: {', '.join(map(str, reasons))})"
    return words or "OpenRouter reported an error without a message"
