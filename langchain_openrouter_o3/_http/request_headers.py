"""The headers of a request: built, checked, and in an object that shows none of their values.

Whoever shows the local variables of frames opens dictionaries and sequences, and prints all else
by its `repr`. So headers travel in something that is neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.redaction import conceal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from langchain_openrouter_o3.errors import OpenRouterError

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HEADER_VALUE = re.compile(r"(?!\s)[\x20-\x7e\t\x80-\xff]*(?<!\s)")

_CREDENTIALS = "auth|cookie|credential|key|password|secret|token"
"""Parts of names of headers that prove who asks; in others an answer has its own words."""

HARMLESS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
"""Headers that hold no secret whoever writes them."""


class RequestHeaders:
    """Names in lower case and their values."""

    __slots__ = ("_harmless", "_values")

    def __init__(self, values: Mapping[str, str], harmless: Collection[str] = HARMLESS) -> None:
        """Copy them.

        Args:
            values: By their names in lower case.
            harmless: Names of those that hold no secret.
        """
        self._values = dict(values)
        self._harmless = harmless

    def get(self, name: str, default: str = "") -> str:
        """Return the value of a header."""
        return self._values.get(name, default)

    def raw(self) -> list[tuple[bytes, bytes]]:
        """Return names and values as bytes, because a header may hold Latin-1."""
        return [(name.encode(), value.encode("latin-1")) for name, value in self._values.items()]

    def conceal_in(self, error: OpenRouterError) -> None:
        """Take the key, and every value that is not known as harmless, out of an error."""
        for secret in self._secrets():
            error.conceal(secret)

    def conceal(self, data: Any) -> Any:
        """Return JSON-like data of a good answer without the values that are credentials."""
        for secret in self._secrets(_CREDENTIALS):
            data = conceal(data, secret)
        return data

    def _secrets(self, names: str = "") -> Iterator[str]:
        """Give the values that may be secret, and what stands behind `Bearer`, `Basic` and so on.

        Args:
            names: Pattern of the headers' names.
        """
        for name, value in self._values.items():
            if name not in self._harmless and re.search(names, name):
                yield from (value, value.partition(" ")[2].strip())

    def __repr__(self) -> str:
        """Tell the names alone."""
        return f"RequestHeaders({', '.join(self._values)})"


def build_headers(
    api_key: str | None,
    declared: Mapping[str, str],
    extra: Mapping[str, str],
    *,
    stream: bool,
) -> dict[str, str]:
    """Build the request headers; the caller's own win, whatever their case.

    Args:
        api_key: The key, if there is one.
        declared: What arguments say in headers; names in lower case.
        extra: The caller's headers.
        stream: Whether the answer is to be streamed.
    """
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": f"langchain-openrouter-o3/{__version__}",
    }
    if api_key is not None:
        headers["authorization"] = f"Bearer {api_key}"
    return {**headers, **declared} | {name.lower(): value for name, value in extra.items()}


def check_headers(headers: Mapping[Any, Any], argument: str) -> None:
    """Refuse headers that HTTP cannot carry, injected line breaks, and framing headers.

    A wrong length would make what is left of a request the beginning of somebody else's.

    Raises:
        OpenRouterInputError: A name or value is not a header's; the value is not repeated.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise OpenRouterInputError(f"{argument}: {name!r} is not a header name.")
        if name.lower() in _FRAMING_HEADERS:
            raise OpenRouterInputError(
                f"{argument}: {name!r} frames the request or its connection, which is the "
                "transport's to do; leave it out."
            )
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise OpenRouterInputError(
                f"{argument}: the value of {name!r} is not text that a header can carry."
            )
