"""Which proxy of the environment applies to a server.

The variables are read as urllib reads them (system settings included, where there are any), and
`NO_PROXY` may also hold IP addresses and networks of both versions. httpx reads all variables at
once and fails on those that do not concern the server at all.
"""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from langchain_openrouter_o3.errors import OpenRouterInputError


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
    proxies = getproxies()
    scheme = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(scheme)
    if not address or _is_exempt(url, proxies.get("no", "")):
        return None
    variable = f"{scheme.upper()}_PROXY"
    address = address if "://" in address else f"http://{address}"
    if address.startswith("socks://"):  # as desktops write it, which mean version 5
        address = address.replace("socks://", "socks5://", 1)
    try:
        proxy = httpx.Proxy(address)
    except (httpx.InvalidURL, ValueError):
        proxy = None
    if proxy is None or not proxy.url.host or (proxy.url.port or 0) > 65_535:  # noqa: PLR2004
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


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    entries = [entry.strip() for entry in no_proxy.split(",")]
    if "*" in entries:
        return True
    try:
        address = ipaddress.ip_address(url.host)
    except ValueError:
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        return bool(proxy_bypass(f"{url.host}:{port}"))
    return any(_holds(entry, address) for entry in entries)


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an entry of `NO_PROXY` is this address, or a network around it."""
    host, bracket, _ = entry.removeprefix("[").partition("]")
    if not bracket and "." in host:
        host = host.partition(":")[0]  # an IPv4 address with a port
    try:
        return address in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return False  # a name
