"""`Emulator`: a local OpenRouter, with its settings, its faults and what it has received."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
import weakref
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, final

from starlette.types import Message, Scope

from langchain_openrouter_o3.emulator.conversation import ScriptError, conversation, find_expected
from langchain_openrouter_o3.emulator.endpoints.application import CHAT_PATH, Endpoints
from langchain_openrouter_o3.emulator.endpoints.batches import Batches
from langchain_openrouter_o3.emulator.endpoints.fault_layer import (
    Chooser,
    FaultLayer,
    is_chat,
    is_of_batches,
)
from langchain_openrouter_o3.emulator.endpoints.routing import Router
from langchain_openrouter_o3.emulator.page import ExchangeLog, Page
from langchain_openrouter_o3.emulator.recording.applications import Miss, recording_application
from langchain_openrouter_o3.emulator.script import Pace, ScriptItem, as_reply
from langchain_openrouter_o3.emulator.script.player import Script
from langchain_openrouter_o3.emulator.serving.connection import (
    TlsFailure,
    check_tls_failure,
    connection_of,
)
from langchain_openrouter_o3.emulator.serving.server import LoopThread, Port, make_server
from langchain_openrouter_o3.emulator.serving.transport import EmulatorTransport
from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest, RequestLog
from langchain_openrouter_o3.emulator.wire.sending import HANG_UP, Fault

_LAST_PORT = 65_535


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
        script: Sequence[ScriptItem] | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        tls_failure: TlsFailure = "alert",
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        failing: Mapping[str, int] | None = None,
        record: str | Path | None = None,
        replay: str | Path | None = None,
        timing: float = 0.0,
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
            script: What answers chat requests instead of the rules: `say`, `call`, `obj`, …; a step
                that is left over, and a request that finds none, fail the test.
            pace: How fast answers come; by default as fast as possible.
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
            timing: What the recorded seconds between pieces are multiplied with: 1 is the original
                timing, 0 waits for nothing.
            miss: What a request without a recording gets: "fail", an error that names the nearest
                recording, or "record", OpenRouter's answer, which is recorded.
            repeat_last: Whether the last recording of a request answers all further ones; by
                default each recording is used once.
            upstream: The base URL to record from; by default OpenRouter's.

        Raises:
            ValueError: A setting has no such value, stands beside one that excludes it or without
                one that it needs, a file is not a recording, or two answers of the script have
                one id.
            FileNotFoundError: There is nothing to replay.
            ModuleNotFoundError: "untrusted" needs trustme, which is not installed.
            TypeError: The script has something that is no step.
        """
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(f"port is a number from 0 to {_LAST_PORT}, not {port!r}")
        if not 0 <= think_time < math.inf:
            raise ValueError(f"think_time is a number of seconds, 0 or more, not {think_time!r}")
        self._host = host
        self._port = Port(host, port)
        self._endpoints = Endpoints(
            api_key=api_key,
            think_time=think_time,
            pace=pace or Pace(),
            clock=clock,
            router=Router(presets, failing),
        )
        self._endpoints.script = None if script is None else Script(script)
        self._recording = recording_application(
            record=record,
            replay=replay,
            timing=timing,
            miss=miss,
            repeat_last=repeat_last,
            upstream=upstream,
            clock=clock,
        )
        own: dict[str, object] = {"api_key": api_key, "think_time": think_time or None}
        own |= {"script": script, "pace": pace, "presets": presets, "failing": failing}
        given = [name for name, each in own.items() if each is not None]
        if self._recording is not None and given:
            raise ValueError(f"{', '.join(given)}: not for recorded answers; leave it out")
        application = self._recording or self._endpoints.application()
        self._batch_faults = FaultLayer(application, is_of_batches)
        self._faults = FaultLayer(self._batch_faults, is_chat)
        self._exchanges = ExchangeLog(self._faults)
        self._log = RequestLog(self._exchanges, self._break)
        self._server = make_server(
            Page(self._exchanges).before(self._log), self._port, check_tls_failure(tls_failure)
        )
        self._thread = LoopThread()
        weakref.finalize(self, self._thread.stop)
        self._was_started = False

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
        """Stop; an error gets the conversation as a note (Python 3.11 and newer).

        Raises:
            ScriptError: Nothing else failed, but the script and the requests did not fit.
        """
        self.stop()
        if error is None:
            self.check_script()
        elif self._endpoints.script is not None and sys.version_info >= (3, 11):
            error.add_note(self.conversation())

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

    def play(self, *items: ScriptItem) -> None:
        """Queue answers and faults for the next chat requests, one each.

        Args:
            items: Faults (a `Canned` answer, or what the functions of `emulator.faults` return)
                are for the next requests, before any rule applies. Steps (`say`, `call`, …,
                functions) go to the end of the script; from then on no rule answers.

        Raises:
            ValueError: Two answers of the script have one id, or recordings answer.
            TypeError: An item is neither.
        """
        replies = [as_reply(each) for each in items if not isinstance(each, Fault)]
        if replies and self._recording is not None:
            raise ValueError("steps are not for recorded answers; play faults, or leave them out")
        self._faults.add(*(each for each in items if isinstance(each, Fault)))
        if replies and self._endpoints.script is None:
            self._endpoints.script = Script(replies)
        elif replies and self._endpoints.script is not None:
            self._endpoints.script.add(replies)

    def transport(self) -> EmulatorTransport:
        """Return an httpx transport to this emulator, for blocking and asynchronous clients.

        It needs neither `start` nor a socket. Faults that break a connection are the errors that
        httpx has for them; a TLS handshake does not happen.
        """
        return EmulatorTransport(self._log, self._thread, lambda: self._server.is_closed)

    def conversation(self) -> str:
        """Return the requests so far and their answers as text; no header is in it."""
        return conversation(self._chat_requests())

    def check_script(self) -> None:
        """Check that the script's steps were played, requests found one, and no chooser failed.

        Raises:
            ScriptError: The text names the steps, and shows the conversation.
        """
        script = self._endpoints.script
        wrong = [*self._faults.complaints, *self._batch_faults.complaints]
        wrong += [] if script is None else script.check()
        if wrong:
            raise ScriptError("\n".join([*wrong, "", self.conversation()]))

    def expect(
        self,
        *,
        tools: Collection[str] | None = None,
        calls: Collection[str] | None = None,
        contains: str | None = None,
        **parameters: Any,
    ) -> ReceivedRequest:
        """Return the first chat request that is as expected in everything that is given.

        Args:
            tools: The names of all functions that it offers; a text is one name.
            calls: The names of all functions that were called in its conversation.
            contains: A part of the text of one of its messages.
            **parameters: Parameters of the body, such as `model`, `stream` or `seed`.

        Raises:
            AssertionError: There is none; the text tells what each request lacks.
        """
        return find_expected(
            self._chat_requests(),
            tools=tools,
            calls=calls,
            contains=contains,
            parameters=parameters,
        )

    def disturb(self, chooser: Chooser | None) -> None:
        """Let a function choose a fault for each chat request that finds the queue empty.

        Args:
            chooser: Takes a request and returns a fault, or None for a good answer; an error in it
                fails the test as a mistake in a script does. It is called
                in the emulator's thread, for one request after the other, so it needs no lock and
                must not block. None instead of a chooser ends the disturbance.
        """
        self._faults.chooser = chooser

    def play_batches(self, *faults: Fault) -> None:
        """Queue answers and faults for the next requests of the Batch API, one each; see `play`.

        Raises:
            TypeError: An item is no fault.
        """
        self._batch_faults.add(*faults)

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
        if not self._server.started or self._server.should_exit:
            raise RuntimeError("an emulator that is not running refuses every connection")
        self._thread.submit(self._server.close_port()).result()
        try:
            yield
        finally:
            if self._thread.is_running:
                self._thread.submit(self._server.open_port()).result()

    def reset(self) -> None:
        """Forget requests, cached answers, faults that were not met, the chooser, and the script.

        A replay begins again with the first recording of each request.
        """
        for layer in (self._faults, self._batch_faults):
            layer.reset()
        self._endpoints.batches.reset()
        self._log.requests.clear()
        self._exchanges.reset()
        self._endpoints.forget_answers()
        if self._recording is not None:
            self._recording.rewind()
        self._endpoints.script = None

    def start(self) -> None:
        """Start listening; clients can connect as soon as this returns.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: The emulator was started before.
        """
        if self._was_started:
            raise RuntimeError("an emulator starts only once")
        with contextlib.ExitStack() as undo:
            # Uvicorn closes the listener itself once it has it.
            listener = undo.enter_context(self._port.listen())
            self._was_started = True
            self._thread.submit(self._server.listen(listener)).result()
            undo.pop_all()

    def stop(self) -> None:
        """Drop every connection and wait until the server is gone; safe to repeat."""
        if self._thread.is_running:
            self._thread.submit(self._server.end()).result()
        self._thread.stop()

    def _chat_requests(self) -> list[ReceivedRequest]:
        return [each for each in self._log.requests if each.path == CHAT_PATH]

    async def _break(self, scope: Scope, message: Message) -> None:
        if message["type"] == HANG_UP["type"]:
            await connection_of(scope).hang_up(reset=message["reset"])
        else:
            await self._server.close_port()
            asyncio.get_running_loop().call_later(message["seconds"], self._server.open_port_soon)
