"""Calls of the Batch API's endpoints, through the model's own kind of client."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import quote

import anyio.to_thread
from typing_extensions import Self

from langchain_openrouter_o3._arguments.fields import ModelFields
from langchain_openrouter_o3._arguments.headers import request_headers
from langchain_openrouter_o3._http.body import BodyDecoder
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.shared_clients import SharedAsyncClient
from langchain_openrouter_o3._http.steps import TransportFailure
from langchain_openrouter_o3._http.time_limits import to_timeout
from langchain_openrouter_o3._http.transport_errors import (
    Route,
    errors_of,
    library_of,
    refused_answer,
    to_failure,
)
from langchain_openrouter_o3.batch import responses
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterMalformedResponseError
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from langchain_openrouter_o3.errors.redaction import without_frames

_PATH = "/batches"
"""Below the base URL of chat completions. Until about September 2026 it was `/api/beta/batches`."""

PAGE_OF_BATCHES = 100  # the most that the list gives at once (documentation, autumn 2026)
PAGE_OF_RESULTS = 500  # of at most 1,000 (same); answers may be long

_READING = RetryPolicy(max_retries=4)
"""How often a GET or DELETE is tried again. A submission is not, but after 429."""

_SUBMITTING = RetryPolicy(max_retries=8, max_retry_after=600.0)
_SUCCESS, _ERROR, _MISSING = range(200, 300), 400, (404, 405)


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
        status: Of HTTP.
        payload: The body: JSON, or what it says.
        headers: Names in lower case.
    """

    status: int
    payload: Any
    headers: dict[str, str]

    @property
    def is_good(self) -> bool:
        """Whether the status says so, and the body says nothing else."""
        return self.status in _SUCCESS and not responses.is_error(self.payload)

    def error(self) -> OpenRouterError:
        """Return the error that it means."""
        if self.status < _ERROR and self.status not in _SUCCESS:
            return OpenRouterMalformedResponseError(
                f"Unexpected HTTP {self.status}: redirects are not followed, because they would "
                "carry the key to another host. Check base_url.",
                status_code=self.status,
            )
        return error_from_payload(self.payload, status=self.status, headers=self.headers)


class Account:
    """Where a job's batches are, and the headers that open it.

    Attributes:
        base_url: Of the server.
        headers: Of each request, in an object that shows none of their values.
    """

    def __init__(
        self,
        model: ModelFields,
        *,
        bound: Mapping[str, Any] | None = None,
        headers: RequestHeaders | None = None,
    ) -> None:
        """Take what a model asks with.

        Args:
            model: Its key, address, time limits and client.
            bound: Arguments that are bound to it, which may be headers.
            headers: Those of a request that a chain has made, if there is one.

        Raises:
            OpenRouterAuthenticationError: There is no key.
            OpenRouterInputError: What was assigned to the model cannot work.
        """
        model.check_assigned()
        self.base_url = model.base_url
        own = model.http_client or model.http_async_client  # which may carry credentials
        self.headers = headers or request_headers(model, bound or {}, own, stream=False)
        self.timeout = to_timeout(model.timeout).as_dict()
        self.blocking_client: Any = model.http_client
        self.async_client: Any = model.http_async_client


class BatchClient:
    """Asks one server, on the running event loop."""

    def __init__(self, account: Account, *, is_blocking: bool) -> None:
        """Take what it needs; nothing is sent yet.

        Args:
            account: Whose batches they are.
            is_blocking: Whether the caller's own blocking client is used, if there is one; it
                works in a thread then.
        """
        own = account.blocking_client if is_blocking else account.async_client
        self._account = account
        self._is_blocking = is_blocking and own is not None
        self._shared = SharedAsyncClient(account.base_url) if own is None else None
        self._client: Any = own or self._shared
        self._library = library_of(self._client)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections, if they are its own."""
        if self._shared is not None:
            await self._shared.aclose()

    # --- Endpoints ---

    async def submit(self, pieces: Iterable[bytes], size: int) -> Answer | TransportFailure:
        """Submit a batch once, from pieces that are read as they are sent."""
        return await self._send("POST", _PATH, {}, pieces, size)

    async def batches(self, since: float) -> AsyncGenerator[responses.Remote, None]:
        """List the batches that were stored since a moment, newest first.

        Raises:
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        asked = {"limit": str(PAGE_OF_BATCHES), "created_after": _timestamp(since)}
        read: set[str] = set()
        after: str | None = ""
        while after is not None:
            page = await self._get(_PATH, {**asked, **({"after": after} if after else {})})
            found, after = responses.read_list(page.payload, read)
            for each in found:
                yield responses.read_batch(each)

    async def batch(self, identity: str) -> responses.Remote:
        """Look a batch up.

        Raises:
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        return responses.read_batch((await self._get(_path_of(identity), {})).payload)

    async def results(self, identity: str) -> AsyncGenerator[list[Any], None]:
        """Read the results of a batch that is over: by pages, or all at once where there are none.

        Raises:
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        path, cursor, read = f"{_path_of(identity)}/results", "", set[str]()
        while True:
            asked = {"limit": str(PAGE_OF_RESULTS), **({"cursor": cursor} if cursor else {})}
            answer = await self._ask("GET", path, asked)
            if answer.status in _MISSING:
                yield responses.all_results(await self.batch(identity))
                return
            found, following = responses.read_list(self._checked(answer).payload, read)
            yield found
            if following is None:
                return
            cursor = following

    async def first_results(self, identity: str) -> list[Any]:
        """Read the first results of a batch, which tell whose it is."""
        async with aclosing(self.results(identity)) as pages:
            return await anext(pages)

    async def delete(self, identity: str) -> None:
        """Delete a batch that is over; one that is gone already is no error.

        Raises:
            OpenRouterError: OpenRouter refuses, or does not answer.
        """
        answer = await self._ask("DELETE", _path_of(identity), {})
        if answer.status not in (404, 410):
            self._checked(answer)

    # --- Requests ---

    async def _get(self, path: str, parameters: dict[str, str]) -> Answer:
        return self._checked(await self._ask("GET", path, parameters))

    def _checked(self, answer: Answer) -> Answer:
        if not answer.is_good:
            raise self.error_of(answer)
        return answer

    def error_of(self, answer: Answer | TransportFailure) -> OpenRouterError:
        """Return the error that an answer means, without the key."""
        error = answer.error() if isinstance(answer, Answer) else answer.error
        self._account.headers.conceal_in(error)
        return error

    async def _ask(self, method: str, path: str, parameters: dict[str, str]) -> Answer:
        """Ask for something that may be asked again, and do so if it fails."""
        attempt = 0
        while True:
            attempt += 1
            answer = await self._send(method, path, parameters)
            if isinstance(answer, Answer) and answer.status < 500 and answer.status != 429:  # noqa: PLR2004 - HTTP's own numbers
                return answer
            error = self.error_of(answer)
            wait = _wait(_READING, attempt, error)
            if wait is None:
                raise error
            await asyncio.sleep(wait)

    async def _send(
        self,
        method: str,
        path: str,
        parameters: dict[str, str],
        pieces: Iterable[bytes] | None = None,
        size: int = 0,
    ) -> Answer | TransportFailure:
        url = self._library.URL(self._account.base_url + path, params=parameters)
        headers = self._account.headers.raw()
        if pieces is not None:
            headers.append((b"content-length", str(size).encode()))
        body = pieces if pieces is None or self._is_blocking else _Pieces(iter(pieces))
        request = self._client.build_request(
            method,
            url,
            content=body,
            headers=headers,
            extensions={"timeout": self._account.timeout},
        )
        try:
            response = await self._perform(request)
        except self._library.HTTPStatusError as error:
            response = refused_answer(error, self._library)
        except errors_of(self._library) as error:
            failure = to_failure(error, self._library, Route(url.netloc.decode("ascii"), None))
            without_frames(failure.error)
            return failure
        found = BodyDecoder.decode_error(response.content)
        named = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, named)

    async def _perform(self, request: Any) -> Any:
        if self._is_blocking:
            send = functools.partial(self._client.send, request, follow_redirects=False)
            return await anyio.to_thread.run_sync(send)
        return await self._client.send(request, follow_redirects=False)


def _path_of(identity: str) -> str:
    return f"{_PATH}/{quote(identity, safe='')}"


def wait_after_refusal(attempt: int, error: OpenRouterError) -> float | None:
    """Return how long to wait before a submission is tried again; None to give up."""
    return _wait(_SUBMITTING, attempt, error)


def _wait(policy: RetryPolicy, attempt: int, error: OpenRouterError) -> float | None:
    return policy.delay(
        attempt,
        status=error.status_code,
        retry_after=error.retry_after,
        retryable=error.retryable if error.status_code else error.is_retryable,
        jitter=random.random(),  # noqa: S311 - no secret
    )


class _Pieces:
    """Pieces of a body for an event loop; no generator, which would stay when a write fails."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        return piece


def _timestamp(seconds: float) -> str:
    """Write a time as the list takes it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
