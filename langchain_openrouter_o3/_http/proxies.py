"""Which proxy of the environment applies to a server.

The variables are read as urllib reads them (system settings included, where there are any), and
`NO_PROXY` may also hold IP addresses and networks of both versions. httpx reads all variables at
once and fails on those that do not concern the server at all.
"""

from __future__ import annotations

import ipaddress
import re
from importlib.util import find_spec
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from langchain_openrouter_o3.errors import OpenRouterInputError

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
