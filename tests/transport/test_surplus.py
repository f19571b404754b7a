"""Bytes that nobody asked for, behind an answer: they must not become the next caller's answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from langchain_openrouter_o3 import OpenRouterNotFoundError
from tests.helpers import wire
from tests.helpers.backends import (
    World,
    answer,
    chunked_answer,
    echo,
    encrypted,
    every_usual_world,
    plain_and_tls,
    prompt_of,
    sized_stream,
    streamed_answer,
    wait_until_arrived,
)
from tests.helpers.factories import build_once
from tests.helpers.raw_server import (
    LAST_CHUNK,
    PATIENCE,
    Peer,
    RawServer,
    Records,
    chunk_of,
    encrypt,
    response,
    stream_head,
)

Write = Callable[[str], bytes]

pytestmark = pytest.mark.usefixtures("trusting")
READ_SIZE = 65_536
"""Bytes that a connection is asked for at once."""

STRAY = answer("stray")
every_surplus = pytest.mark.parametrize(
    "surplus",
    [STRAY, b"no HTTP at all", b"\x00", b"\r\n", STRAY[:15]],
    ids=["answer", "garbage", "byte", "line", "beginning"],
)
every_framing = pytest.mark.parametrize("write", [answer, streamed_answer])


class Surplus:
    """Calls whose first answer has something behind it.

    Nobody can tell a stray answer that comes behind the next request from that one's own, so the
    second call waits until the surplus has come.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._idle, self._arrived = threading.Event(), threading.Event()

    def handle(self, peer: Peer, surplus: bytes, *, idle: bool = False) -> None:
        """Serve; the surplus comes with the first answer, or while the connection is idle."""
        if peer.number == 1 and peer.read_request():
            whole = self._write(prompt_of(peer.bodies[-1]))
            peer.write(whole if idle else whole + surplus)
            if idle:
                self._idle.wait(PATIENCE)
                peer.write(surplus)
            self.arrive(peer)
        echo(peer, self._write)

    def arrive(self, peer: Peer) -> None:
        """Wait until everything has come, and allow the second call."""
        wait_until_arrived(peer.connection)
        self._arrived.set()

    def ask(self, world: World, server: RawServer, first: str = "First", **arguments: Any) -> None:
        """Make three calls; each must get its own answer, and the first keeps no connection."""
        streamed = self._write in (sized_stream, streamed_answer)
        ask = world.listen if streamed else world.ask

        async def scenario() -> None:
            assert await ask(model, first) == first
            self._idle.set()
            assert self._arrived.wait(PATIENCE)
            assert await ask(model, "Second") == "Second"
            assert await ask(model, "Third") == "Third"

        with build_once(server, **arguments) as model:
            world.run(scenario())
        assert server.requests == 3
        assert len(server.peers[0].bodies) == 1


def filling(write: Write, size: int) -> str:
    """Return a text whose whole answer takes so many bytes."""
    for length in range(size - len(write("")), 0, -1):
        if len(write("x" * length)) == size:
            return "x" * length
    raise AssertionError(size)


@every_usual_world
@plain_and_tls
@every_surplus
@every_framing
@pytest.mark.parametrize("idle", [False, True], ids=["at once", "while idle"])
def test_surplus_behind_an_answer_costs_the_connection(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    surplus: bytes,
    write: Write,
    idle: bool,  # noqa: FBT001 - same
) -> None:
    calls = Surplus(write)
    with RawServer(lambda peer: calls.handle(peer, surplus, idle=idle), tls=tls) as server:
        calls.ask(world, server)


@every_usual_world
@plain_and_tls
@pytest.mark.parametrize("size", [READ_SIZE - 1, READ_SIZE, READ_SIZE + 1, 2 * READ_SIZE])
@every_framing
def test_surplus_where_a_read_ends_costs_the_connection(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    size: int,
    write: Write,
) -> None:
    calls = Surplus(write)
    with RawServer(lambda peer: calls.handle(peer, STRAY), tls=tls) as server:
        calls.ask(world, server, filling(write, size))


def add_record(records: Records) -> None:
    records.add(STRAY)
    records.flush()


def add_half_a_record(records: Records) -> None:
    records.add(STRAY)
    records.flush(keep=10)


def add_farewell(records: Records) -> None:
    records.add_farewell()
    records.flush()


def add_alert(records: Records) -> None:
    records.add_alert()
    records.flush()


@every_usual_world
@every_framing
@pytest.mark.parametrize("add", [add_record, add_half_a_record, add_farewell, add_alert])
def test_a_record_of_tls_behind_an_answer_costs_the_connection(
    world: World, write: Write, add: Callable[[Records], None]
) -> None:
    """It comes in the same flight: beside the answer, unread below TLS or in its buffer."""

    def handle(peer: Peer) -> None:
        inner, records = encrypt(peer)
        if peer.number == 1 and inner.read_request():
            records.add(write(prompt_of(peer.bodies[-1])))
            add(records)
            calls.arrive(peer)
        echo(inner, write)

    calls = Surplus(write)
    with RawServer(handle) as server:
        calls.ask(world, server, base_url=encrypted(server))


@every_usual_world
def test_surplus_behind_an_error_costs_the_connection(world: World) -> None:
    refusal = response(wire.to_json(wire.error(404, "Nothing here")), status="404 Not Found")

    def handle(peer: Peer) -> None:
        if peer.number == 1 and peer.read_request():
            peer.write(refusal + STRAY)
        echo(peer)

    async def scenario() -> None:
        with pytest.raises(OpenRouterNotFoundError, match="Nothing here"):
            await world.ask(model, "First")
        assert await world.ask(model, "Second") == "Second"

    with RawServer(handle) as server, build_once(server) as model:
        world.run(scenario())
        assert len(server.peers) == 2


def extended(text: str) -> bytes:
    return chunked_answer(text).replace(b"\r\n0\r\n", b"\r\n0;last=yes\r\n")


def with_trailer(text: str) -> bytes:
    return chunked_answer(text).removesuffix(b"\r\n") + b"x-checksum: 1\r\n\r\n"


def framed_twice(text: str) -> bytes:
    return chunked_answer(text, "content-length: 5")


def in_lines_without_cr(text: str) -> bytes:
    head, _, body = answer(text).partition(b"\r\n\r\n")
    return head.replace(b"\r\n", b"\n") + b"\n\n" + body


def of_http_1_0(text: str) -> bytes:
    return answer(text, "connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")


def in_capitals(text: str) -> bytes:
    body = chunk_of(wire.to_json(wire.body(text)))
    return (
        stream_head().upper().replace(b"TEXT/EVENT-STREAM", b"application/json") + body + LAST_CHUNK
    )


@every_usual_world
@pytest.mark.parametrize(
    "write", [extended, with_trailer, framed_twice, in_lines_without_cr, of_http_1_0, in_capitals]
)
def test_surplus_behind_answers_in_odd_forms_costs_the_connection(
    world: World, write: Write
) -> None:
    calls = Surplus(write)
    with RawServer(lambda peer: calls.handle(peer, STRAY)) as server:
        calls.ask(world, server)
