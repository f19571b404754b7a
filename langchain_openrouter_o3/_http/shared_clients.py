"""httpx clients that all models share: no cookies, one TLS context, proxies of the environment.

The variables are read as urllib reads them (system settings included, where there are any), and
`NO_PROXY` may also hold IP addresses and networks of both versions. httpx reads all variables at
once and fails on those that do not concern the server at all.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx
from typing_extensions import override

from langchain_openrouter_o3._http.transport import AsyncStackTransport, StackTransport
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.errors.redaction import without_frames

MAX_PORT = 65_535
MAX_LABEL = 63
"""Characters between two dots of a host name (RFC 1035, section 2.3.4)."""

# An address or a network; in brackets, or of version 4, with a port, too.
_ENTRY = re.compile(r"(?:\[(?P<six>[^]]+)\]|(?P<host>[^:]+|.*:.*:.*))(?::(?P<port>[0-9]{1,5}))?")


class EnvironmentProxy(NamedTuple):
    """A proxy, and what named it.

    Attributes:
        proxy: As httpx takes it.
        variable: Of the environment.
    """

    proxy: httpx.Proxy
    variable: str

    def __repr__(self) -> str:
        """Leave out the credentials that a proxy's URL may carry."""
        return f"{self.address} ({self.variable})"

    @property
    def address(self) -> str:
        """Where the proxy is, without credentials."""
        url = self.proxy.url
        return f"{url.scheme}://{url.netloc.decode('ascii')}"


def find_proxy(url: httpx.URL) -> EnvironmentProxy | None:
    """Return the proxy that the environment has for a URL, if any.

    Raises:
        OpenRouterInputError: There is one, and it cannot be used; the text names the variable.
    """
    variable, proxy = _read_environment(url)
    if variable is None:
        return None
    if proxy is None or not _is_address(proxy.url):
        raise OpenRouterInputError(
            f"The environment variable {variable} does not name a proxy that can be used; write "
            "http://host:port, https://host:port or socks5://host:port, or exempt "
            f"{url.host} with NO_PROXY."
        )
    if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise OpenRouterInputError(
            f"The environment variable {variable} names a SOCKS proxy, which needs the package "
            f"socksio: pip install 'httpx[socks]', or exempt {url.host} with NO_PROXY."
        )
    return EnvironmentProxy(proxy, variable)


def _read_environment(url: httpx.URL) -> tuple[str | None, httpx.Proxy | None]:
    """Return the variable that applies and its proxy, None where there is none.

    It raises nothing: a variable may hold a password, which frames would show.
    """
    proxies = getproxies()
    scheme = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(scheme)
    if not address or _is_exempt(url, proxies.get("no", "")):
        return None, None
    address = address if "://" in address else f"http://{address}"
    if address.startswith("socks://"):  # as desktops write it, which mean version 5
        address = address.replace("socks://", "socks5://", 1)
    variable = f"{scheme.upper()}_PROXY"
    try:
        return variable, httpx.Proxy(address)
    except (httpx.InvalidURL, ValueError):
        return variable, None


def _is_address(url: httpx.URL) -> bool:
    """Whether a URL has a host and a port that sockets and resolvers take."""
    try:
        labels = url.host.removesuffix(".").split(".")
    except UnicodeError:  # not what "xn--" announces
        return False
    is_host = all(0 < len(label) <= MAX_LABEL for label in labels)
    return is_host and (url.port is None or 0 < url.port <= MAX_PORT)


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    entries = [entry.strip() for entry in no_proxy.split(",")]
    if "*" in entries:
        return True
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        return bool(proxy_bypass(f"{url.host}:{port}"))
    return any(_holds(entry, address, port) for entry in entries)


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
    """Whether an entry of `NO_PROXY` is this address, or a network around it."""
    found = _ENTRY.fullmatch(entry)
    if found is None or (found["port"] and int(found["port"]) != port):
        return False
    try:
        return address in ipaddress.ip_network(found["six"] or found["host"], strict=False)
    except ValueError:
        return False  # a name


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


class SharedClient(_WithoutCookies, httpx.Client):  # type: ignore[override] # cookies are not kept
    """A blocking client for one origin.

    Attributes:
        proxy: Of the environment, if one applies.
    """

    def __init__(self, origin: str) -> None:
        """Read the environment; nothing is opened before the first request.

        Raises:
            OpenRouterInputError: A variable of the environment cannot be used.
        """
        self.proxy, context = _route(origin)
        self._own_transport = StackTransport(context, self.proxy.proxy if self.proxy else None)
        super().__init__(transport=self._own_transport, trust_env=False, auth=_NO_AUTH)
        self.headers.clear()  # each request brings all of its own

    @override
    def close(self) -> None:
        """Close all connections; a request that comes later gets one for itself alone."""
        self._own_transport.close()

    def close_idle(self) -> None:
        """Close the idle connections, and keep no more of them."""
        self._own_transport.close_idle()


class SharedAsyncClient(_WithoutCookies, httpx.AsyncClient):  # type: ignore[override] # same
    """The same for one origin on one event loop."""

    def __init__(self, origin: str) -> None:
        self.proxy, context = _route(origin)
        self._own_transport = AsyncStackTransport(context, self.proxy.proxy if self.proxy else None)
        super().__init__(transport=self._own_transport, trust_env=False, auth=_NO_AUTH)
        self.headers.clear()  # each request brings all of its own

    @override
    async def aclose(self) -> None:
        await self._own_transport.aclose()


def _route(origin: str) -> tuple[EnvironmentProxy | None, ssl.SSLContext]:
    url = parse_url(origin)
    proxy = find_proxy(url)
    schemes = {url.scheme, proxy.proxy.url.scheme if proxy is not None else None}
    return proxy, tls_context() if "https" in schemes else _empty_context()


@lru_cache(maxsize=64)
def origin_of(base_url: str) -> str:
    """Return the scheme, the host and the port of a base URL, on which its connections depend.

    Raises:
        OpenRouterInputError: httpx cannot use it.
    """
    url = parse_url(base_url)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


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
            read, or `SSLKEYLOGFILE` what cannot be written.
    """
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    try:
        if named == ["SSL_CERT_DIR"]:
            next(Path(os.environ["SSL_CERT_DIR"]).iterdir(), None)  # OpenSSL takes any name
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        if error.filename and error.filename == os.environ.get("SSLKEYLOGFILE"):
            raise OpenRouterInputError(
                "The environment variable SSLKEYLOGFILE does not name a file that can be written "
                f"({error}); correct it, or remove the variable."
            ) from error
        source = f"environment variable {' or '.join(named)}" if named else "package certifi"
        raise OpenRouterInputError(
            f"The {source} does not name certificates that can be read ({error}); correct it, or "
            "set SSL_CERT_FILE to a file of certificates."
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=1)
def _empty_context() -> ssl.SSLContext:
    """Build the context of plain HTTP, which httpx demands and never uses."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
