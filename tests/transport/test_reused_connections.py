"""Connections that are kept, and those that the server has closed meanwhile."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from langchain_openrouter_o3 import OpenRouterConnectionError
from tests.helpers.backends import (
    World,
    answer,
    chunked_answer,
    client_sockets,
    echo,
    encrypted,
    every_usual_world,
    plain_and_tls,
    prompt_of,
    sized_stream,
    streamed_answer,
    wait_until_readable,
)
from tests.helpers.factories import build_once
from tests.helpers.raw_server import PATIENCE, Peer, RawServer, encrypt

pytestmark = pytest.mark.usefixtures("trusting")

LARGE = "x" * 6_000_000
READ_SIZE = 65_536

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells what the other side has confirmed"
)
every_end = pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["fin", "rst"])


@contextlib.contextmanager
def just_before_sending(action: Callable[[], None]) -> Iterator[None]:
    """Do something once between the check of a connection and the first byte of a request.

    httpcore logs when it begins to send, in the thread or task that sends.
    """

    class Hook(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("send_request_headers.started"):
                logger.removeHandler(self)
                action()

    logger, hook = logging.getLogger("httpcore.http11"), Hook()
    level = logger.level
    logger.addHandler(hook)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        assert hook not in logger.handlers  # it was reached
        logger.removeHandler(hook)


@every_usual_world
@plain_and_tls
@every_end
@linux
def test_a_call_that_meets_the_idle_close_is_answered(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    end: Callable[[Peer], None],
) -> None:
    ending, ended = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        if peer.number > 1:
            echo(peer)
        elif peer.read_request():
            peer.write(answer("First"))
            ending.wait(PATIENCE)
            end(peer)
            ended.set()

    def close_idle() -> None:
        (connection,) = client_sockets(server)
        ending.set()
        ended.wait(PATIENCE)
        wait_until_readable(connection)

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        with just_before_sending(close_idle):
            assert await world.ask(model, "Second") == "Second"
        assert await world.ask(model, "Third") == "Third"

    with RawServer(handle, tls=tls) as server, build_once(server) as model:
        world.run(scenario())
        assert [len(peer.bodies) for peer in server.peers] == [1, 2]


@every_usual_world
@linux
def test_a_call_that_meets_a_farewell_of_tls_is_answered(world: World) -> None:
    ending, ended = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        inner, records = encrypt(peer)
        if peer.number > 1:
            echo(inner)
        elif inner.read_request():
            inner.write(answer("First"))
            ending.wait(PATIENCE)
            records.add_farewell()
            records.flush()
            peer.close()
            ended.set()

    def close_idle() -> None:
        (connection,) = client_sockets(server)
        ending.set()
        ended.wait(PATIENCE)
        wait_until_readable(connection, select.POLLRDHUP)

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        with just_before_sending(close_idle):
            assert await world.ask(model, "Second") == "Second"

    with RawServer(handle) as server, build_once(server, base_url=encrypted(server)) as model:
        world.run(scenario())
        assert [len(peer.bodies) for peer in server.peers] == [1, 1]


@every_usual_world
@plain_and_tls
@every_end
@pytest.mark.parametrize("read", [0, 300_000])
def test_a_large_request_that_was_read_in_part_is_sent_again_once(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    end: Callable[[Peer], None],
    read: int,
) -> None:
    def handle(peer: Peer) -> None:
        # So that the rest does not fit into the kernel's buffers.
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_SIZE)
        if peer.number > 1:
            echo(peer)
        elif peer.read_request():
            peer.write(answer("First"))
            left = read
            while left:
                left -= len(peer.connection.recv(min(left, READ_SIZE)))
            wait_until_readable(peer.connection)  # the request has begun
            end(peer)

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        assert await world.ask(model, LARGE) == LARGE
        assert await world.ask(model, "Third") == "Third"

    with RawServer(handle, tls=tls) as server, build_once(server) as model:
        world.run(scenario())
        assert [list(map(prompt_of, peer.bodies)) for peer in server.peers] == [
            ["First"],
            [LARGE, "Third"],
        ]


@every_usual_world
@plain_and_tls
@every_end
@pytest.mark.parametrize(
    ("words", "max_retries"),
    [("Second", 0), ("Second", 2), (LARGE, 2)],
    ids=["small", "small with retries", "large"],
)
def test_a_request_that_was_read_whole_is_never_sent_again(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    end: Callable[[Peer], None],
    words: str,
    max_retries: int,
) -> None:
    def handle(peer: Peer) -> None:
        if peer.read_request():
            peer.write(answer("First"))
            peer.read_request()
            end(peer)

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        with pytest.raises(OpenRouterConnectionError, match="was lost"):
            await world.ask(model, words)

    with RawServer(handle, tls=tls) as server, build_once(server, max_retries=max_retries) as model:
        world.run(scenario())
        assert [list(map(prompt_of, peer.bodies)) for peer in server.peers] == [["First", words]]


@every_usual_world
@linux
def test_a_request_that_the_other_side_has_received_is_never_sent_again(world: World) -> None:
    """Whether it was read, nobody but the server knows."""

    def handle(peer: Peer) -> None:
        if peer.read_request():
            peer.write(answer("First"))
            while b"Second" not in peer.connection.recv(READ_SIZE, socket.MSG_PEEK):
                pass
            peer.close()  # of unread data, so that a reset follows

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        with pytest.raises(OpenRouterConnectionError, match="was lost"):
            await world.ask(model, "Second")

    with RawServer(handle) as server, build_once(server, max_retries=2) as model:
        world.run(scenario())
        assert len(server.peers) == 1


@every_usual_world
@plain_and_tls
@every_end
@pytest.mark.parametrize("max_retries", [0, 2])
def test_a_fresh_connection_that_is_lost_is_an_error_at_once(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    end: Callable[[Peer], None],
    max_retries: int,
) -> None:
    def handle(peer: Peer) -> None:
        peer.read_request()
        end(peer)

    async def scenario() -> None:
        with pytest.raises(OpenRouterConnectionError, match="was lost"):
            await world.ask(model, "First")

    with RawServer(handle, tls=tls) as server, build_once(server, max_retries=max_retries) as model:
        world.run(scenario())
        assert server.requests == 1


@every_usual_world
@plain_and_tls
@pytest.mark.parametrize(
    ("write", "streamed"),
    [
        (answer, False),
        (chunked_answer, False),
        (sized_stream, True),
        (streamed_answer, True),
        (streamed_answer, False),
    ],
)
def test_a_connection_whose_answer_has_ended_is_used_again(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    write: Callable[[str], bytes],
    streamed: bool,  # noqa: FBT001 - same
) -> None:
    ask = world.listen if streamed else world.ask

    async def scenario() -> None:
        for number in range(5):
            assert await ask(model, f"Call {number}") == f"Call {number}"

    with RawServer(lambda peer: echo(peer, write), tls=tls) as server, build_once(server) as model:
        world.run(scenario())
        assert len(server.peers) == 1


@every_usual_world
@pytest.mark.parametrize(
    ("announced", "connections"),
    [
        ("timeout=0", 3),
        ("timeout=1", 3),
        ("max=100, timeout=1", 3),
        ("Timeout = 1", 3),
        ('timeout="1"', 3),
        ("timeout=20", 1),
        ("timeout=99999999999999999999", 1),
        ("max=5", 1),
        ("soon", 1),
    ],
)
@pytest.mark.parametrize("name", ["keep-alive", "Keep-Alive"])
def test_the_announced_end_of_idle_connections_is_kept(
    world: World, name: str, announced: str, connections: int
) -> None:
    def write(text: str) -> bytes:
        return answer(text, f"{name}: {announced}")

    async def scenario() -> None:
        for number in range(3):
            assert await world.ask(model, f"Call {number}") == f"Call {number}"

    with RawServer(lambda peer: echo(peer, write)) as server, build_once(server) as model:
        world.run(scenario())
        assert len(server.peers) == connections
