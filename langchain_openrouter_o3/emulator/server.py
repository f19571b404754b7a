"""The emulator as a server in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, final

import uvicorn
from starlette.types import Message, Scope

from langchain_openrouter_o3.emulator.application import Endpoints
from langchain_openrouter_o3.emulator.asgi_messages import HANG_UP
from langchain_openrouter_o3.emulator.batches import Batches
from langchain_openrouter_o3.emulator.connection import Connection, connection_of
from langchain_openrouter_o3.emulator.fault import Fault
from langchain_openrouter_o3.emulator.fault_layer import (
    Chooser,
    FaultLayer,
    is_chat,
    is_of_batches,
)
from langchain_openrouter_o3.emulator.page import ExchangeLog, Page
from langchain_openrouter_o3.emulator.port import Port
from langchain_openrouter_o3.emulator.recording.replayer import Miss, recording_application
from langchain_openrouter_o3.emulator.request_log import ReceivedRequest, RequestLog
from langchain_openrouter_o3.emulator.routing import Router
from langchain_openrouter_o3.emulator.tls import TlsFailure, check_tls_failure

# A pooled connection must not be closed under a client between two requests of a slow test.
_KEEP_ALIVE_SECONDS = 120
_SHUTDOWN_SECONDS = 2


@final
class Emulator:
    """A local OpenRouter: the wire is real, the answers follow rules instead of a model.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(  # noqa: PLR0913 - each is a documented setting, given by name
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        think_time: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        tls_failure: TlsFailure = "alert",
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        failing: Mapping[str, int] | None = None,
        record: str | Path | None = None,
        replay: str | Path | None = None,
        pace: float = 0.0,
        miss: Miss = "fail",
        repeat_last: bool = False,
        upstream: str | None = None,
    ) -> None:
        """Prepare an emulator.

        Args:
            host: The address to listen on.
            port: The port to listen on; 0 takes any free one.
            api_key: The only key that is accepted; by default every key is.
            think_time: Seconds before the first event or the body of each answer by the rules.
            clock: Counts the seconds for which OpenRouter's cache keeps an answer, and those
                between the pieces of an answer that is recorded.
            tls_failure: How the TLS handshake fails when a client speaks https: "alert",
                "untrusted" (an authority that nobody knows), "garbage", "plain-text", "close"
                or "silence".
            presets: The parameters of each preset, by its slug; `system_prompt` becomes the first
                message. Without a table every preset exists and changes nothing.
            failing: The HTTP status with which a model fails, by its slug; a request that names
                others in `models` is answered by the first that does not fail.
            record: A folder: pass each request on to OpenRouter, with the caller's key or with
                that of `OPENROUTER_API_KEY`, and write each exchange into a file there.
            replay: A folder of such files: answer from them instead of the rules.
            pace: What the recorded seconds between pieces are multiplied with: 1 is the original
                timing, 0 waits for nothing.
            miss: What a request without a recording gets: "fail", an error that names the nearest
                recording, or "record", OpenRouter's answer, which is recorded.
            repeat_last: Whether the last recording of a request answers all further ones; by
                default each recording is used once.
            upstream: The base URL to record from; by default OpenRouter's.

        Raises:
            ValueError: A setting has no such value, stands beside one that excludes it or without
                one that it needs, or a file is not a recording.
            FileNotFoundError: There is nothing to replay.
            ModuleNotFoundError: "untrusted" needs trustme, which is not installed.
        """
        self._host = host
        self._port = Port(host, port)
        self._endpoints = Endpoints(
            api_key=api_key, think_time=think_time, clock=clock, router=Router(presets, failing)
        )
        self._recording = recording_application(
            record=record,
            replay=replay,
            pace=pace,
            miss=miss,
            repeat_last=repeat_last,
            upstream=upstream,
            clock=clock,
        )
        if self._recording is not None and (api_key is not None or think_time):
            raise ValueError("api_key and think_time are for answers by the rules: leave them out")
        application = self._recording or self._endpoints.application()
        self._batch_faults = FaultLayer(application, is_of_batches)
        self._faults = FaultLayer(self._batch_faults, is_chat)
        self._exchanges = ExchangeLog(self._faults)
        self._log = RequestLog(self._exchanges, self._break)
        attributes = {"tls_failure": check_tls_failure(tls_failure)}
        self._server = _Server(
            self._port,
            uvicorn.Config(
                Page(self._exchanges).before(self._log),
                http=type("Connection", (Connection,), attributes),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            ),
        )
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Emulator:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def base_url(self) -> str:
        """The base URL for a client, known once the emulator has started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port.number}/api/v1"

    @property
    def tls_url(self) -> str:
        """The base URL at which every TLS handshake fails, in the way of `tls_failure`."""
        return self.base_url.replace("http:", "https:", 1)

    @property
    def page_url(self) -> str:
        """Where a browser shows the exchanges as they happen."""
        return self.base_url.removesuffix("api/v1")

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All requests so far, in their order of arrival."""
        return self._log.requests

    @property
    def batches(self) -> Batches:
        """The batches that were submitted, and the plan of what happens to them."""
        return self._endpoints.batches

    def play(self, *faults: Fault) -> None:
        """Queue answers and faults for the next chat requests, one each, before any rule applies.

        Args:
            faults: A `Canned` answer, or what the functions of `emulator.faults` return.
        """
        self._faults.queue.extend(faults)

    def disturb(self, chooser: Chooser | None) -> None:
        """Let a function choose a fault for each chat request that finds the queue empty.

        Args:
            chooser: Takes a request and returns a fault, or None for a good answer. It is called
                in the emulator's thread, for one request after the other, so it needs no lock and
                must not block. None instead of a chooser ends the disturbance.
        """
        self._faults.chooser = chooser

    def play_batches(self, *faults: Fault) -> None:
        """Queue answers and faults for the next requests of the Batch API, one each; see `play`."""
        self._batch_faults.queue.extend(faults)

    def disturb_batches(self, chooser: Chooser | None) -> None:
        """Let a function choose a fault for each request of the Batch API; see `disturb`."""
        self._batch_faults.chooser = chooser

    @contextlib.contextmanager
    def refusing_connections(self) -> Generator[None, None, None]:
        """Close the port for a while and open the same one again.

        Idle connections are closed too, so that a client has to connect anew; running answers
        go on.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._thread is None or not self._thread.is_alive():
            raise RuntimeError("an emulator that is not running refuses every connection")
        loop = self._server.loop.result()
        asyncio.run_coroutine_threadsafe(self._server.close_port(), loop).result()
        try:
            yield
        finally:
            if self._thread.is_alive():
                asyncio.run_coroutine_threadsafe(self._server.open_port(), loop).result()

    def reset(self) -> None:
        """Forget the requests so far, the cached answers, faults that nobody met, the chooser.

        A replay begins again with the first recording of each request.
        """
        for layer in (self._faults, self._batch_faults):
            layer.queue.clear()
            layer.chooser = None
        self._endpoints.batches.reset()
        self._log.requests.clear()
        self._exchanges.reset()
        self._endpoints.forget_answers()
        if self._recording is not None:
            self._recording.rewind()

    def start(self) -> None:
        """Start listening; clients can connect as soon as this returns.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: The emulator was started before.
        """
        if self._thread is not None:
            raise RuntimeError("an emulator starts only once")
        listener = self._port.listen()
        self._thread = threading.Thread(
            target=self._serve,
            args=(listener,),
            name="openrouter-emulator",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Drop every connection and wait until the server is gone; safe to repeat."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()

    def _serve(self, listener: socket.socket) -> None:
        # Uvicorn closes the listener itself, except when it is stopped before it has started.
        with listener:
            asyncio.run(self._server.serve([listener]))

    async def _break(self, scope: Scope, message: Message) -> None:
        if message["type"] == HANG_UP["type"]:
            await connection_of(scope).hang_up(reset=message["reset"])
        else:
            await self._server.close_port()
            asyncio.get_running_loop().call_later(message["seconds"], self._server.open_port_soon)


class _Server(uvicorn.Server):
    """A server that does not wait for its clients when it stops, and can close its port."""

    def __init__(self, port: Port, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.loop: Future[asyncio.AbstractEventLoop] = Future()
        self._port = port
        self._closed_by = 0
        self._opening: asyncio.Task[None] | None = None

    def connections(self) -> Iterator[Connection]:
        """Return the connections that are open now."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                yield connection

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.loop.done():
            self.loop.set_result(asyncio.get_running_loop())

    async def close_port(self) -> None:
        self._closed_by += 1
        if self._closed_by > 1:
            return
        for server in self.servers:
            server.close()
        self._port.reserve()
        # Uvicorn's graceful end: idle connections are closed, the others after their answer.
        for connection in self.connections():
            connection.shutdown()

    async def open_port(self) -> None:
        self._closed_by -= 1
        if not self._closed_by and not self.should_exit:
            await super().startup([self._port.release()])

    def open_port_soon(self) -> None:
        self._opening = asyncio.ensure_future(self.open_port())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Uvicorn would let running answers finish; `RequestLog` cancels those it sees dropped.
        for connection in self.connections():
            connection.transport.abort()
        await super().shutdown(sockets)
        self._port.close()
