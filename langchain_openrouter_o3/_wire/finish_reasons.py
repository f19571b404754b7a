"""Why an answer ended: OpenRouter's finish reason, and the provider's own (native) one."""

from __future__ import annotations

# What Python, JavaScript and others write for null when they write a text.
_ABSENT = frozenset({"", "null", "none", "undefined"})

# A tool call cut by max_tokens says finish_reason "tool_calls"; only the native one tells.
_TRUNCATED = frozenset({"length", "max_output_tokens", "max_tokens"})
_FAILED = ("error", "fail", "malformed")


def known_reason(text: str) -> str | None:
    """Return a finish reason, or None if its text only says that there is none."""
    return None if text.strip().lower() in _ABSENT else text


def is_truncated(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether these finish reasons mean that a token limit cut the answer."""
    return bool({_folded(finish_reason), _folded(native_finish_reason)} & _TRUNCATED)


def is_error(finish_reason: str | None) -> bool:
    """Say whether a finish reason means that the answer failed."""
    return _folded(finish_reason) == "error"


def is_filtered(finish_reason: str | None) -> bool:
    """Say whether a finish reason means that a filter cut the answer."""
    return _folded(finish_reason) == "content_filter"


def is_failure(native_finish_reason: str | None) -> bool:
    """Say whether the provider's own finish reason means that it failed."""
    reason = _folded(native_finish_reason)
    return any(word in reason for word in _FAILED)


def _folded(reason: str | None) -> str:
    """Return a reason as OpenRouter spells it; some servers write it in capitals."""
    return (reason or "").strip().lower()
