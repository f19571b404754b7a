"""What went wrong below HTTP, as this package's errors."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_openrouter_o3._http.steps import TransportFailure
from langchain_openrouter_o3.errors import (
    OpenRouterConnectionError,
    OpenRouterError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.errors.redaction import without_frames

if TYPE_CHECKING:
    from types import ModuleType


_CANNOT_CONNECT = "Cannot connect to {}: {}. Check base_url, the network and the proxy."
_NOT_TRUSTED = (
    "Cannot connect to {}: {}. Name a file of the certificates to trust with SSL_CERT_FILE, or "
    "give them to a client of your own (verify=)."
)
_WAS_LOST = "The connection to {} was lost: {}. Ask again; the answer may be billed all the same."
_NOT_HTTP = (
    "What {} sent is not HTTP/1.1: {}. Check base_url and what stands between here and there; the "
    "answer may be billed all the same."
)
_CORE = (
    "ConnectionNotAvailable",
    "NetworkError",
    "ProtocolError",
    "ProxyError",
    "TimeoutException",
    "UnsupportedProtocol",
)
_BELOW = {"httpcore": _CORE, "httpcore2": _CORE, "h11": ("ProtocolError",)}
"""Libraries below httpx: what they may raise, under the names that httpx itself has for it."""

_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError")
"""No connection was had, so that nothing can have been sent."""

_UNKNOWN_ISSUER = re.compile("self.signed certificate|issuer certificate")  # OpenSSL's words
_HAS_ENDED = re.compile("disconnect|closed|terminat|reset", re.IGNORECASE)  # of httpcore, h11, h2
_OTHER_LOOP = re.compile("Event loop is closed|different (event )?loop")  # asyncio's words
PHASES = ("connect", "read", "write", "pool")


class Route(NamedTuple):
    """Where a request goes.

    Attributes:
        host: With the port, if it is not the scheme's own.
        proxy: Address and variable of the proxy of the environment, if one applies.
    """

    host: str
    proxy: str | None

    def __str__(self) -> str:
        """Say it in an error's text."""
        return f"{self.host} through the proxy {self.proxy}" if self.proxy else self.host


def library_of(client: Any) -> ModuleType:
    """Return httpx, or httpx2 for a client of that library."""
    name = "httpx2" if is_httpx2(client) else "httpx"
    return sys.modules[name]


def is_httpx2(value: Any) -> bool:
    """Whether a client or a time-out is httpx2's."""
    library = sys.modules.get("httpx2")
    return library is not None and isinstance(
        value, (library.Client, library.AsyncClient, library.Timeout)
    )


def errors_of(library: ModuleType) -> tuple[type[Exception], ...]:
    """Return the classes of errors that a client of this library may raise.

    `OSError` because httpcore lets errors of TLS pass on an event loop, `UnicodeError` because
    resolvers refuse some host names by it. h11 and transports of one's own raise from below.
    """
    below = (
        getattr(sys.modules[name], kind)
        for name, kinds in _BELOW.items()
        if sys.modules.get(name) is not None
        for kind in kinds
    )
    own = (library.HTTPError, library.InvalidURL, library.StreamError)
    return (*own, OSError, UnicodeError, *below)


def refused_answer(error: Any, library: Any) -> Any:
    """Return the answer that a hook of the caller's client refused (`raise_for_status`).

    Its body is empty if the hook has not read it.

    Args:
        error: An `HTTPStatusError`; it is raised again if the answer is a success.
        library: httpx or httpx2, whose error it is.
    """
    answer = error.response
    if answer.is_success:
        raise error
    try:
        len(answer.content)
    except library.ResponseNotRead:
        answer = library.Response(answer.status_code, headers=answer.headers)
    return answer


def to_failure(error: Exception, library: Any, route: Route) -> TransportFailure:
    """Translate an error of the lower layers; the most specific class wins.

    Args:
        error: What was raised.
        library: httpx or httpx2, whose classes it may have.
        route: Where the request was going.

    Returns:
        The failure; its error is an `OpenRouterInputError` if the caller's arguments cannot be
        used. Nothing is raised here, where the words of a broken header are.
    """
    without_frames(error)
    kind = _kind_of(error, library)
    words = _words_of(error).removesuffix(".")
    if (refused := _input_error(kind, words, library)) is not None:
        return _failure(refused, error)
    if issubclass(kind, library.LocalProtocolError):
        # Its text may quote a header's value, so it is neither repeated nor chained.
        return TransportFailure(
            OpenRouterInputError(
                "A header set by default_headers, extra_headers or your own HTTP client cannot "
                "be sent over HTTP."
            )
        )
    if issubclass(kind, library.ProxyError) and words.startswith("407"):
        return proxy_refusal(route)
    unsent = issubclass(kind, tuple(getattr(library, name) for name in _UNSENT))
    if issubclass(kind, (library.TimeoutException, TimeoutError)):
        phase = kind.__name__.removesuffix("Timeout").lower()
        # Only a mock raises the class that names no phase.
        said = f"({phase} time-out)" if phase in PHASES else f"({words})"
        text = f"Timed out {said} at {route}; set timeout= to wait longer."
        return _failure(OpenRouterTimeoutError(text), error, unsent=unsent)
    if issubclass(kind, library.DecodingError):
        text = f"Malformed answer: broken compression: {words}"
        return _failure(OpenRouterMalformedResponseError(text), error)
    is_foreign = issubclass(kind, library.RemoteProtocolError) and not _HAS_ENDED.search(words)
    text = _CANNOT_CONNECT if unsent else _NOT_HTTP if is_foreign else _WAS_LOST
    return _failure(_connection_error(words, route, text), error, unsent=unsent)


def _input_error(
    kind: type[BaseException], words: str, library: Any
) -> OpenRouterInputError | None:
    if issubclass(kind, (library.InvalidURL, library.UnsupportedProtocol, UnicodeError)):
        return OpenRouterInputError(f"base_url is not usable: {words}")
    if issubclass(kind, (library.StreamClosed, library.StreamConsumed)):
        return OpenRouterInputError(
            "A hook of your HTTP client has closed the answer, or iterated over it; let it read "
            "the answer as a whole: response.read(), or await response.aread()."
        )
    return None


def _connection_error(words: str, route: Route, text: str) -> OpenRouterConnectionError:
    if _UNKNOWN_ISSUER.search(words):
        return OpenRouterConnectionError(_NOT_TRUSTED.format(route, words), retryable=False)
    return OpenRouterConnectionError(text.format(route, words))


def of_another_loop(error: Exception) -> TransportFailure | None:
    """Translate what an event loop says of connections that are not its own; None for all else."""
    if not isinstance(error, RuntimeError) or not _OTHER_LOOP.search(str(error)):
        return None
    told = OpenRouterInputError(
        "http_async_client holds connections of another event loop, or of one that is closed. Use "
        "one client for each loop, or none: the shared connections follow the loop."
    )
    return _failure(told, without_frames(error))


def _kind_of(error: Exception, library: Any) -> type[BaseException]:
    """Return the class of an error, or the client's library's that has the same name."""
    names = (
        each.__name__
        for each in type(error).__mro__
        if each.__module__.partition(".")[0] in (library.__name__, *_BELOW)
    )
    found = (getattr(library, name) for name in names if hasattr(library, name))
    return next(found, type(error))


def _words_of(error: BaseException) -> str:
    """Return the first words along the causes; some libraries raise without any."""
    each: BaseException | None = error
    while each is not None:
        if words := str(each):
            return words
        each = each.__cause__ or each.__context__
    return type(error).__name__


def proxy_refusal(route: Route) -> TransportFailure:
    """Make the failure of a request that a proxy wants credentials for (HTTP 407)."""
    return TransportFailure(
        OpenRouterConnectionError(
            f"Cannot connect to {route}: it answered 407 Proxy Authentication Required; put user "
            "and password into the proxy's URL.",
            status_code=407,
            retryable=False,
        )
    )


def _failure(
    error: OpenRouterError, cause: BaseException, *, unsent: bool = False
) -> TransportFailure:
    error.__cause__ = cause
    return TransportFailure(error, unsent)
