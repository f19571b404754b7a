"""Which class an error has: by OpenRouter's own codes, by words, by status.

Source: https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

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
    from langchain_openrouter_o3.errors.failure import Failure

MAX_SEARCHED_CHARS = 10_000
"""Of a message; what matters stands at its beginning."""


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

KEY_LIMIT = (
    r"\bkey(?:'s)? (?:(?!rate\b)\w+ ){0,4}(?:limit|budget|quota)\b(?! of \d+ char)"
    r"|\b(?:limit|budget|quota) (?:of|for|on) (?:this|the|your) (?:api )?key\b"
)
"""How OpenRouter and other gateways say that a key may spend no more."""

# A name in quotes, such as that of a caller's tool, but no code and no parameter of the API.
_QUOTED = (
    r"(?i)(['\"]?\b(?:code|type|error|status|reason)['\"]?[\s:=]+)?"
    r"(['\"`])(?!(?:inputs?|prompt|messages|max_\w+)\2)[\w.:/-]+\2"
)

# A service that is down has said nothing about the input, or the key.
_NOT_DOWN = (
    r"(?!\W(?:service|server|backend|api|system|endpoint)\b"
    r"[^.(]{0,30}(?:unavailable|unreachable|overload|timed? ?out|is down|failed\W*\Z))"
)

# Patterns of errors are compiled (by `re`, once) when there is one: an import must stay fast.
# The first that fits counts. Where the status says more than words can, it decides alone.
_WORDINGS = (
    Wording(
        r"\bcontext[ _](?:window|length|limit|size)(?:_exceeded)?\b"
        r"|\b(?:prompt|input|conversation|messages?)[ _](?:(?:is|are) )?too[ _](?:long|large)\b"
        r"|input tokens? (?:count )?exceed|\binputs?`? tokens \+ |longer than the maximum"
        r"|range of input length|exceed\w* (?:the )?model(?:'s)? token limit",
        _REFUSED,
        _OVERFLOW,
    ),
    Wording(
        r"\bcontent_filter\b|\bcontent_policy_violation\b|responsibleaipolicyviolation"
        r"|content management policy|content (?:filtering )?policy|safety system"
        r"|violat\w+ (?:\w+ )?(?:usage|content|safety) (?:guideline|polic)"
        rf"|\bmoderation\b{_NOT_DOWN}|\bflagged\b",
        _BLOCKED,
        _MODERATION,
    ),
    Wording(
        rf"{KEY_LIMIT}|(?:spending|credit|usage) limit|budget (?:has been |is )?exceeded"
        r"|insufficient.(?:credit|balance|fund)|more credits",
        frozenset({400, 403, None}),
        _CREDITS,
    ),
    Wording(
        r"(?<![a-z])rate.?limit|ratelimit|too many requests|please wait"
        r"|\b(?:try again|retry) (?:in|after) \d",
        _UNNUMBERED,
        _RATE_LIMIT,
    ),
    Wording(
        # Output tokens are another matter: the remedy would be a smaller max_tokens.
        r"\A(?!.*(?:max_\w*tokens|(?:completion|output) tokens|tokens per\b)).*"
        r"(?:too many (?:\w+ )?tokens"
        r"|(?:maximum|max|allowed) (?:allowed )?(?:number|amount) of (?:\w+ )?tokens"
        r"|tokens?\b.{0,20}\b(?:exceeds?|exceeded) (?:the )?(?:\S+ )?(?:maximum|limit|max)\b"
        r"|exceeds? the (?:\S+ )?(?:maximum|limit|max)\b.{0,40}\btokens?"
        r"|(?:input|prompt)\b.{0,60}exceeds? (?:the )?(?:\S+ )?(?:maximum|limit|max)\b"
        r"|supports? (?:at most|up to|only) [\d,]+(?: tokens|\W*\Z)"
        r"|\b(?:inputs?|prompts?)`? must (?:have|be) (?:less|fewer) than [\d,]+ tokens"
        r"|reduce the length of the (?:messages|prompt|input)"
        r"|(?:maximum|max) (?:allowed )?(?:input|prompt) (?:length|size|tokens))",
        _REFUSED,
        _OVERFLOW,
    ),
    Wording(
        r"insufficient.quota|payment required|exceeded your current quota",
        _UNNUMBERED,
        _CREDITS,
    ),
    Wording(
        # A model has tokens, too: "returned no token for 30 s".
        r"(?:invalid|incorrect|missing|(?<![a-z])no(?![a-z])|expired).{0,20}"
        r"(?:api.?key|auth(?!ors?\b)"
        r"|token\b(?! (?:for|in|within|after) \d| (?:was|were) (?:gener|produc|return)))"
        rf"|unauthori[sz]ed|authentication{_NOT_DOWN}",
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


def classify(status: int | None, facts: Failure) -> Meaning:
    """Say what a failure means: by OpenRouter's own codes, then by words, then by status.

    Args:
        status: The HTTP status, or a code in the body that is one.
        facts: What the body says.
    """
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
    fitting = [each for each in _WORDINGS if status in each.statuses]
    for text in (without_names(" ".join(facts.codes)), without_names(facts.message)):
        for each in fitting:
            if re.search(each.pattern, text, re.IGNORECASE | re.DOTALL):
                return each.meaning
    return None


def without_names(text: str) -> str:
    """Return the beginning of a text, which is searched, without the names that it quotes."""
    return re.sub(_QUOTED, lambda found: found[0] if found[1] else "''", text[:MAX_SEARCHED_CHARS])


def _class_of(status: int | None) -> type[OpenRouterError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    is_refused = status is not None and 400 <= status < 500  # noqa: PLR2004 - HTTP's own numbers
    return OpenRouterInvalidRequestError if is_refused else OpenRouterAPIError
