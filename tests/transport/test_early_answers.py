"""A server that answers a large request before it has read it, and hangs up."""

from __future__ import annotations

import pytest

from langchain_openrouter_o3 import OpenRouterInvalidRequestError
from tests.helpers import wire
from tests.helpers.backends import World, answer, echo, every_world, plain_and_tls
from tests.helpers.factories import build_once
from tests.helpers.raw_server import Peer, RawServer, response

pytestmark = pytest.mark.usefixtures("trusting")
LARGE = "x" * 6_000_000
RUNS = 5
WORDS = "At most 4 MB, said the server"


def refusal(status: str) -> bytes:
    code = int(status.split(maxsplit=1)[0])
    return response(wire.to_json(wire.error(code, WORDS)), "connection: close", status=status)


@every_world
@plain_and_tls
@pytest.mark.parametrize("status", ["413 Payload Too Large", "400 Bad Request"])
def test_the_words_of_an_early_answer_are_in_the_error(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
    status: str,
) -> None:
    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.write(refusal(status))
        peer.close()  # of unread data, so that a reset follows

    async def scenario() -> None:
        for _ in range(RUNS):
            with pytest.raises(OpenRouterInvalidRequestError, match=WORDS):
                await world.ask(model, LARGE)

    with RawServer(handle, tls=tls) as server, build_once(server) as model:
        world.run(scenario())
        assert len(server.peers) == RUNS


@every_world
@plain_and_tls
def test_an_early_answer_in_pieces_is_read_whole(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    head, _, body = refusal("413 Payload Too Large").partition(b"\r\n\r\n")

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.write(head[:9], head[9:], b"\r\n\r\n", body[:20], body[20:])
        peer.close()

    async def scenario() -> None:
        with pytest.raises(OpenRouterInvalidRequestError, match=WORDS):
            await world.listen(model, LARGE)

    with RawServer(handle, tls=tls) as server, build_once(server) as model:
        world.run(scenario())


@every_world
@plain_and_tls
def test_an_early_answer_on_a_reused_connection_is_the_answer(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The request is not sent once more: the server has answered it."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(answer("First"))
        peer.read_head()
        peer.write(refusal("413 Payload Too Large"))
        peer.close()

    async def scenario() -> None:
        assert await world.ask(model, "First") == "First"
        with pytest.raises(OpenRouterInvalidRequestError, match=WORDS):
            await world.ask(model, LARGE)

    with RawServer(handle, tls=tls) as server, build_once(server, max_retries=2) as model:
        world.run(scenario())
        assert len(server.peers) == 1


@every_world
def test_an_early_answer_that_breaks_off_still_has_its_status(world: World) -> None:
    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.write(refusal("413 Payload Too Large")[:-10])
        peer.close()

    async def scenario() -> None:
        with pytest.raises(OpenRouterInvalidRequestError) as caught:
            await world.ask(model, LARGE)
        assert caught.value.status_code == 413

    with RawServer(handle) as server, build_once(server) as model:
        world.run(scenario())


@every_world
def test_an_early_wish_to_wait_is_granted(world: World) -> None:
    body = wire.to_json(wire.error(429, "Slow down"))
    wait = response(body, "retry-after-ms: 1", status="429 Too Many Requests")

    def handle(peer: Peer) -> None:
        if peer.number == 1:
            peer.read_head()
            peer.write(wait)
            peer.close()
        else:
            echo(peer)

    async def scenario() -> None:
        assert await world.ask(model, LARGE) == LARGE

    with RawServer(handle) as server, build_once(server, max_retries=1) as model:
        world.run(scenario())
        assert len(server.peers) == 2


@every_world
@plain_and_tls
def test_an_early_good_answer_is_an_answer(
    world: World,
    tls: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.write(answer("Early"))
        peer.close()

    async def scenario() -> None:
        assert [await world.ask(model, LARGE) for _ in range(2)] == ["Early", "Early"]

    with RawServer(handle, tls=tls) as server, build_once(server) as model:
        world.run(scenario())
        assert len(server.peers) == 2
