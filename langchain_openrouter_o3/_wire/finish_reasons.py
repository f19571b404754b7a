"""Why an answer ended: OpenRouter's finish reason, and the provider's own (native) one."""

from __future__ import annotations

# What Python, JavaScript and others write for null when they write a text.
_ABSENT = frozenset({"", "null", "none", "undefined"})

# A tool call cut by max_tokens says finish_reason "tool_calls"; only the native one tells.
_TRUNCATED = frozenset({"length", "max_output_tokens", "max_tokens", "MAX_TOKENS"})
_FAILED = ("error", "fail", "malformed")


def known_reason(text: str) -> str | None:
    """Return a finish reason, or None if its text only says that there is none."""
    return None if text.lower() in _ABSENT else text


def is_truncated(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether these finish reasons mean that a token limit cut the answer."""
    return finish_reason in _TRUNCATED or native_finish_reason in _TRUNCATED


def is_failure(native_finish_reason: str | None) -> bool:
    """Say whether the provider's own finish reason means that it failed."""
    reason = (native_finish_reason or "").lower()
    return any(word in reason for word in _FAILED)
