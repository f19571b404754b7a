"""How a request goes out and its answer comes in: what links need of pools and httpx clients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping

    from langchain_openrouter_o3._http.exchange import Request


@dataclass
class Opened:
    """An answer whose head has come.

    Attributes:
        status: HTTP status.
        headers: With lower-case names.
        read: Reads the next piece of the body, decompressed; empty at its end.
        close: Lets go of the connection; a body that is not at its end is given up.
        extensions: As httpx and httpcore name them; `network_stream` leads to the socket.
    """

    status: int
    headers: Mapping[str, str]
    read: Callable[[], bytes]
    close: Callable[[], None]
    extensions: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Decompress the body if the server compressed it."""
        if self.headers.get("content-encoding", "identity") != "identity":
            stream = _Stream(self.read)
            pieces = httpx.Response(200, headers=self.headers, stream=stream).iter_bytes()
            self.read = partial(next, pieces, b"")


@dataclass
class AsyncOpened:
    """The same on an event loop, where no socket needs to be reached."""

    status: int
    headers: Mapping[str, str]
    read: Callable[[], Awaitable[bytes]]
    close: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        """Decompress the body if the server compressed it."""
        if self.headers.get("content-encoding", "identity") != "identity":
            stream = _AsyncStream(self.read)
            pieces = httpx.Response(200, headers=self.headers, stream=stream).aiter_bytes()
            self.read = partial(anext, pieces, b"")


class Channel(Protocol):
    """Something that sends requests with blocking I/O."""

    def open(self, request: Request, timeouts: httpx.Timeout) -> Opened:
        """Send a request and wait for the head of its answer."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...

    def close_idle(self) -> None:
        """Close the connections that nobody reads from."""
        ...


class AsyncChannel(Protocol):
    """Something that sends requests on an event loop."""

    async def open(self, request: Request, timeouts: httpx.Timeout) -> AsyncOpened:
        """Send a request and wait for the head of its answer."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class ClientChannel:
    """A channel through an httpx client: the caller's own, or one that knows proxies."""

    def __init__(self, client: httpx.Client) -> None:
        """Take the client; whoever made it closes it."""
        self._client = client

    def open(self, request: Request, timeouts: httpx.Timeout) -> Opened:
        """Send a request and wait for the head of its answer.

        Raises:
            httpx.HTTPError: It failed.
            OpenRouterInputError: The client is closed.
        """
        message = _build(self._client, request, timeouts)
        response = self._client.send(message, stream=True, follow_redirects=False)
        return Opened(
            response.status_code,
            _plain(response.headers),
            partial(next, response.iter_bytes(), b""),
            response.close,
            response.extensions,
        )

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def close_idle(self) -> None:
        """Close the client; httpx does not say which of its connections are idle."""
        self._client.close()


class AsyncClientChannel:
    """The same with an asynchronous client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take the client; whoever made it closes it."""
        self._client = client

    async def open(self, request: Request, timeouts: httpx.Timeout) -> AsyncOpened:
        """See `ClientChannel.open`."""
        message = _build(self._client, request, timeouts)
        response = await self._client.send(message, stream=True, follow_redirects=False)
        return AsyncOpened(
            response.status_code,
            _plain(response.headers),
            partial(anext, response.aiter_bytes(), b""),
            response.aclose,
        )

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read raw headers; the values of a repeated one are joined with a comma, as RFC 9110 says."""
    read: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        read[name] = f"{read[name]}, {value}" if name in read else value
    return read


class _Stream(httpx.SyncByteStream):
    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._read, b"")


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._read():
            yield piece


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Leave out the encoding: httpx has decompressed the body already."""
    return {name: value for name, value in headers.items() if name != "content-encoding"}


def _build(
    client: httpx.Client | httpx.AsyncClient, request: Request, timeouts: httpx.Timeout
) -> httpx.Request:
    if client.is_closed:
        raise OpenRouterInputError("http_client or http_async_client is closed; pass an open one.")
    # As bytes, because httpx writes text headers as ASCII only.
    headers = {name: value.encode("latin-1") for name, value in request.headers.items()}
    return client.build_request(
        "POST",
        request.url,
        content=request.body,
        headers={name.encode(): value for name, value in headers.items()},
        timeout=timeouts,
    )
