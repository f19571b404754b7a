"""Performers: carry the steps of an exchange out through an httpx client, shared or the caller's.

Both libraries are spoken, httpx and httpx2: a request is built by the client itself, and time-outs
travel in the request's extensions, where both read them by name.
"""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from langchain_openrouter_o3._http.httpx_bodies import RequestBody, first_piece
from langchain_openrouter_o3._http.shared_clients import SharedAsyncClient, SharedClient
from langchain_openrouter_o3._http.steps import Pause, Reply, Send, Sleep, TransportFailure
from langchain_openrouter_o3._http.stream import AsyncHTTPStream, HTTPStream
from langchain_openrouter_o3._http.time_limits import StepLimit, limited
from langchain_openrouter_o3._http.transport import REUSED
from langchain_openrouter_o3._http.transport_errors import (
    Route,
    errors_of,
    library_of,
    of_another_loop,
    proxy_refusal,
    refused_answer,
    to_failure,
)
from langchain_openrouter_o3._http.watchdog import socket_of
from langchain_openrouter_o3.errors import (
    OpenRouterConnectionError,
    OpenRouterInputError,
    OpenRouterMalformedResponseError,
)
from langchain_openrouter_o3.errors.redaction import without_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from weakref import WeakSet

    from typing_extensions import Self

    from langchain_openrouter_o3._http.steps import IOStep, Receive, Request, StepResult
    from langchain_openrouter_o3._http.watchdog import Watchdog


ENCODINGS = ("gzip", "deflate")
"""What is decompressed: a piece of others may become any size at once."""

MAX_DECOMPRESSED = 64 * 1024 * 1024
"""Bytes of an answer that came compressed; more is an attack (docs/reliability.md)."""

PROXY_AUTHENTICATION_REQUIRED = 407
_USES = {True: "reused", False: "new", None: "unknown"}  # a caller's own client does not tell

logger = logging.getLogger("langchain_openrouter_o3")


class _Sending:
    """What both performers know of their client and of the answer under way."""

    def __init__(self, client: Any, timeout: Mapping[str, float | None]) -> None:
        if client.is_closed:
            raise OpenRouterInputError(
                "http_client or http_async_client is closed; pass an open one."
            )
        self._client = client
        self._timeout = timeout
        self._library = library_of(client)
        self._route = Route("", None)
        self._extensions: dict[str, Any] = {}
        self._refused: OpenRouterMalformedResponseError | None = None
        self._is_compressed = False
        self._decompressed = 0

    def _build(self, request: Request, extensions: dict[str, Any]) -> Any:
        built = self._client.build_request(
            "POST",
            parsed(self._library.URL, request.url),
            content=request.body,
            headers=request.headers.raw(),
            extensions=extensions,
        )
        if isinstance(built.stream, httpx.ByteStream):
            built.stream = RequestBody(request.body)
        self._extensions = built.extensions  # the pool notes there what it does
        proxy = getattr(self._client, "proxy", None)
        self._route = Route(built.url.netloc.decode("ascii"), repr(proxy) if proxy else None)
        return built

    def _begin_reading(self, request: Request, response: Any) -> Reply | TransportFailure:
        """Look at the head of an answer; only encodings that were asked for are decompressed."""
        if response.status_code == PROXY_AUTHENTICATION_REQUIRED:
            return proxy_refusal(self._route)
        headers = read_headers(response.headers.raw)
        encoding = headers.get("content-encoding", "identity").strip().lower()
        accepted = request.headers.get("accept-encoding").lower().split(",")
        asked = [name.partition(";")[0].strip() for name in accepted]
        self._is_compressed = encoding not in ("", "identity")
        self._decompressed = 0
        self._refused = None
        if self._is_compressed and (encoding not in asked or encoding not in ENCODINGS):
            self._refused = OpenRouterMalformedResponseError(
                f"Malformed answer: its content-encoding {encoding[:40]!r} was not asked for, or "
                f"is none of {', '.join(ENCODINGS)}."
            )
        return Reply(response.status_code, headers)

    def _check(self, piece: bytes) -> StepResult:
        """Bound what a compressed answer may become."""
        if self._is_compressed:
            self._decompressed += len(piece)
            if self._decompressed > MAX_DECOMPRESSED:
                return TransportFailure(
                    OpenRouterMalformedResponseError(
                        f"Malformed answer: more than {MAX_DECOMPRESSED} bytes after decompression."
                    )
                )
        return bytes(piece)  # no copy, but of what a transport of the caller's may give

    def fail(self, error: Exception) -> TransportFailure | None:
        """Translate an error of the client's; None for all others."""
        if isinstance(error, errors_of(self._library)):
            return to_failure(error, self._library, self._route)
        return None

    def log_request(self, request: Request, result: StepResult | str, seconds: float) -> None:
        """Log what came of a request: an answer's head, a failure, or the name of an error."""
        came = type(result.error).__name__ if isinstance(result, TransportFailure) else result
        logger.debug(
            "POST to %s: model %s, %d bytes, %s after %.3f s, %s connection",
            self._route,
            request.model,
            len(request.body),
            f"HTTP {came.status}" if isinstance(came, Reply) else came,
            seconds,
            _USES[self._extensions.get(REUSED)],
        )


class _Outcome:
    """What comes of a block that sends or receives; transport errors become its result.

    All other errors pass, but leave the frames below behind (`without_frames`).
    """

    def __init__(self, sending: _Sending, request: Request | None = None) -> None:
        """Begin.

        Args:
            sending: Whose block it is.
            request: Logged with what came of it; None for a block that receives.
        """
        self.result: StepResult = None
        self._sending = sending
        self._request = request
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Enter the block, which sets `result`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        """Translate what the block raised."""
        is_failure = False
        if isinstance(error, Exception) and (failure := self._sending.fail(error)) is not None:
            is_failure = True
            self.result = failure
        if self._request is not None and logger.isEnabledFor(logging.DEBUG):
            result = self.result if kind is None or is_failure else kind.__name__
            seconds = time.monotonic() - self._started
            self._sending.log_request(self._request, result, seconds)
        if isinstance(error, (StopIteration, StopAsyncIteration)):
            # To an iterator this is the end, as it would be to a generator (PEP 479).
            told = RuntimeError(f"the HTTP client raised {error!r}")
            raise told from without_frames(error)
        if error is not None and not is_failure:
            raise without_frames(error)
        return is_failure


def _log_repetition(step: Sleep) -> None:
    error = step.error
    logger.info(
        "Attempt %d failed (%s, status %s, generation id %s); trying again in %.2f s",
        step.attempt,
        type(error).__name__,
        error.status_code,
        error.generation_id,
        step.seconds,
    )


class SyncPerformer(_Sending):
    """Performs the steps of one exchange with blocking I/O."""

    def __init__(
        self,
        client: Any,
        timeout: Mapping[str, float | None],
        watchdog: Watchdog,
        under_way: WeakSet[SyncPerformer],
    ) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            client: Of httpx or httpx2.
            timeout: Seconds of each phase of a request, by httpx's names.
            watchdog: Ends what takes longer than a step allows, where a client's own network
                streams do not.
            under_way: Performers with an open connection enter themselves here.

        Raises:
            OpenRouterInputError: The client is closed.
        """
        super().__init__(client, timeout)
        self._watchdog = watchdog
        self._under_way = under_way
        self._limit = StepLimit()
        self._response: Any = None
        self._pieces: Iterator[bytes] = iter(())
        self._process = os.getpid()
        self.thread = threading.get_ident()
        """The thread that used it last."""

    def perform(self, step: IOStep) -> StepResult:
        """Do what the step says; transport errors are returned, not raised.

        Raises:
            OpenRouterInputError: The exchange began in another process, or cannot be sent.
        """
        self.thread = threading.get_ident()
        if self._process != os.getpid():
            raise OpenRouterInputError(
                "This stream was opened before a fork, and is the parent process's to read; ask "
                "again in the child."
            )
        if isinstance(step, Sleep):
            self.close()
            _log_repetition(step)
            time.sleep(step.seconds)
            return None
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        self._limit.start(step.limit)
        if isinstance(step, Send):
            return self._send(step)
        return self._receive(step)

    def _send(self, step: Send) -> StepResult:
        self._under_way.add(self)
        with _Outcome(self, step.request) as outcome:
            with self._watch(step.limit) as trace:
                extensions: dict[str, Any] = {"timeout": self._phases(step.limit)}
                if trace is not None:
                    extensions["trace"] = trace
                built = self._build(step.request, extensions)
                try:
                    self._response = self._client.send(built, stream=True, follow_redirects=False)
                except self._library.HTTPStatusError as error:
                    self._response = refused_answer(error, self._library)
            self._pieces = self._response.iter_bytes()
            outcome.result = self._begin_reading(step.request, self._response)
        return outcome.result

    def _receive(self, step: Receive) -> StepResult:
        if self._refused is not None:
            return TransportFailure(self._refused)
        if self._response is None:
            return TransportFailure(
                OpenRouterConnectionError("The stream was closed, as the program ends; ask again.")
            )
        with _Outcome(self) as outcome:
            stream = _stream_of(self._response)
            if step.limit is None or isinstance(stream, HTTPStream):
                outcome.result = self._check(next(self._pieces, b""))
            else:
                with self._watchdog.watch(socket_of(stream), step.limit):
                    outcome.result = self._check(next(self._pieces, b""))
        return outcome.result

    def _phases(self, limit: float | None) -> dict[str, float]:
        """Let no phase (connect, write, read, wait for a connection) exceed its step's limit."""
        return {
            name: limited(_shorter(seconds, limit), self._limit)
            for name, seconds in self._timeout.items()
        }

    def _watch(self, limit: float | None) -> AbstractContextManager[Any]:
        """Watch the connections that a caller's own client makes; ours keep limits themselves."""
        if limit is None or isinstance(self._client, SharedClient):
            return nullcontext()
        return self._watchdog.watch_new(limit)

    def close(self) -> None:
        """Give the connection back; an answer that is not at its end is given up."""
        response, self._response = self._response, None
        self._under_way.discard(self)
        if response is None or response.is_closed:
            return
        if _is_inside_httpcore():
            # A dropped stream that is collected here: closing would wait for ever for a lock
            # that this very thread holds (httpcore's is not reentrant).
            threading.Thread(target=response.close, name="openrouter-closing", daemon=True).start()
        else:
            response.close()


class AsyncPerformer(_Sending):
    """Performs the steps of one exchange on the running event loop."""

    def __init__(
        self,
        client: Any,
        timeout: Mapping[str, float | None],
        under_way: set[AsyncPerformer],
    ) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            client: Of httpx or httpx2.
            timeout: Seconds of each phase of a request, by httpx's names.
            under_way: Performers with an open connection enter themselves here. It keeps them
                alive: a dropped stream is closed by the loop, which takes time, and its nested
                generators must not be collected before.

        Raises:
            OpenRouterInputError: The client is closed.
        """
        super().__init__(client, timeout)
        self._under_way = under_way
        self._response: Any = None
        self._pieces: Any = None
        self._is_reading = False

    async def perform(self, step: IOStep) -> StepResult:
        """Do what the step says; transport errors are returned, not raised.

        Raises:
            OpenRouterInputError: The request cannot be sent.
        """
        if isinstance(step, Sleep):
            await self.close()
            _log_repetition(step)
            await anyio.sleep(step.seconds)
            return None
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        try:
            with anyio.fail_after(step.limit) if step.limit is not None else nullcontext():
                return await (self._send(step) if isinstance(step, Send) else self._receive())
        except TimeoutError as error:
            return self.fail(error)

    async def _send(self, step: Send) -> StepResult:
        self._under_way.add(self)
        with _Outcome(self, step.request) as outcome:
            extensions = {"timeout": {**self._timeout}}
            built = self._build(step.request, extensions)
            try:
                self._response = await self._client.send(built, stream=True, follow_redirects=False)
            except self._library.HTTPStatusError as error:
                self._response = refused_answer(error, self._library)
            self._pieces = self._response.aiter_bytes()
            self._is_reading = False
            outcome.result = self._begin_reading(step.request, self._response)
        return outcome.result

    async def _receive(self) -> StepResult:
        if self._refused is not None:
            return TransportFailure(self._refused)
        with _Outcome(self) as outcome:
            if not self._is_reading and isinstance(_stream_of(self._response), AsyncHTTPStream):
                self._is_reading = True
                outcome.result = self._check(await first_piece(self._pieces))
            else:
                outcome.result = self._check(await anext(self._pieces, b""))
        return outcome.result

    def fail(self, error: Exception) -> TransportFailure | None:
        """Translate an error of the client's, also where a client of one's own met another loop."""
        if isinstance(self._client, SharedAsyncClient):
            return super().fail(error)
        return super().fail(error) or of_another_loop(error)

    async def close(self) -> None:
        """Give the connection back, also when the task is being cancelled."""
        response, self._response = self._response, None
        if response is None:
            self._under_way.discard(self)
            return
        try:
            with anyio.CancelScope(shield=True):
                if self._is_reading:
                    await self._pieces.aclose()
                await response.aclose()
        finally:
            self._under_way.discard(self)


@lru_cache(maxsize=64)
def parsed(kind: Any, url: str) -> Any:
    """Parse a URL once; `kind` is the library's class."""
    return kind(url)


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read raw headers; the values of a repeated one are joined with a comma, as RFC 9110 says."""
    read: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        read[name] = f"{read[name]}, {value}" if name in read else value
    return read


def _stream_of(response: Any) -> Any:
    return response.extensions.get("network_stream")


def _shorter(seconds: float | None, limit: float | None) -> float | None:
    given = [each for each in (seconds, limit) if each is not None]
    return min(given, default=None)


def _is_inside_httpcore() -> bool:
    """Whether this thread is in httpcore (or httpcore2), and a finalizer has interrupted it."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("httpcore"):
            return True
        frame = frame.f_back
    return False
