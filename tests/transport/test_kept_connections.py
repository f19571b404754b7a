"""Connections that are kept for the next call, and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.backends import (
    World,
    answer,
    chunked_answer,
    echo,
    every_usual_world,
    plain_and_tls,
    sized_stream,
    streamed_answer,
)
from tests.helpers.factories import build_once
from tests.helpers.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("trusting")


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
