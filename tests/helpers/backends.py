"""What the tests of this folder share: answers, sockets, and one scenario in every world.

The worlds are blocking calls, asyncio, uvloop and trio. A scenario is a coroutine that asks
through a `World`. In the blocking world it never pauses, so that it runs to its end at once; in
the others it runs on one event loop, whose connections it may use again.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import select
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import httpx
import pytest
from langchain_core.messages import HumanMessage

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.conftest import THOROUGH
from tests.helpers import wire
from tests.helpers.connections import run_on
from tests.helpers.raw_server import (
    LAST_CHUNK,
    PATIENCE,
    Peer,
    RawServer,
    chunk_of,
    response,
    stream_head,
)

T = TypeVar("T")
STREAM = "content-type: text/event-stream"


class World(Protocol):
    """Where a scenario runs."""

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a scenario to its end."""
        ...

    async def ask(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        """Return the text of a whole answer."""
        ...

    async def listen(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        """Return the text of a streamed answer."""
        ...


class _Blocking:
    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        try:
            scenario.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise AssertionError("a blocking scenario has paused")

    async def ask(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        return str(model.invoke(prompt, **arguments).text)

    async def listen(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        return "".join([str(chunk.text) for chunk in model.stream(prompt, **arguments)])


class _Loop:
    def __init__(self, kind: str) -> None:
        self._kind = kind

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        return run_on(self._kind, scenario)

    async def ask(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        return str((await model.ainvoke(prompt, **arguments)).text)

    async def listen(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        return "".join([str(chunk.text) async for chunk in model.astream(prompt, **arguments)])


class _Trio:
    """Uses the model's own hooks; see `tests/lifecycle/test_trio.py`."""

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        trio: Any = pytest.importorskip("trio")

        async def main() -> T:
            return await scenario

        result: T = trio.run(main)
        return result

    async def ask(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        result = await model._agenerate([HumanMessage(prompt)], **arguments)
        return str(result.generations[0].text)

    async def listen(self, model: ChatOpenRouterO3, prompt: str, **arguments: Any) -> str:
        chunks = model._astream([HumanMessage(prompt)], **arguments)
        return "".join([str(chunk.text) async for chunk in chunks])


WORLDS: dict[str, World] = {
    "blocking": _Blocking(),
    "asyncio": _Loop("asyncio"),
    "uvloop": _Loop("uvloop"),
    "trio": _Trio(),
}


_ALL = list(WORLDS) if THOROUGH else ["blocking", "asyncio"]
_USUAL = [name for name in _ALL if name != "trio"]
every_world = pytest.mark.parametrize("world", [WORLDS[name] for name in _ALL], ids=_ALL)
every_usual_world = pytest.mark.parametrize("world", [WORLDS[name] for name in _USUAL], ids=_USUAL)
plain_and_tls = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def encrypted(server: RawServer) -> str:
    """Return the base URL of a server whose handler encrypts by hand (`tls_records`)."""
    return server.base_url.replace("http:", "https:")


@contextlib.asynccontextmanager
async def own_client(
    world: World, library: Any = httpx, **arguments: Any
) -> AsyncIterator[dict[str, Any]]:
    """Give the argument of a model that asks through the caller's own client."""
    if world is WORLDS["blocking"]:
        with library.Client(**arguments) as blocking:
            yield {"http_client": blocking}
    else:
        async with library.AsyncClient(**arguments) as client:
            yield {"http_async_client": client}


def prompt_of(body: bytes) -> str:
    """Return the last words of a request."""
    return str(json.loads(body)["messages"][-1]["content"])


def answer(text: str, *headers: str) -> bytes:
    """Write a whole answer with a length."""
    return response(wire.to_json(wire.body(text)), *headers)


def chunked_answer(text: str, *headers: str) -> bytes:
    """Write a whole answer in chunks."""
    head = stream_head(*headers).replace(b"text/event-stream", b"application/json")
    return head + chunk_of(wire.to_json(wire.body(text))) + LAST_CHUNK


def streamed_answer(text: str, *headers: str) -> bytes:
    """Write a whole stream in chunks."""
    events = [wire.sse(each, done=False) for each in (wire.chunk(text), *wire.ending())]
    chunks = map(chunk_of, [*events, b"data: [DONE]\n\n"])
    return b"".join((stream_head(*headers), *chunks, LAST_CHUNK))


def sized_stream(text: str, *headers: str) -> bytes:
    """Write a whole stream with a length."""
    return response(wire.sse(wire.chunk(text), *wire.ending()), STREAM, *headers)


def echo(peer: Peer, write: Callable[[str], bytes] = answer) -> None:
    """Answer every request with its own prompt."""
    while peer.read_request():
        peer.write(write(prompt_of(peer.bodies[-1])))


def client_sockets(server: RawServer) -> list[socket.socket]:
    """Return this process's open sockets that are connected to a server."""
    port = int(server.origin.rpartition(":")[2])
    found = [each for each in gc.get_objects() if issubclass(type(each), socket.socket)]
    return [each for each in found if each.fileno() >= 0 and _port_of_peer(each) == port]


def wait_until_readable(connection: socket.socket, event: int = select.POLLIN) -> None:
    """Wait until something has arrived at a socket: data, an end or a reset."""
    waiting = select.poll()
    waiting.register(connection, event)
    assert waiting.poll(PATIENCE * 1000)


def wait_until_arrived(connection: socket.socket) -> None:
    """Wait until the other side's kernel has all that was written, or has hung up."""
    if sys.platform != "linux":
        time.sleep(0.1)  # nobody tells
        return
    import fcntl
    import termios

    unconfirmed = array.array("i", [1])
    hung_up = select.poll()
    hung_up.register(connection, select.POLLRDHUP)
    end = time.monotonic() + PATIENCE
    while unconfirmed[0] and not hung_up.poll(1):
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, unconfirmed)
        assert time.monotonic() < end


def _port_of_peer(connection: socket.socket) -> int | None:
    try:
        return int(connection.getpeername()[1])
    except (OSError, IndexError):
        return None
