"""Time limits of a call, whatever the other side does in very small steps."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
)
from tests.conftest import THOROUGH
from tests.helpers.backends import (
    WORLDS,
    World,
    answer,
    encrypted,
    every_usual_world,
    every_world,
    own_client,
    plain_and_tls,
)
from tests.helpers.factories import build_once
from tests.helpers.raw_server import Peer, RawServer

Ask = Callable[[World, ChatOpenRouterO3], Any]

pytestmark = pytest.mark.usefixtures("trusting", "bare_environment")
LARGE = "x" * 6_000_000
STEP, STEPS = 0.05, 200
"""Ten seconds, where a limit is a tenth of a second."""

PIECE = 65_536
LIMITS: dict[str, type[OpenRouterTimeoutError]] = {
    "idle_timeout": OpenRouterIdleTimeoutError,
    "total_timeout": OpenRouterTotalTimeoutError,
}


def whole(world: World, model: ChatOpenRouterO3) -> Any:
    return world.ask(model, "Hi")


def streamed(world: World, model: ChatOpenRouterO3) -> Any:
    return world.listen(model, "Hi")


def large(world: World, model: ChatOpenRouterO3) -> Any:
    return world.ask(model, LARGE)


class Drip:
    """A server that takes very long, in small steps, until the client has left.

    Attributes:
        is_over: Whether it came to its end, because nothing has ended it.
    """

    def __init__(self, *, after: int = 0) -> None:
        """Begin after so many good answers."""
        self.is_over = False
        self._after = after
        self._stop = threading.Event()

    def _steps(self, peer: Peer) -> Iterator[None]:
        """Answer, and then make steps, each in time for the time-out of one read or write."""
        for _ in range(self._after):
            peer.read_request()
            peer.write(answer("First"))
        for _ in range(STEPS):
            if self._stop.wait(STEP):
                return
            yield
        self.is_over = True

    def stop(self) -> None:
        """Make no more steps: what lies in the kernel's buffers would take them all."""
        self._stop.set()

    def head(self, peer: Peer) -> None:
        """Answer with a head that does not end."""
        for number, _ in enumerate(self._steps(peer)):
            if number == 0:
                peer.read_head()
            peer.write(b"x" if number else b"HTTP/1.1 200 OK\r\nx-slow: ")

    def body(self, peer: Peer) -> None:
        """Read a large request in small pieces."""
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        for _ in self._steps(peer):
            peer.connection.recv(PIECE)

    def greeting(self, peer: Peer) -> None:
        """Greet in TLS with a record that does not end."""
        peer.write(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        for _ in self._steps(peer):
            peer.write(b"x")

    def silence(self, peer: Peer) -> None:
        """Say nothing, as a proxy."""
        peer.connection.settimeout(STEP * STEPS)
        while peer.connection.recv(65_536):
            pass


every_limit = pytest.mark.parametrize("limit", LIMITS)
every_drip = pytest.mark.parametrize(
    ("drip", "ask", "limit"),
    [
        (Drip.head, whole, "idle_timeout"),
        (Drip.head, whole, "total_timeout"),
        (Drip.head, streamed, "total_timeout"),
        (Drip.body, large, "total_timeout"),
    ],
    ids=["idle", "total", "total of a stream", "total of a body"],
)
every_connection = pytest.mark.parametrize("after", [0, 1], ids=["fresh", "reused"])


async def assert_ended(  # noqa: PLR0913 - what is asked, how, and of whom
    world: World, slow: Drip, ask: Ask, *, model: ChatOpenRouterO3, limit: str, after: int
) -> None:
    """Make a call that a limit ends; if the server begins with an answer, another before it."""
    for _ in range(after):
        assert await world.ask(model, "First") == "First"
    limited = model.model_copy(update={limit: 0.1})
    with pytest.raises(LIMITS[limit], match=f"{limit}=0.1 s"):
        await ask(world, limited)
    assert not slow.is_over
    slow.stop()


@every_usual_world
@plain_and_tls
@every_drip
@every_connection
def test_total_timeout_and_idle_timeout_end_what_comes_in_small_steps(  # noqa: PLR0913, PLR0917 - the kinds are crossed
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    drip: Callable[[Drip, Peer], None],
    ask: Ask,
    limit: str,
    after: int,
) -> None:
    slow = Drip(after=after)
    with RawServer(lambda peer: drip(slow, peer), tls=tls) as server, build_once(server) as model:
        world.run(assert_ended(world, slow, ask, model=model, limit=limit, after=after))


@pytest.mark.parametrize("world", [WORLDS["blocking"], WORLDS["asyncio"]], ids=["sync", "async"])
@every_drip
@every_connection
@pytest.mark.parametrize(("library", "tls"), [("httpx", False), ("httpx", True), ("httpx2", False)])
def test_total_timeout_and_idle_timeout_end_small_steps_through_http_client(  # noqa: PLR0913, PLR0917 - same
    request: pytest.FixtureRequest,
    world: World,
    drip: Callable[[Drip, Peer], None],
    ask: Ask,
    limit: str,
    after: int,
    library: str,
    tls: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    if after and world is WORLDS["blocking"] and drip is Drip.head:
        # httpx does not tell which of its idle connections a request has taken.
        # Not strict: on a busy machine the time-out of a single read may end the call.
        request.applymarker(pytest.mark.xfail(strict=False, reason="docs/transport.md says so"))
        if not THOROUGH:
            pytest.skip("fails as docs/transport.md says, and takes 10 s; THOROUGH=1 runs it")

    async def scenario() -> None:
        async with own_client(world, pytest.importorskip(library), verify=False) as own:
            model = build_once(server, **own)
            await assert_ended(world, slow, ask, model=model, limit=limit, after=after)

    slow = Drip(after=after)
    with RawServer(lambda peer: drip(slow, peer), tls=tls) as server:
        world.run(scenario())


@every_world
@every_limit
def test_total_timeout_ends_a_greeting_of_tls_in_small_steps(world: World, limit: str) -> None:
    slow = Drip()
    with (
        RawServer(slow.greeting) as server,
        build_once(server, base_url=encrypted(server)) as model,
    ):
        world.run(assert_ended(world, slow, whole, model=model, limit=limit, after=0))


@every_usual_world
@pytest.mark.parametrize("limit", ["total_timeout", "timeout"])
@pytest.mark.parametrize(
    ("proxy", "scheme"),
    [("http", "http"), ("http", "https"), ("socks5", "http"), ("socks5", "https")],
)
def test_total_timeout_ends_the_silence_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch, world: World, limit: str, proxy: str, scheme: str
) -> None:
    async def scenario() -> None:
        with pytest.raises(LIMITS.get(limit, OpenRouterTimeoutError)):
            await world.ask(model, "Hi")

    with RawServer(Drip().silence) as server:
        monkeypatch.setenv("ALL_PROXY", server.origin.replace("http", proxy))
        base_url = f"{scheme}://openrouter.invalid/api/v1"
        arguments: dict[str, Any] = {limit: 0.1}
        with build_once(server, base_url=base_url, **arguments) as model:
            world.run(scenario())


NO_TIMES = [sys.maxsize, 1e300, float("inf"), float("nan"), 0, -1, True]
every_argument = pytest.mark.parametrize("name", ["idle_timeout", "total_timeout", "timeout"])


@every_argument
@pytest.mark.parametrize("value", NO_TIMES, ids=str)
def test_a_time_that_nobody_can_wait_is_refused_by_name(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ValidationError, match=f"{name} is in seconds"):
        ChatOpenRouterO3(api_key="k", **arguments)


@pytest.mark.parametrize("value", NO_TIMES, ids=str)
@pytest.mark.parametrize("part", ["connect", "read", "write", "pool"])
def test_a_part_of_a_time_out_that_nobody_can_wait_is_refused(part: str, value: float) -> None:
    parts: dict[str, Any] = {"connect": 1, "read": 1, "write": 1, "pool": 1, part: value}
    for timeout in (parts, httpx.Timeout(**parts)):
        with pytest.raises(ValidationError, match="timeout is in seconds"):
            ChatOpenRouterO3(api_key="k", timeout=timeout)


@every_usual_world
@every_argument
def test_limits_work_after_a_call_was_refused_by_its_limit(world: World, name: str) -> None:
    """A thread that a limit had ended would watch no later call."""

    async def scenario() -> None:
        async with own_client(world) as own:
            for arguments in ({}, own):
                model = build_once(server, **arguments)
                for value in NO_TIMES:
                    for ask in (world.ask, world.listen):
                        with pytest.raises(OpenRouterInputError, match=f"{name} is in seconds"):
                            await ask(model, "Hi", **{name: value})
                with pytest.raises(OpenRouterIdleTimeoutError):
                    await world.ask(model, "Hi", idle_timeout=0.2)
                assert not slow.is_over

    slow = Drip()
    with RawServer(slow.head) as server:
        world.run(scenario())
        assert len(server.peers) == 2
