"""httpx clients that all models share: no cookies, one TLS context, proxies of the environment."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from pathlib import Path

import httpx
from typing_extensions import override

from langchain_openrouter_o3._http.frames import without_frames
from langchain_openrouter_o3._http.proxies import EnvironmentProxy, find_proxy
from langchain_openrouter_o3._http.transport import AsyncStackTransport, StackTransport
from langchain_openrouter_o3.errors import OpenRouterInputError


class _NoCookies(httpx.Cookies):
    """Keeps nothing: models of several tenants share a client."""

    @override
    def extract_cookies(self, response: httpx.Response) -> None:
        """Ignore what the server sets."""


_NO_COOKIES = _NoCookies()
_NO_AUTH = httpx.Auth()  # without it, httpx looks for credentials in the URL of each request


class _WithoutCookies:
    """The part of both clients that keeps them from having a jar."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, ever."""
        return _NO_COOKIES


class SharedClient(_WithoutCookies, httpx.Client):  # type: ignore[override] # nobody sets cookies
    """A blocking client for one base URL.

    Attributes:
        proxy: Of the environment, if one applies.
    """

    def __init__(self, base_url: str) -> None:
        """Read the environment; nothing is opened before the first request.

        Raises:
            OpenRouterInputError: `base_url` or a variable of the environment cannot be used.
        """
        self.proxy, context = _route(base_url)
        self._own_transport = StackTransport(context, self.proxy.proxy if self.proxy else None)
        super().__init__(transport=self._own_transport, trust_env=False, auth=_NO_AUTH)
        self.headers.clear()  # each request brings all of its own

    @override
    def close(self) -> None:
        """Close all connections; a request that comes later gets one for itself alone."""
        self._own_transport.close()

    def close_idle(self) -> None:
        """Close the connections that nobody reads from, and keep no more."""
        self._own_transport.close_idle()


class SharedAsyncClient(_WithoutCookies, httpx.AsyncClient):  # type: ignore[override] # same
    """The same for one base URL on one event loop."""

    def __init__(self, base_url: str) -> None:
        """See `SharedClient`."""
        self.proxy, context = _route(base_url)
        self._own_transport = AsyncStackTransport(context, self.proxy.proxy if self.proxy else None)
        super().__init__(transport=self._own_transport, trust_env=False, auth=_NO_AUTH)
        self.headers.clear()  # each request brings all of its own

    @override
    async def aclose(self) -> None:
        """See `SharedClient.close`."""
        await self._own_transport.aclose()


def _route(base_url: str) -> tuple[EnvironmentProxy | None, ssl.SSLContext]:
    url = parse_url(base_url)
    proxy = find_proxy(url)
    schemes = {url.scheme, proxy.proxy.url.scheme if proxy is not None else None}
    return proxy, tls_context() if "https" in schemes else _empty_context()


def parse_url(base_url: str) -> httpx.URL:
    """Parse a base URL as httpx does.

    Raises:
        OpenRouterInputError: httpx cannot use it.
    """
    try:
        url = httpx.URL(base_url)
        _ = url.host  # decoded only now
    except (httpx.InvalidURL, UnicodeError) as error:
        raise OpenRouterInputError(f"base_url is not usable: {error}") from without_frames(error)
    return url


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Build the one TLS context that all clients share; loading the certificates is slow.

    Raises:
        OpenRouterInputError: `SSL_CERT_FILE`, `SSL_CERT_DIR` or certifi names what cannot be
            read.
    """
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    try:
        if named == ["SSL_CERT_DIR"]:
            next(Path(os.environ["SSL_CERT_DIR"]).iterdir(), None)  # OpenSSL takes any name
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        source = f"environment variable {' or '.join(named)}" if named else "package certifi"
        raise OpenRouterInputError(
            f"The {source} does not name certificates that can be read ({error}); correct it, or "
            "set SSL_CERT_FILE to a file of certificates."
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=1)
def _empty_context() -> ssl.SSLContext:
    """Build the context of plain HTTP: httpx wants one, and nobody uses it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
