"""Keeping keys and account ids out of recordings.

Headers are kept only if they are on a list. Everything else that is written down, bodies, URLs and
the values of those headers, is searched for credentials. Each is overwritten with zeros of the same
length, so that neither the places where a body was cut nor any length that it states is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from langchain_openrouter_o3.emulator.json_value import compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_openrouter_o3.emulator.json_value import Json

_REQUEST_HEADERS = frozenset({"accept", "content-type", "http-referer", "x-title"})
_RESPONSE_HEADERS = frozenset(
    {
        "cache-control",
        "content-type",
        "location",
        "retry-after",
        "retry-after-ms",
        "x-generation-id",
        "x-provider-name",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-should-retry",
    }
)
_OPENROUTER = "x-openrouter-"
_CREDENTIAL_HEADERS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie")

# A shorter key cannot be told from a word, and nobody's real key is that short.
_SHORTEST_SECRET = 8
# A model that spells a key out in small pieces leaves its random part whole.
_SHORTEST_FRAGMENT = 16

# Where a word begins: not inside another one, but right after an escape of JSON or of a URL, too.
_START = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
# Errors show keys with their middle left out.
_LEFT_OUT = rb"(?:\.{2,}|\*+|\xe2\x80\xa6)"
_KEY = rb"[A-Za-z0-9_*-]+(?:" + _LEFT_OUT + rb"[A-Za-z0-9_*-]+)*"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"(sk-or-v[0-9]+-)" + _KEY,
        _START + rb"(sk-(?:or|proj|ant|svcacct|admin)-)" + _KEY,
        _START + rb"(sk-)(?=[A-Za-z0-9_*.-]{8})" + _KEY,
        _START + rb"(xai-|gsk_|hf_|ghp_|github_pat_|(?-i:AIza|AKIA))[A-Za-z0-9_-]{16,}",
        _START + rb"(xai-|gsk_|hf_|(?-i:AIza))[A-Za-z0-9_-]*" + _LEFT_OUT + rb"[A-Za-z0-9_-]+",
        _START + rb"((?-i:eyJ))[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        # The digit tells a token or an id from a word: `user_preferences` stays.
        rb"((?:bearer|basic)(?: |%20|\+))(?=[a-z_.~+/*-]*[0-9])[a-z0-9_.~+/*-]{8,}=*",
        rb"((?:user|org)[_-])(?:[A-Za-z0-9]{20,}|(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,})",
    )
)


def looks_like_key(text: str) -> bool:
    """Whether a text is shaped like a key of OpenRouter or of a provider."""
    return Scrubber(()).text(text) != text


def credentials_of(headers: Mapping[str, str]) -> list[str]:
    """Return the credentials in the headers of a request, without their scheme."""
    values = [headers[name] for name in _CREDENTIAL_HEADERS if name in headers]
    return [word for value in values for word in re.split(r"[\s;=]+", value)]


@dataclass(frozen=True)
class Scrubber:
    """Overwrites credentials with zeros.

    Attributes:
        secrets: The credentials that are known to be in use, whatever they look like.
    """

    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Do not show the secrets."""
        return f"Scrubber({len(self.secrets)} secrets)"

    def raw(self, data: bytes) -> bytes:
        """Return bytes of the same length without credentials."""
        spellings = [b"()" + re.escape(spelling) for spelling in _spellings(self.secrets)]
        known = [re.compile(spelling, re.IGNORECASE) for spelling in spellings]
        for pattern in (*known, *_PATTERNS):
            data = pattern.sub(_zeroed, data)
        return data

    def text(self, text: str) -> str:
        """Return a text without credentials."""
        return self.raw(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def json(self, value: Json) -> Json:
        """Return JSON without credentials, in names as in values."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.json(item) for name, item in value.items()}
        return value

    def request_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of a request that may be written down."""
        return self._listed(headers, _REQUEST_HEADERS)

    def response_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of a response that may be written down."""
        return self._listed(headers, _RESPONSE_HEADERS)

    def _listed(self, headers: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
        lower = {name.lower(): value for name, value in headers.items()}
        return {
            name: self.text(value)
            for name, value in lower.items()
            if name in names or name.startswith(_OPENROUTER)
        }


def _zeroed(match: re.Match[bytes]) -> bytes:
    return match[1] + re.sub(rb"[A-Za-z1-9]", b"0", match[0][len(match[1]) :])


def _spellings(secrets: Iterable[str]) -> list[bytes]:
    """Return the secrets as bodies and URLs may spell them, the longest first."""
    whole = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    parts = [part for secret in whole for part in re.split(r"[^A-Za-z0-9]+", secret)]
    texts = {*whole, *(part for part in parts if len(part) >= _SHORTEST_FRAGMENT)}
    texts |= {quote(text, safe="") for text in whole} | {compact(text)[1:-1] for text in whole}
    spellings = {text.encode("utf-8", "replace") for text in texts}
    return sorted(spellings, key=len, reverse=True)
