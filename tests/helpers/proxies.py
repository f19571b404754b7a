"""Proxies made of sockets, and what must be true when one fails."""

from __future__ import annotations

import base64
import contextlib
import gc
import itertools
import socket
import threading
import traceback
from typing import Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterConnectionError, OpenRouterError
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES
from tests.helpers.raw_server import Handler, Peer, RawServer, response
from tests.lifecycle.test_tls import pump

ANSWER = response(wire.to_json(wire.body("Hello")), "content-type: application/json")
PASSWORD = "p@ss w:rd-that-must-never-show"  # what a URL must escape is among it
USER = "user:p%40ss%20w%3Ard-that-must-never-show@"
BASIC = base64.b64encode(f"user:{PASSWORD}".encode())
_GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
_numbers = itertools.count(1)


def unknown_host() -> str:
    """A host that nobody but a proxy can find, and that no other test has asked for."""
    return f"host-{next(_numbers)}.example.invalid"


def build(base_url: str, **arguments: Any) -> ChatOpenRouterO3:
    arguments = {"max_retries": 0, "timeout": 10, **arguments}
    return ChatOpenRouterO3(base_url=base_url, api_key=KEY, **arguments)


def failure(base_url: str, mode: str, **arguments: Any) -> OpenRouterError:
    """Ask and return the error; whatever it left open shows as a warning, which is an error."""
    with build(base_url, **arguments) as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    gc.collect()
    return caught.value


def forward(peer: Peer) -> None:
    """Answer in the place of the server."""
    while peer.read_request():
        peer.write(ANSWER)


def tunnel(port: int) -> Handler:
    """Connect whoever asks with a port of this machine."""

    def handle(peer: Peer) -> None:
        if not peer.read_head().startswith(b"CONNECT "):
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            peer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, peer.connection))
            back.start()
            pump(peer.connection, server)
            back.join()

    return handle


def socks(greeting: bytes = b"\x05\x00", reply: bytes | None = None) -> Handler:
    """Speak SOCKS5 and answer in the place of the server.

    Args:
        greeting: What is said first; another than the usual one ends the conversation.
        reply: What is said to the request to connect, and last; None grants it.
    """

    def handle(peer: Peer) -> None:
        with contextlib.closing(peer):
            peer.connection.recv(1_000)
            peer.write(greeting)
            if greeting == b"\x05\x00":
                peer.heads.append(peer.connection.recv(1_000))
                peer.write(_GRANTED if reply is None else reply)
                if reply is None:
                    forward(peer)

    return handle


def assert_named(  # noqa: PLR0913 - what is asked, how, and what is awaited
    monkeypatch: pytest.MonkeyPatch,
    handler: Handler,
    mode: str,
    *,
    scheme: str = "http",
    kind: str = "http",
    words: str = "",
) -> OpenRouterError:
    """Ask through a proxy that fails and return the error, which names all but the credentials.

    Args:
        monkeypatch: For the environment.
        handler: Of the proxy.
        mode: Of asking.
        scheme: Of the server.
        kind: Of the proxy.
        words: That the text has.
    """
    host = unknown_host()
    variable = f"{scheme.upper()}_PROXY"
    with RawServer(handler) as proxy:
        address = proxy.origin.replace("http", kind)
        user = USER if kind == "http" else ""
        monkeypatch.setenv(variable, address.replace("//", f"//{user}"))
        error = failure(f"{scheme}://{host}/api/v1", mode)
    assert isinstance(error, OpenRouterConnectionError)
    assert all(part in str(error) for part in (host, address, variable, words))
    whole = "".join(traceback.format_exception(error))
    assert not any(part in whole for part in (PASSWORD, USER, BASIC.decode(), KEY))
    return error
