"""What a caller does, breaks or forgets shows no secret: neither in an error nor in the model."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import anyio
import httpx
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterInputError,
)
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import PATIENCE, Peer, RawServer, chunk_of, stream_head
from tests.helpers.secrets import OWN, PROXY_PASSWORD, assert_hidden, build

async_modes = pytest.mark.parametrize("mode", ["ainvoke", "astream"])
URL = "http://openrouter.invalid/api/v1"


pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


class Unexpected(Exception):  # noqa: N818 - it is the point that nobody knows it
    """A class of which httpx knows nothing."""


class Breaking(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A caller's own transport, which raises while its frame holds the headers."""

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        raise self._kind(f"{len(headers)} headers")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


class BreakingInTheBody(Breaking):
    """The same, but only when its answer is read."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        head = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=head, stream=_Pieces(headers, self._kind))


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, headers: dict[str, str], kind: type[BaseException]) -> None:
        self._headers = headers
        self._kind = kind

    def __iter__(self) -> Iterator[bytes]:
        headers = self._headers
        yield wire.sse(wire.chunk("Hel"), done=False)
        raise self._kind(f"{len(headers)} headers")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        headers = self._headers
        yield wire.sse(wire.chunk("Hel"), done=False)
        raise self._kind(f"{len(headers)} headers")


class BreakingInAGroup(Breaking):
    """The same, but in a task of its own, whose error comes in a group."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with anyio.create_task_group() as group:
            group.start_soon(self._break, dict(request.headers))
        raise AssertionError

    async def _break(self, headers: dict[str, str]) -> None:
        raise self._kind(f"{len(headers)} headers")


def own(transport: Any = None, headers: dict[str, str] | None = None) -> ChatOpenRouterO3:
    """Build a model with the caller's own clients."""
    return build(
        URL,
        http_client=httpx.Client(transport=transport, headers=headers),
        http_async_client=httpx.AsyncClient(transport=transport, headers=headers),
    )


def secretive() -> ChatOpenRouterO3:
    """Build a model whose own clients have a secret that HTTP cannot carry."""
    return own(headers={"x-own": f"{OWN}\n"})


@every_mode
@pytest.mark.parametrize("kind", [Unexpected, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("transport", [Breaking, BreakingInTheBody])
def test_an_error_that_nobody_expects_shows_no_secret(
    transport: type[Breaking],
    kind: type[BaseException],
    mode: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(kind, match="headers") as caught:
        MODES[mode](own(transport(kind)))
    assert_hidden(caught.value, caplog)


@async_modes
def test_a_group_of_errors_shows_no_secret(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Exception, match="TaskGroup") as caught:
        MODES[mode](own(BreakingInAGroup(Unexpected)))
    assert_hidden(caught.value, caplog)


@every_mode
def test_a_broken_header_of_ones_own_client_is_not_shown(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "httpcore")  # it writes itself what it refuses to send
    with RawServer(lambda peer: peer.read_request()) as server:
        model = secretive().model_copy(update={"base_url": server.base_url})
        with pytest.raises(OpenRouterInputError, match="header") as caught:
            MODES[mode](model)
    assert_hidden(caught.value, caplog)


def wait_for_the_answer(peer: Peer) -> None:
    peer.read_request()


def wait_in_the_answer(peer: Peer) -> None:
    peer.read_request()
    peer.write(stream_head(), chunk_of(wire.sse(wire.chunk("Hel"), done=False)))


@pytest.mark.parametrize("mode", ["ainvoke", "astream"])
@pytest.mark.parametrize("handler", [wait_for_the_answer, wait_in_the_answer])
async def test_a_cancelled_task_shows_no_secret(
    handler: Callable[[Peer], None], mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def handle(peer: Peer) -> None:
        handler(peer)
        asked.set()

    with RawServer(handle) as server:
        task = asyncio.ensure_future(ask(build(server.base_url), mode))
        assert await asyncio.to_thread(asked.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert_hidden(caught.value, caplog)


async def ask(model: ChatOpenRouterO3, mode: str) -> None:
    if mode == "ainvoke":
        await model.ainvoke("Hello")
    async for _ in model.astream("Hello"):
        pass


def refused_header() -> Any:
    return build(URL).bind(extra_headers={"not a name": "value"})


def refused_body() -> Any:
    return build(URL).bind(extra_body="no object")


def refused_timeout() -> Any:
    return build(URL).bind(timeout="never")


def closed_client() -> Any:
    model = own()
    cast("httpx.Client", model.http_client).close()
    asyncio.run(cast("httpx.AsyncClient", model.http_async_client).aclose())
    return model


REFUSALS: dict[str, Callable[[], Any]] = {
    "header": refused_header,
    "body": refused_body,
    "time-out": refused_timeout,
    "closed client": closed_client,
    "URL": lambda: build("http://☃☃.example/api"),
}


@every_mode
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_call_that_is_refused_shows_no_secret(
    refusal: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OpenRouterInputError) as caught:
        MODES[mode](REFUSALS[refusal]())
    assert_hidden(caught.value, caplog)


@every_mode
def test_a_call_without_a_key_shows_no_other_secret(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OpenRouterAuthenticationError) as caught:
        MODES[mode](build(URL, api_key=None))
    assert_hidden(caught.value, caplog)


@every_mode
@pytest.mark.parametrize("proxy", ["http://user:{}@host:port", "gopher://user:{}@host:70"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(
    proxy: str, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.format(PROXY_PASSWORD))
    with pytest.raises(OpenRouterInputError, match="ALL_PROXY") as caught:
        MODES[mode](build(URL))
    assert_hidden(caught.value, caplog)


@pytest.mark.parametrize("wrong", [1, "a\nb"])
def test_headers_that_were_assigned_and_cannot_be_sent_are_hidden(
    caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    model = build(URL)
    model.default_headers = {**(model.default_headers or {}), "X-Wrong": wrong}
    with pytest.raises(OpenRouterInputError, match=r"default_headers.*X-Wrong") as caught:
        model.invoke("Hello")
    assert_hidden(caught.value, caplog)
