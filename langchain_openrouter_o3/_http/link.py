"""Links: what carries out the steps of one exchange, blocking or on an event loop."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

import anyio
import httpcore
import httpx

from langchain_openrouter_o3._http.exchange import Reply, Send, Sleep, TransportFailure
from langchain_openrouter_o3._http.watchdog import socket_of
from langchain_openrouter_o3.errors import (
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
    OpenRouterTimeoutError,
)

if TYPE_CHECKING:
    from weakref import WeakSet

    from langchain_openrouter_o3._http.channel import AsyncChannel, AsyncOpened, Channel, Opened
    from langchain_openrouter_o3._http.exchange import Act, Answer, Receive
    from langchain_openrouter_o3._http.watchdog import Watchdog

TransportError = (
    httpx.HTTPError
    | httpx.InvalidURL
    | httpx.StreamError
    | httpcore.TimeoutException
    | httpcore.NetworkError
    | httpcore.ProtocolError
    | httpcore.ProxyError
    | httpcore.UnsupportedProtocol
)
TRANSPORT_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.ProxyError,
)


class SyncLink:
    """Carries out the steps of one exchange with blocking I/O."""

    def __init__(
        self,
        channel: Channel,
        timeout: httpx.Timeout,
        watchdog: Watchdog,
        under_way: WeakSet[SyncLink],
    ) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            channel: Sends requests.
            timeout: For each phase of a request.
            watchdog: Ends reads that take longer than a step allows.
            under_way: Links with an open connection enter themselves here.
        """
        self._channel = channel
        self._timeout = timeout
        self._watchdog = watchdog
        self._under_way = under_way
        self._opened: Opened | None = None
        self._process = os.getpid()
        self.thread = threading.get_ident()
        """The thread that used it last."""

    def perform(self, step: Act) -> Answer:
        """Do what the step says; transport errors are returned, not raised.

        Raises:
            OpenRouterInputError: The exchange began in another process.
        """
        self.thread = threading.get_ident()
        if self._process != os.getpid():
            raise OpenRouterInputError(
                "This stream was opened before a fork, and is the parent process's to read; ask "
                "again in the child."
            )
        if isinstance(step, Sleep):
            self.close()
            time.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Send):
                self._under_way.add(self)
                timeout = _shorten(self._timeout, step.limit)
                self._opened = self._channel.open(step.request, timeout)
                return Reply(self._opened.status, self._opened.headers)
            assert self._opened is not None  # noqa: S101 - a flow sends before it receives
            if step.limit is None:
                return self._opened.read()
            with self._end_read_after(self._opened, step.limit):
                return self._opened.read()
        except TRANSPORT_ERRORS as error:
            return transport_failure(error)

    def close(self) -> None:
        """Let go of the connection."""
        opened, self._opened = self._opened, None
        self._under_way.discard(self)
        if opened is not None:
            opened.close()

    def _end_read_after(
        self, opened: Opened, seconds: float
    ) -> contextlib.AbstractContextManager[None]:
        connection = socket_of(opened.extensions)
        if connection is None:
            return contextlib.nullcontext()
        return self._watchdog.watch(connection, seconds)


class AsyncLink:
    """Carries out the steps of one exchange on the running event loop."""

    def __init__(self, channel: AsyncChannel, timeout: httpx.Timeout) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            channel: Sends requests.
            timeout: For each phase of a request.
        """
        self._channel = channel
        self._timeout = timeout
        self._opened: AsyncOpened | None = None

    async def perform(self, step: Act) -> Answer:
        """Do what the step says; transport errors are returned, not raised."""
        if isinstance(step, Sleep):
            await self.close()
            await anyio.sleep(step.seconds)
            return None
        try:
            if step.limit is None:
                return await self._carry_out(step)
            with anyio.fail_after(step.limit):
                return await self._carry_out(step)
        except TRANSPORT_ERRORS as error:
            return transport_failure(error)
        except TimeoutError as error:
            return _failure(OpenRouterTimeoutError("Timed out."), error)

    async def close(self) -> None:
        """Let go of the connection, also when the task is being cancelled."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with anyio.CancelScope(shield=True):
                await opened.close()

    async def _carry_out(self, step: Send | Receive) -> Answer:
        if isinstance(step, Send):
            self._opened = await self._channel.open(step.request, self._timeout)
            return Reply(self._opened.status, self._opened.headers)
        assert self._opened is not None  # noqa: S101 - a flow sends before it receives
        return await self._opened.read()


def _shorten(timeout: httpx.Timeout, limit: float | None) -> httpx.Timeout:
    """Let no phase of a request (connect, write, read, wait for a connection) exceed a limit."""
    if limit is None:
        return timeout
    phases = {
        name: limit if seconds is None else min(seconds, limit)
        for name, seconds in timeout.as_dict().items()
    }
    return httpx.Timeout(**phases)


def transport_failure(error: TransportError) -> TransportFailure:
    """Translate an error of the lower layers; the most specific class wins."""
    words = str(error) or type(error).__name__
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        raise OpenRouterInputError(f"base_url is not usable: {words}") from error
    if isinstance(error, (httpx.LocalProtocolError, httpcore.LocalProtocolError)):
        # Its text may quote a header's value, so it is neither repeated nor chained.
        raise OpenRouterInputError(
            "A header set by default_headers or extra_headers cannot be sent over HTTP."
        ) from None
    unsent = isinstance(error, _UNSENT)
    if isinstance(error, (httpx.TimeoutException, httpcore.TimeoutException)):
        kind = type(error).__name__.removesuffix("Timeout").lower()
        text = f"Timed out ({kind} time-out); set timeout= to wait longer."
        return _failure(OpenRouterTimeoutError(text), error, unsent=unsent)
    if isinstance(error, httpx.DecodingError):
        text = f"Malformed answer: broken compression: {words}"
        return _failure(OpenRouterMalformedResponseError(text), error)
    text = f"Cannot connect: {words}" if unsent else f"The connection was lost: {words}"
    return _failure(OpenRouterConnectionError(text), error, unsent=unsent)


def _failure(
    error: OpenRouterConnectionError | OpenRouterTimeoutError | OpenRouterMalformedResponseError,
    cause: BaseException,
    *,
    unsent: bool = False,
) -> TransportFailure:
    error.__cause__ = cause
    return TransportFailure(error, unsent)
