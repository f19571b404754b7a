"""One sentence of advice for each error, which fits its cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterContextOverflowError,
    OpenRouterCreditsError,
    OpenRouterInvalidRequestError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
    OpenRouterRefusalError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.errors.kinds import KEY_LIMIT, without_names
from langchain_openrouter_o3.profiles import nearest_slug

if TYPE_CHECKING:
    from langchain_openrouter_o3.errors import OpenRouterError
    from langchain_openrouter_o3.errors.failure import Failure

_SERVER_ERRORS = 500

_SLUG = (
    "Check the slug at https://openrouter.ai/models, and whether provider= and the parameters "
    "leave an endpoint."
)
_COUNTRY = (
    "The provider does not serve the country that the request came from: choose other providers "
    "with provider= or another model."
)
_PRIVACY = (
    "Allow it at https://openrouter.ai/settings/privacy, or choose other providers with provider="
    " or another model."
)

_BY_AVAILABILITY = {
    "wrong_endpoint": "The model does not take chat completions: choose another model.",
    "model_deprecated": "Choose another model at https://openrouter.ai/models.",
    "free_variant_ended": "Ask for the slug without :free, or for another model.",
    "privacy_restricted": _PRIVACY,
    "region_restricted": _COUNTRY,
}
"""What to do where OpenRouter says why a model cannot be served."""

_BY_WORDING: tuple[tuple[type[OpenRouterError], str, str], ...] = (
    (OpenRouterPermissionError, r"\b(country|countries|region|territory)\b", _COUNTRY),
    (
        OpenRouterCreditsError,
        KEY_LIMIT,
        "Raise the key's limit at https://openrouter.ai/settings/keys, or use another key.",
    ),
    (OpenRouterNotFoundError, r"data policy|privacy", _PRIVACY),
    (
        OpenRouterInvalidRequestError,
        r"not a valid model|model\b.*(?:does not exist|not found)",
        _SLUG,
    ),
)

_BY_CLASS: dict[type[OpenRouterError], str] = {
    OpenRouterInvalidRequestError: "Change the request; the same one will be refused again.",
    OpenRouterContextOverflowError: "Shorten the conversation (trim_messages, summarization).",
    OpenRouterAuthenticationError: "Check api_key or OPENROUTER_API_KEY.",
    OpenRouterPermissionError: (
        "Check what the key and the account allow (https://openrouter.ai/settings/privacy) and the "
        "provider's terms, or choose other providers with provider= or another model."
    ),
    OpenRouterCreditsError: (
        "Add credits at https://openrouter.ai/settings/credits, or lower max_tokens: OpenRouter "
        "reserves the price of the longest possible answer before it starts."
    ),
    OpenRouterModerationError: "Change the flagged text; the same text will be flagged again.",
    OpenRouterRefusalError: (
        "Change the request, or name fallback models with models=; the same request will be "
        "refused again."
    ),
    OpenRouterNotFoundError: _SLUG,
    OpenRouterTimeoutError: (
        "Try again, ask for less at once, or name fallback models with models=."
    ),
    OpenRouterRateLimitError: (
        "Ask less often (rate_limiter=), or name fallback models with models=."
    ),
    OpenRouterAPIError: "Try again, or name fallback models with models=.",
}


class Asked(NamedTuple):
    """What was asked for, and where.

    Attributes:
        url: Of the request.
        model: The slug.
    """

    url: str = ""
    model: str = ""


def remedy(kind: type[OpenRouterError], facts: Failure, asked: Asked, status: int | None) -> str:
    """Return the advice for an error.

    Args:
        kind: Its class.
        facts: What the body says.
        asked: What was asked for.
        status: The HTTP status, if there is one.
    """
    if facts.is_page:
        return _about_a_page(asked, status)
    advice = _by_cause(kind, facts)
    if kind is OpenRouterNotFoundError and not facts.is_openrouters:
        advice = f"Check base_url{_in_brackets(asked.url)}: OpenRouter answers otherwise. {advice}"
    near = nearest_slug(asked.model) if asked.model and advice.endswith(_SLUG) else None
    return f"Did you mean {near}? {advice}" if near else advice


def _by_cause(kind: type[OpenRouterError], facts: Failure) -> str:
    """Return the advice for what the code or the words name, else the class's own.

    A provider that refuses a request says what to change in it; nothing is added to that.
    """
    if facts.availability in _BY_AVAILABILITY:
        return _BY_AVAILABILITY[facts.availability]
    words = without_names(facts.message)
    for each, pattern, advice in _BY_WORDING:
        if kind is each and re.search(pattern, words, re.IGNORECASE):
            return advice
    if kind is OpenRouterInvalidRequestError and facts.provider_name:
        return ""
    return _BY_CLASS[kind]


def _about_a_page(asked: Asked, status: int | None) -> str:
    passing = status is not None and status >= _SERVER_ERRORS
    return (
        f"OpenRouter's API sends no web pages: {'if it goes on, ' if passing else ''}"
        f"check base_url and proxy{_in_brackets(asked.url)}."
    )


def _in_brackets(url: str) -> str:
    return f" ({url})" if url else ""
