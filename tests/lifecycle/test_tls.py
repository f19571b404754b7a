"""TLS and large requests in the life of a connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterIdleTimeoutError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from langchain_openrouter_o3.emulator.serving.connection import untrusted_context
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.connections import run_on
from tests.helpers.factories import build_once
from tests.helpers.modes import MODES, every_mode, streamed_modes


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes from one socket to another, up to its end."""
    with contextlib.suppress(OSError):  # one side is gone, and the other learns it now
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(end, socket.SHUT_RDWR)


@contextlib.contextmanager
def encrypted(emulator: Emulator) -> Generator[tuple[str, list[socket.socket]]]:
    """Offer the emulator over TLS; gives the base URL and the connections so far."""
    plain = httpx.URL(emulator.base_url)
    listener = socket.create_server(("127.0.0.1", 0))
    context = untrusted_context()
    accepted: list[socket.socket] = []
    upstream: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                raw, _ = listener.accept()
                client = context.wrap_socket(raw, server_side=True)
                server = socket.create_connection((plain.host, plain.port or 80))
                accepted.append(client)
                upstream.append(server)
                for ends in ((client, server), (server, client)):
                    threads.append(threading.Thread(target=pump, args=ends))
                    threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1", accepted
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for client in accepted:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(client, socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in (*accepted, *upstream):
            connection.close()


def build(base_url: str, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0, **arguments)


@every_mode
@pytest.mark.usefixtures("trusting")
def test_answers_come_over_tls(emulator: Emulator, mode: str) -> None:
    with encrypted(emulator) as (base_url, accepted), build(base_url) as model:
        assert [bool(MODES[mode](model).text) for _ in range(2)] == [True, True]
        assert len(accepted) == (2 if mode.startswith("a") else 1)  # each loop has its own


@streamed_modes
@pytest.mark.usefixtures("trusting")
def test_limits_end_a_read_over_tls(emulator: Emulator, mode: str) -> None:
    words = wire.sse(wire.chunk("Hel"), wire.chunk("lo"), done=False)
    comment = b": OPENROUTER PROCESSING\n\n"
    stream = {"content-type": "text/event-stream"}
    emulator.play(Canned(headers=stream, pieces=[words, *[comment] * 1_000], pause=0.05))
    with encrypted(emulator) as (base_url, _), build(base_url, idle_timeout=1.0) as model:
        with pytest.raises(OpenRouterIdleTimeoutError) as caught:
            MODES[mode](model)
        assert caught.value.partial is not None
        assert caught.value.partial.text == "Hello"


@every_mode
@pytest.mark.usefixtures("trusting")
def test_a_server_that_never_greets_is_a_time_out(mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"https://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        with pytest.raises(OpenRouterTimeoutError, match="connect"):
            MODES[mode](build(base_url, timeout=httpx.Timeout(5, connect=0.2)))


PADDING = "0123456789 äöü " * 300_000  # about 5 MB


@pytest.fixture
def model(server: Emulator) -> ChatOpenRouterO3:
    return build_once(server, trace={"padding": PADDING})


def check(server: Emulator) -> None:
    body = server.requests[-1].body
    assert body is not None
    assert body["trace"] == {"padding": PADDING}


@pytest.mark.parametrize("mode", MODES)
def test_as_plain_text(server: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    MODES[mode](model)
    check(server)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("trusting")
def test_over_tls(server: Emulator, model: ChatOpenRouterO3, mode: str) -> None:
    with encrypted(server) as (base_url, _):
        with model.model_copy(update={"base_url": base_url}) as over_tls:
            MODES[mode](over_tls)
        check(server)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_on_any_loop(server: Emulator, model: ChatOpenRouterO3, loop: str) -> None:
    run_on(loop, model.ainvoke("Hello"))
    check(server)


def test_under_trio(server: Emulator, model: ChatOpenRouterO3) -> None:
    async def main() -> None:
        await model._agenerate([HumanMessage("Hello")])

    pytest.importorskip("trio").run(main)
    check(server)
