"""Servers that send without end and as fast as they can, and say nothing."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterConnectionError,
    OpenRouterTotalTimeoutError,
)
from tests.helpers import wire
from tests.helpers.backends import World, answer, every_usual_world, prompt_of
from tests.helpers.connections import LOOPS, run_on
from tests.helpers.factories import build_once
from tests.helpers.raw_server import Peer, RawServer, chunk_of, stream_head

Ask = Callable[[World, ChatOpenRouterO3], Any]

HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LONG = b"HTTP/1.1 199 Miscellaneous\r\n" + b"x-long: %s\r\n" % (b"x" * 1_000) * 20 + b"\r\n"
WITHOUT_CR = HINTS.replace(b"\r\n", b"\n")
HALF_WITHOUT_CR = HINTS.replace(b"\r\n\r\n", b"\r\n\n")
WITHOUT_REASON = b"HTTP/1.1 103\r\n\r\n"

every_interim_head = pytest.mark.parametrize(
    "head",
    [HINTS, PROCESSING, CONTINUE, LONG, WITHOUT_CR, HALF_WITHOUT_CR, WITHOUT_REASON],
    ids=["103", "102", "100", "long", "without CR", "half without CR", "without reason"],
)
every_division = pytest.mark.parametrize("together", [1, 1_000], ids=["singly", "together"])


def whole(world: World, model: ChatOpenRouterO3) -> Any:
    return world.ask(model, "Hi")


def streamed(world: World, model: ChatOpenRouterO3) -> Any:
    return world.listen(model, "Hi")


@every_usual_world
@every_interim_head
@every_division
def test_informational_heads_without_end_are_an_error_without_any_limit(
    world: World, head: bytes, together: int
) -> None:
    def handle(peer: Peer) -> None:
        peer.read_request()
        for _ in range(20_000 // together):
            peer.write(head * together)

    async def scenario() -> None:
        for ask in (whole, streamed):
            with pytest.raises(OpenRouterConnectionError, match="informational"):
                await ask(world, model)

    with RawServer(handle) as server, build_once(server, timeout=None) as model:
        world.run(scenario())
        assert len(server.peers) == 2


@every_usual_world
@every_interim_head
@every_division
def test_twenty_informational_heads_before_an_answer_are_skipped(
    world: World, head: bytes, together: int
) -> None:
    def handle(peer: Peer) -> None:
        while peer.read_request():
            whole_answer = answer(prompt_of(peer.bodies[-1]))
            if together == 1:
                peer.write(*[head] * 20, whole_answer)
            else:
                peer.write(head * 20 + whole_answer)

    async def scenario() -> None:
        for number in range(3):
            assert await world.ask(model, f"Call {number}") == f"Call {number}"

    with RawServer(handle) as server, build_once(server) as model:
        world.run(scenario())


COMMENTS = stream_head(), chunk_of(b": OPENROUTER PROCESSING\n\n" * 10_000)
PADDING = stream_head("x-kind: json"), chunk_of(wire.PADDING * 20_000)
NOTHING = (
    # Blocks of deflate that hold nothing: what is decompressed never grows.
    stream_head("content-encoding: gzip") + chunk_of(gzip.compress(b"")[:10]),
    chunk_of(b"\x00\x00\x00\xff\xff" * 20_000),
)
EVENTS = stream_head(), chunk_of(wire.sse(wire.chunk("Hi"), done=False) * 200)
every_flood = pytest.mark.parametrize(
    "flood",
    [COMMENTS, PADDING, NOTHING, EVENTS],
    ids=["comments", "padding", "nothing, compressed", "words"],
)


class Flood:
    """A server that never pauses.

    Attributes:
        is_over: Whether it came to its end, because nothing has ended it.
    """

    SIZE = 300_000_000

    def __init__(self, head: bytes, piece: bytes) -> None:
        self.is_over = False
        self._head = head
        self._piece = piece * (4_000_000 // len(piece))

    def handle(self, peer: Peer) -> None:
        """Answer with what takes seconds to read."""
        peer.read_request()
        peer.write(self._head)
        for _ in range(self.SIZE // len(self._piece)):
            peer.write(self._piece)
        self.is_over = True


@every_usual_world
@every_flood
def test_the_total_limit_ends_a_flood(world: World, flood: tuple[bytes, bytes]) -> None:
    async def scenario() -> None:
        for ask in (whole, streamed):
            with pytest.raises(OpenRouterTotalTimeoutError):
                await ask(world, model)
        assert not server_side.is_over

    server_side = Flood(*flood)
    with RawServer(server_side.handle) as server, build_once(server, total_timeout=0.1) as model:
        world.run(scenario())


@pytest.mark.parametrize("kind", LOOPS)
@every_flood
@pytest.mark.parametrize("method", ["ainvoke", "astream"])
def test_a_flood_does_not_stop_an_event_loop(
    kind: str, flood: tuple[bytes, bytes], method: str
) -> None:
    """Other tasks go on, and so the call can be cancelled."""

    async def call() -> None:
        if method == "ainvoke":
            await model.ainvoke("Hi")
        else:
            async for _ in model.astream("Hi"):
                pass

    async def scenario() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call(), 0.1)
        assert not server_side.is_over

    server_side = Flood(*flood)
    with RawServer(server_side.handle) as server, build_once(server, timeout=None) as model:
        run_on(kind, scenario())
