"""Why an answer ended: OpenRouter's finish reason, and the provider's own (native) one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3.errors.redaction import plain_key

if TYPE_CHECKING:
    from collections.abc import Mapping

# What Python, JavaScript and others write for null when they write a text.
_ABSENT = frozenset({"", "null", "none", "undefined"})

# Reasons of OpenRouter and of other servers, compared by `plain_key`. A tool call cut by max_tokens
# says finish_reason "tool_calls"; only the native one tells.
_REGULAR = frozenset(
    {
        "complete",
        "completed",
        "done",
        "end",
        "endturn",
        "eos",
        "eostoken",
        "finish",
        "finished",
        "finishreason.stop",
        "finishreasonstop",
        "functioncall",
        "stop",
        "stopsequence",
        "toolcall",
        "toolcalls",
        "tooluse",
    }
)
_TRUNCATED = ("length", "maxlen", "tokens", "tokenlimit", "contextwindow")
_FAILED = ("error", "fail", "malformed")
_CUT = (
    *_TRUNCATED,
    *_FAILED,
    "abort",
    "cancel",
    "exceed",
    "filter",
    "incomplete",
    "insufficient",
    "interrupt",
    "limit",
    "timeout",
    "truncat",
)


def reasons_of(metadata: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the finish reason and the native one of a message.

    Args:
        metadata: The `response_metadata`, where a reason that is no text stands as it came.
    """
    found = metadata.get("finish_reason"), metadata.get("native_finish_reason")
    finish, native = (reason if isinstance(reason, str) else None for reason in found)
    return finish, native


def known_reason(text: str) -> str | None:
    """Return a finish reason, or None if its text only says that there is none."""
    return None if text.strip().lower() in _ABSENT else text


def worse_reason(before: str | None, reason: str | None) -> str | None:
    """Return the reason that counts of two: that an answer was cut is not taken back."""
    if reason is None or (_says(before, _CUT) and not is_error(reason)):
        return before
    return reason


def is_regular(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether nothing was to come after what came, as far as the reasons tell.

    Providers have native reasons without number, so an unknown one says nothing; an unknown finish
    reason may mean anything.
    """
    is_known = finish_reason is None or plain_key(finish_reason.strip()) in _REGULAR
    return is_known and not _says(native_finish_reason, _CUT)


def is_truncated(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether these finish reasons mean that a token limit cut the answer."""
    return _says(finish_reason, _TRUNCATED) or _says(native_finish_reason, _TRUNCATED)


def is_error(finish_reason: str | None) -> bool:
    """Say whether a finish reason means that the answer failed."""
    return (finish_reason or "").strip().lower() == "error"


def is_filtered(finish_reason: str | None) -> bool:
    """Say whether a finish reason means that a filter cut the answer."""
    return _says(finish_reason, ("contentfilter",))


def is_failure(native_finish_reason: str | None) -> bool:
    """Say whether the provider's own finish reason means that it failed."""
    return _says(native_finish_reason, _FAILED)


def _says(reason: str | None, words: tuple[str, ...]) -> bool:
    plain = plain_key(reason or "")
    return any(word in plain for word in words)
