"""Compressed answers: two encodings are asked for, one layer is undone, and no bomb goes off."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterNotFoundError,
    OpenRouterRateLimitError,
    OpenRouterStreamCutError,
)
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode, streamed_modes
from tests.helpers.raw_server import (
    LAST_CHUNK,
    PATIENCE,
    Handler,
    Peer,
    RawServer,
    chunk_of,
    response,
    stream_head,
)

both_worlds = pytest.mark.parametrize("mode", ["invoke", "astream"])

WHOLE = wire.to_json(wire.body("Hello"))
EVENTS = [wire.sse(each, done=False) for each in (wire.chunk("Hel"), wire.chunk("lo"))]
EVENTS += [wire.sse(*wire.ending())]
GZIP, ZLIB, BARE = 31, 15, -15  # zlib's names for the three formats
FORMATS = {"gzip": ("gzip", GZIP), "deflate": ("deflate", ZLIB), "bare": ("deflate", BARE)}


def packed(pieces: list[bytes], window: int) -> list[bytes]:
    """Compress pieces so that each can be read as soon as it comes."""
    packer = zlib.compressobj(wbits=window)
    each = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*each, packer.flush()]


def answering(data: bytes, *headers: str, status: str = "200 OK") -> Handler:
    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.write(response(data, *headers, status=status))

    return handle


def build(server: RawServer, **arguments: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, max_retries=0, **arguments)


def outcome(mode: str, handler: Handler, **arguments: Any) -> Any:
    """Return the text of an answer, or the error."""
    with RawServer(handler) as server, build(server, **arguments) as model:
        try:
            return MODES[mode](model).text
        except OpenRouterError as error:
            return error


@every_mode
@pytest.mark.parametrize("name", FORMATS)
def test_what_was_asked_for_is_unpacked(name: str, mode: str) -> None:
    encoding, window = FORMATS[name]
    headers = f"content-encoding: {encoding.upper()}", "content-type: application/json"
    answer = response(b"".join(packed([WHOLE], window)), *headers)
    if "stream" in mode:
        chunks = b"".join(map(chunk_of, packed(EVENTS, window)))
        answer = stream_head(f"Content-Encoding: {encoding}") + chunks + LAST_CHUNK

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(answer)

    with RawServer(handle) as server, build(server) as model:
        assert MODES[mode](model).text == "Hello"
        assert b"\r\naccept-encoding: gzip, deflate\r\n" in server.peers[0].heads[0]


class Shown(BaseCallbackHandler):
    """Tells the server which words have been shown."""

    def __init__(self) -> None:
        self.words = threading.Semaphore(0)

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        if token:
            self.words.release()


@streamed_modes
@pytest.mark.parametrize("name", FORMATS)
def test_packed_words_are_shown_as_they_come(name: str, mode: str) -> None:
    encoding, window = FORMATS[name]
    shown = Shown()

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(stream_head(f"content-encoding: {encoding}"))
        for number, piece in enumerate(packed(EVENTS, window)):
            peer.write(chunk_of(piece))
            assert number > 1 or shown.words.acquire(timeout=PATIENCE)
        peer.write(LAST_CHUNK)

    assert outcome(mode, handle, callbacks=[shown]) == "Hello"


def brotli(data: bytes) -> bytes:
    return bytes(pytest.importorskip("brotli").compress(data, quality=5))


def zstd(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").compress(data))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli,
    "zstd": zstd,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
    "identity, gzip": gzip.compress,
    "gzip, identity": gzip.compress,
    "compress": bytes,
    "aws-chunked": bytes,
    "utf-8": bytes,
    "gzip;q=1": gzip.compress,
    "x" * 10_000: bytes,
}


@every_mode
@pytest.mark.parametrize("encoding", PACKERS, ids=lambda name: name[:20])
def test_what_nobody_asked_for_is_refused_by_its_name(encoding: str, mode: str) -> None:
    data = PACKERS[encoding](WHOLE)
    error = outcome(mode, answering(data, f"content-encoding: {encoding}"))
    assert isinstance(error, OpenRouterMalformedResponseError)
    assert repr(encoding[:40]) in str(error)
    assert len(str(error)) < 200


@both_worlds
def test_two_layers_in_two_headers_are_two_layers(mode: str) -> None:
    data = gzip.compress(gzip.compress(WHOLE))
    error = outcome(mode, answering(data, *["content-encoding: gzip"] * 2))
    assert isinstance(error, OpenRouterMalformedResponseError)
    assert "gzip, gzip" in str(error)


@both_worlds
@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_an_encoding_that_is_none_is_read(encoding: str, mode: str) -> None:
    assert outcome(mode, answering(WHOLE, f"content-encoding: {encoding}")) == "Hello"


@both_worlds
@pytest.mark.parametrize("asked", ["GZIP", "gzip;q=1.0, identity;q=0.5", "br;q=0.9,gzip ; q=0.5"])
def test_ones_own_header_may_ask_with_weights(asked: str, mode: str) -> None:
    handler = answering(gzip.compress(WHOLE), "content-encoding: gzip")
    assert outcome(mode, handler, default_headers={"Accept-Encoding": asked}) == "Hello"


PACKED = gzip.compress(WHOLE)
TORN = [PACKED[:size] for size in (0, 1, 9, 10, 15, len(PACKED) // 2, len(PACKED) - 12)]
BROKEN = [bytes([*PACKED[:at], PACKED[at] ^ 0xFF, *PACKED[at + 1 :]]) for at in (0, 2, 40, -7, -1)]


@both_worlds
@pytest.mark.parametrize("data", [*TORN, *BROKEN, WHOLE], ids=lambda data: str(len(data)))
def test_broken_or_torn_compression_is_a_malformed_answer(data: bytes, mode: str) -> None:
    error = outcome(mode, answering(data, "content-encoding: gzip"))
    assert isinstance(error, OpenRouterMalformedResponseError)


@streamed_modes
@pytest.mark.parametrize("damage", [b"", b"\xff" * 50], ids=["torn", "broken"])
def test_what_came_before_the_damage_is_kept(damage: bytes, mode: str) -> None:
    shown = Shown()

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(stream_head("content-encoding: gzip"), chunk_of(packed(EVENTS, GZIP)[0]))
        assert shown.words.acquire(timeout=PATIENCE)
        peer.write(chunk_of(damage) if damage else b"", LAST_CHUNK)

    error = outcome(mode, handle, callbacks=[shown])
    assert isinstance(
        error, OpenRouterMalformedResponseError if damage else OpenRouterStreamCutError
    )
    assert error.partial is not None
    assert error.partial.text == "Hel"


@both_worlds
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, gzip", "unknown"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, OpenRouterAuthenticationError),
        (404, OpenRouterNotFoundError),
        (429, OpenRouterRateLimitError),
        (500, OpenRouterAPIError),
    ],
)
def test_the_status_of_an_error_counts_whatever_its_encoding(
    status: int, kind: type[OpenRouterError], encoding: str, mode: str
) -> None:
    body = gzip.compress(wire.to_json(wire.error(status, "Words of the server")))
    handler = answering(body, f"content-encoding: {encoding}", status=f"{status} Error")
    error = outcome(mode, handler)
    assert type(error) is kind
    assert ("Words of the server" in str(error)) == (encoding == "gzip")
