"""The emulator as an httpx transport: the same answers without a socket.

The application runs in the emulator's own thread, as behind the port. Each message of an answer
waits there until the client asks for it, so that a client sees the first event of a stream before
the last one is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope

    from langchain_openrouter_o3.emulator.serving.server import LoopThread

T = TypeVar("T")
_RESET = "the emulator reset the connection"
_CLOSED = "the emulator closed the connection before the answer was complete"


class EmulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A transport for `httpx.Client` and `httpx.AsyncClient`; see `Emulator.transport`."""

    def __init__(self, app: ASGIApp, thread: LoopThread, is_refusing: Callable[[], bool]) -> None:
        """Connect to an application in a thread."""
        self._app = app
        self._thread = thread
        self._is_refusing = is_refusing

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return as soon as the answer's headers are there."""
        exchange = self._exchange(request, request.read())
        start = exchange.wait(exchange.start(), request)
        return exchange.response(start, _SyncBody(exchange, request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return as soon as the answer's headers are there."""
        exchange = self._exchange(request, await request.aread())
        start = await exchange.wait_async(exchange.start(), request)
        return exchange.response(start, _AsyncBody(exchange, request))

    def _exchange(self, request: httpx.Request, body: bytes) -> _Exchange:
        if self._is_refusing() or self._thread.was_stopped:
            raise httpx.ConnectError("the emulator refuses connections", request=request)
        return _Exchange(self._app, self._thread, request, body)


class _Exchange:
    """One request, and the messages of its answer, which the client takes one by one.

    What begins with `_serve` and the methods that ASGI calls run in the emulator's thread.
    """

    def __init__(
        self, app: ASGIApp, thread: LoopThread, request: httpx.Request, body: bytes
    ) -> None:
        self._app = app
        self._thread = thread
        self._scope = _scope_of(request, self)
        self._requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._wanted = asyncio.Semaphore(0)
        self._left = asyncio.Event()
        self._answering: asyncio.Task[None] | None = None

    def start(self) -> Future[Message | None]:
        """Begin, and ask for the first message."""
        return self._thread.submit(self._serve_next(begin=True))

    def next(self) -> Future[Message | None]:
        """Ask for the next message; None if the answer broke off."""
        return self._thread.submit(self._serve_next())

    def close(self) -> None:
        """Leave, as a client does that closes its connection."""
        if self._thread.is_running:
            self._thread.submit(self._serve_end())

    def wait(self, future: Future[Message | None], request: httpx.Request) -> Message:
        """Wait for a message in a thread without a loop."""
        try:
            return self._checked(future.result(_read_timeout(request)), request)
        except FutureTimeoutError:
            self.close()
            raise httpx.ReadTimeout("the emulator is silent", request=request) from None
        except CancelledError:
            raise httpx.RemoteProtocolError(_CLOSED, request=request) from None

    async def wait_async(self, future: Future[Message | None], request: httpx.Request) -> Message:
        """Wait for a message in any event loop."""
        try:
            with anyio.fail_after(_read_timeout(request)):
                message = await _result(future)
        except TimeoutError:
            self.close()
            raise httpx.ReadTimeout("the emulator is silent", request=request) from None
        except CancelledError:
            raise httpx.RemoteProtocolError(_CLOSED, request=request) from None
        except BaseException:
            self.close()
            raise
        return self._checked(message, request)

    def response(self, start: Message, stream: _SyncBody | _AsyncBody) -> httpx.Response:
        """Return the response whose headers have come."""
        return httpx.Response(start["status"], headers=start["headers"], stream=stream)

    async def hang_up(self, *, reset: bool) -> None:
        """Break the answer off; the application calls this for a fault."""
        await self._wanted.acquire()
        self._messages.put_nowait({"type": "reset"} if reset else None)
        self._left.set()

    def _checked(self, message: Message | None, request: httpx.Request) -> Message:
        if message is None:
            raise httpx.RemoteProtocolError(_CLOSED, request=request)
        if message["type"] == "reset":
            raise httpx.ReadError(_RESET, request=request)
        return message

    async def _serve_next(self, *, begin: bool = False) -> Message | None:
        if begin:
            self._answering = asyncio.ensure_future(self._serve())
        self._wanted.release()
        return await self._messages.get()

    async def _serve(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            # The client may still wait for a message that will not come.
            self._messages.put_nowait(None)

    async def _serve_end(self) -> None:
        self._left.set()
        # Whoever left takes nothing more, and must not hold up what is sent.
        self._wanted.release()

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._left.is_set():
            await self._wanted.acquire()
        self._messages.put_nowait(message)


class _SyncBody(httpx.SyncByteStream):
    """The body of an answer, in its pieces."""

    def __init__(self, exchange: _Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        more = True
        while more:
            message = self._exchange.wait(self._exchange.next(), self._request)
            more = message.get("more_body", False)
            if message["body"]:
                yield message["body"]

    def close(self) -> None:
        self._exchange.close()


class _AsyncBody(httpx.AsyncByteStream):
    """The same for event loops."""

    def __init__(self, exchange: _Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._exchange.wait_async(self._exchange.next(), self._request)
            more = message.get("more_body", False)
            if message["body"]:
                yield message["body"]

    async def aclose(self) -> None:
        self._exchange.close()


async def _result(future: Future[T]) -> T:
    """Wait for another thread's result, on asyncio and on trio."""
    token: Any = current_token().native_token
    wake = getattr(token, "call_soon_threadsafe", None) or token.run_sync_soon
    done = anyio.Event()
    is_waiting = True

    def tell(_: Future[T]) -> None:
        if is_waiting:  # else the event loop may be over
            wake(done.set)

    future.add_done_callback(tell)
    try:
        await done.wait()
    finally:
        is_waiting = False
    return future.result()


def _read_timeout(request: httpx.Request) -> float | None:
    limit: float | None = request.extensions.get("timeout", {}).get("read")
    return limit


def _scope_of(request: httpx.Request, exchange: _Exchange) -> Scope:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 0),
        "state": {"connection": exchange},
    }
