"""What errors do not repeat: secrets, ids of accounts, and the frames that hold them.

The frames below a request hold its raw head, and in the head is the key; those that read an answer
hold what a gateway echoes. Whoever shows the local variables of frames (Sentry does by default,
rich and `traceback` on demand) would show them. So errors leave the frames below the flow of a
request behind; class, text and chain stay.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from langchain_openrouter_o3._json import is_array, is_object, writable

MAX_DEPTH = 64
"""Levels that are read; a hostile body must not exhaust the stack."""

ELLIPSIS = "…"
"""Where a long text was clipped, or data that are nested too deep."""

_MIN_BEGINNING = 8
_MIN_SECRET = 12
# Compiled by `re` at the first error, so that importing the package stays fast.
# No part looks ahead over what another one begins with: a hostile text would take a day.
_KEY = (
    r"(?P<key>\b(?:sk-|gsk_|hf_|ghp_|github_pat_|xai-|nvapi-|pplx-|fw_|r8_|AIza|AKIA|eyJ)"
    r"[\w*-]*(?:(?:\.+|…)[\w*-]+)*)"
    r"|\b(?i:bearer)\s+(?=[^\s\"']*[0-9]|[A-Za-z._]{20})[^\s\"']+"
)
_ID_OR_KEY = (
    rf"{_KEY}|\bproj_[A-Za-z0-9]{{6,}}\b"
    # OpenAI's ids, which are no words such as user-provided
    r"|\b(?:user|org|organization|proj|project)[-_]"
    r"(?:(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{6,}|[a-z]{16,})(?:-[A-Za-z0-9]+)*\b"
    r"|(?<=Team: )[0-9a-f-]{36}|(?<=API key ID: )[0-9a-f-]{36}"  # xAI names both
)
_MASKED_OR_LONG = r"[0-9*…]|\.\.|[A-Za-z0-9]{20}"
_SHORTEST_KEY = 20
# Spellings are compared by `plain_key`.
_KEY_NAMES = frozenset({"apikey", "authorization"})
_PRIVATE_NAMES = _KEY_NAMES | frozenset(
    {
        "accountid",
        "openaiorganization",
        "openaiproject",
        "organization",
        "organizationid",
        "orgid",
        "projectid",
        "teamid",
        "userid",
    }
)


def plain_key(key: str) -> str:
    """Return what spellings of one key have in common: `errorMessage`, `error_message`."""
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


def redact(value: Any) -> Any:
    """Return JSON-like data without user ids, organisation ids and keys, at any depth."""
    return _without(value, _ID_OR_KEY, _PRIVATE_NAMES)


def redact_keys(value: Any) -> Any:
    """Return JSON-like data without keys; ids are an ordinary part of an answer."""
    return _without(value, _KEY, _KEY_NAMES)


def _without(value: Any, pattern: str, names: frozenset[str], depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return ELLIPSIS
    if isinstance(value, str):
        return re.sub(pattern, _redacted, value)
    if is_object(value):
        return {
            re.sub(pattern, _redacted, key): _without(item, pattern, names, depth + 1)
            for key, item in value.items()
            if plain_key(key) not in names
        }
    if is_array(value):
        return [_without(item, pattern, names, depth + 1) for item in value]
    return writable(value)


def _redacted(found: re.Match[str]) -> str:
    return "[redacted]" if found["key"] is None or _is_key(found["key"]) else found[0]


def _is_key(token: str) -> bool:
    """Tell a key from words such as sk-estimators by its digits, its mask or its length."""
    if token.startswith("sk-"):
        return re.search(_MASKED_OR_LONG, token) is not None
    is_long = len(token) >= _SHORTEST_KEY
    if token.startswith("eyJ"):
        return is_long and token.count(".") > 1  # a JSON web token has three parts
    return is_long and any(map(str.isdigit, token))


def conceal(value: Any, secret: str, depth: int = 0) -> Any:
    """Return JSON-like data in which a secret is nowhere written, however a gateway echoes it.

    Stand-ins such as "test" are left: they are no secrets, and stand inside other words.
    """
    if len(secret) < _MIN_SECRET:
        return value
    if isinstance(value, str):
        return _without_beginning(value.replace(secret, "[redacted]"), secret)
    if depth > MAX_DEPTH:
        return ELLIPSIS
    if is_object(value):
        return {
            conceal(key, secret): conceal(item, secret, depth + 1) for key, item in value.items()
        }
    if is_array(value):
        return [conceal(item, secret, depth + 1) for item in value]
    return value


def _without_beginning(text: str, secret: str) -> str:
    """Take out the beginning of a secret that was clipped in its middle."""
    *clipped, last = text.split(ELLIPSIS)
    for number, part in enumerate(clipped):
        at = part.rfind(secret[:_MIN_BEGINNING])
        if at >= 0 and secret.startswith(part[at:]):
            clipped[number] = f"{part[:at]}[redacted]"
    return ELLIPSIS.join([*clipped, last])


E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """Take the frames out of an error and of all that led to it; see the module."""
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            found += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return error
