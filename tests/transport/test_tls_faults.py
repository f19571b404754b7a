"""TLS that breaks: every fault is a typed error, and what had come is kept."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterConnectionError
from langchain_openrouter_o3._http import shared_clients
from langchain_openrouter_o3.emulator.serving.connection import untrusted_context
from tests.helpers import wire
from tests.helpers.backends import World, encrypted, every_world, own_client, wait_until_arrived
from tests.helpers.factories import build_once
from tests.helpers.raw_server import (
    GARBAGE,
    Peer,
    RawServer,
    Records,
    chunk_of,
    encrypt,
    stream_head,
)

Fault = Callable[[Peer, Records], None]
Ask = Callable[[World, ChatOpenRouterO3], Any]

WORDS = stream_head() + chunk_of(wire.sse(wire.chunk("Hello"), done=False))
HALF_A_HEAD = WORDS[:30]


def whole(world: World, model: ChatOpenRouterO3) -> Any:
    return world.ask(model, "Hi")


def streamed(world: World, model: ChatOpenRouterO3) -> Any:
    return world.listen(model, "Hi")


def broken_record(peer: Peer, records: Records) -> None:
    del records
    peer.write(GARBAGE)


def plain_text(peer: Peer, records: Records) -> None:
    del records
    peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is TLS\r\n")


def alert(peer: Peer, records: Records) -> None:
    del peer
    records.add_alert()
    records.flush()


def half_a_record(peer: Peer, records: Records) -> None:
    records.add(WORDS)
    records.flush(keep=10)
    peer.close()


def end(peer: Peer, records: Records) -> None:
    del records
    peer.close()


def farewell(peer: Peer, records: Records) -> None:
    records.add_farewell()
    records.flush()
    peer.close()


def reset(peer: Peer, records: Records) -> None:
    del records
    peer.reset()


every_way_of_asking = pytest.mark.parametrize("ask", [whole, streamed])
every_fault = pytest.mark.parametrize(
    "fault", [broken_record, plain_text, alert, half_a_record, end, farewell, reset]
)


def breaking(fault: Fault, words: bytes) -> Callable[[Peer], None]:
    """Answer with these words, and then let TLS break."""

    def handle(peer: Peer) -> None:
        inner, records = encrypt(peer)
        inner.read_request()
        inner.write(words)
        wait_until_arrived(peer.connection)  # a reset discards what has not been sent
        fault(peer, records)
        inner.read_request()  # until the client has left

    return handle


def trusted() -> ssl.SSLContext:
    """Make a client's context that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def demanding() -> ssl.SSLContext:
    """Make a client's context that trusts the server's certificate, if the name fits."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # without the authority that signed it
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(certificate()))
    return context


def certificate() -> bytes:
    """Return the certificate of every server here, by greeting one in memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = untrusted_context().wrap_bio(there, back, server_side=True)
    client = trusted().wrap_bio(back, there)
    for end_of_connection in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            end_of_connection.do_handshake()
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


@every_world
@every_way_of_asking
@every_fault
@pytest.mark.parametrize("words", [WORDS, HALF_A_HEAD, b""], ids=["stream", "head", "nothing"])
@pytest.mark.usefixtures("trusting")
def test_a_fault_of_tls_is_a_lost_connection(
    world: World, ask: Ask, fault: Fault, words: bytes
) -> None:
    async def scenario() -> None:
        with pytest.raises(OpenRouterConnectionError, match="was lost") as caught:
            await ask(world, model)
        if words == WORDS:
            assert caught.value.partial is not None
            assert caught.value.partial.text.startswith("Hello")

    with (
        RawServer(breaking(fault, words)) as server,
        build_once(server, base_url=encrypted(server)) as model,
    ):
        world.run(scenario())
        assert server.requests == 1


@every_world
@every_way_of_asking
@every_fault
def test_a_fault_of_tls_is_a_lost_connection_of_own_clients_too(
    world: World, ask: Ask, fault: Fault
) -> None:
    async def scenario() -> None:
        async with own_client(world, verify=trusted()) as own:
            model = build_once(server, base_url=encrypted(server), **own)
            with pytest.raises(OpenRouterConnectionError, match="was lost") as caught:
                await ask(world, model)
        assert caught.value.partial is not None
        assert caught.value.partial.text.startswith("Hello")

    with RawServer(breaking(fault, WORDS)) as server:
        world.run(scenario())


@every_world
@pytest.mark.parametrize(
    "greet",
    [
        lambda peer: peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda peer: peer.write(GARBAGE),
        lambda peer: peer.write(GARBAGE[:7]),
        lambda peer: peer.write(b"\x15\x03\x03\x00\x02\x02\x28"),  # an alert: handshake failure
        Peer.write,
    ],
    ids=["plain text", "garbage", "half a record", "alert", "nothing"],
)
@pytest.mark.parametrize("leave", [Peer.close, Peer.reset], ids=["fin", "rst"])
@pytest.mark.usefixtures("trusting")
def test_a_server_that_does_not_greet_cannot_be_connected_to(
    world: World, greet: Callable[[Peer], None], leave: Callable[[Peer], None]
) -> None:
    def handle(peer: Peer) -> None:
        peer.connection.recv(65_536)
        greet(peer)
        leave(peer)

    async def scenario() -> None:
        with pytest.raises(OpenRouterConnectionError, match="Cannot connect to 127"):
            await world.ask(model, "Hi")

    with RawServer(handle) as server, build_once(server, base_url=encrypted(server)) as model:
        world.run(scenario())


@every_world
@pytest.mark.parametrize(
    ("context", "words"),
    [(ssl.create_default_context, "local issuer certificate"), (demanding, "mismatch")],
    ids=["not trusted", "wrong name"],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("own", [False, True], ids=["shared clients", "own clients"])
def test_a_certificate_that_is_not_the_servers_is_named(  # noqa: PLR0913, PLR0917 - the kinds are crossed
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    context: Callable[[], ssl.SSLContext],
    words: str,
    host: str,
    own: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    verify = context()
    monkeypatch.setattr(shared_clients, "tls_context", lambda: verify)

    async def scenario() -> None:
        async with own_client(world, verify=verify) as clients:
            base_url = encrypted(server).replace("127.0.0.1", host)
            with build_once(server, base_url=base_url, **(clients if own else {})) as model:
                with pytest.raises(OpenRouterConnectionError, match=words) as caught:
                    await world.ask(model, "Hi")
                assert f"Cannot connect to {host}" in str(caught.value)
                is_of_unknown_issuer = words == "local issuer certificate"
                assert ("SSL_CERT_FILE" in str(caught.value)) == is_of_unknown_issuer
                assert caught.value.is_retryable != is_of_unknown_issuer

    def handle(peer: Peer) -> None:
        encrypt(peer)

    with RawServer(handle) as server:
        world.run(scenario())
        assert server.requests == 0
