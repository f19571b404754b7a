"""Little that would become much: what an answer takes in memory stays bounded."""

from __future__ import annotations

import gzip
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.conftest import THOROUGH
from tests.helpers.raw_server import Peer, RawServer, response

MIB = 1024 * 1024
GZIP = 31  # zlib's name for the format
SECONDS = 120.0  # until a test gives up; only a failing one waits that long

CLIENT = """
    import pickle, sys
    from pathlib import Path
    from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
    from tests.helpers.modes import MODES

    base_url, mode, asked = sys.argv[1:]
    headers = {"accept-encoding": asked} if asked else None
    arguments = {"api_key": "any", "max_retries": 0, "default_headers": headers}
    try:
        MODES[mode](ChatOpenRouterO3(base_url=base_url, **arguments))
    except OpenRouterError as error:
        print(type(error).__name__, len(pickle.dumps(error)))
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


def packed(filling: bytes, beginning: bytes = b"") -> bytes:
    """A GiB of one filling, which nobody must compress: a block is compressed, and repeated."""
    packer = zlib.compressobj(9, wbits=GZIP)
    start = packer.compress(beginning) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(filling * (MIB // len(filling))) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * 1024


def twice() -> bytes:
    return gzip.compress(packed(b"\0"))


def brotli() -> bytes:
    return bytes(pytest.importorskip("brotli").compress(b"\0" * 400 * MIB, quality=5))


def zstd() -> bytes:
    return bytes(pytest.importorskip("zstandard").compress(b"\0" * 400 * MIB))


class Bomb(NamedTuple):
    """What the server sends.

    Attributes:
        mode: Of asking.
        make: Gives the body.
        encoding: Of the body.
        asked: In the caller's own header.
        status: Of the answer.
    """

    mode: str
    make: Callable[[], bytes]
    encoding: str = "gzip"
    asked: str = ""
    status: str = "200 OK"


BOMBS = {
    "zeros": Bomb("invoke", lambda: packed(b"\0")),
    "text": Bomb("ainvoke", lambda: packed(b"a", b'{"choices":[{"message":{"content":"')),
    "brackets": Bomb("invoke", lambda: packed(b"[", b'{"choices":')),
    "white space": Bomb("stream", lambda: packed(b"\n")),
    "comments": Bomb("astream", lambda: packed(b": ping\n\n")),
    "one event": Bomb("stream", lambda: packed(b"a", b"data: {")),
    "an error of zeros": Bomb("ainvoke", lambda: packed(b"\0"), status="500 Error"),
    "an error of text": Bomb(
        "stream", lambda: packed(b"a", b'{"error":{"message":"'), status="500 Error"
    ),
    "two layers": Bomb("invoke", twice, "gzip, gzip"),
    "an error of two layers": Bomb("astream", twice, "gzip, gzip", status="500 Error"),
    "brotli": Bomb("stream", brotli, "br"),
    "brotli, asked for": Bomb("ainvoke", brotli, "br", asked="br"),
    "zstd": Bomb("ainvoke", zstd, "zstd"),
    "zstd, asked for": Bomb("stream", zstd, "zstd", asked="gzip, zstd"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", BOMBS if THOROUGH else ("zeros", "two layers", "brotli"))
def test_a_bomb_does_not_go_off(name: str) -> None:
    bomb = BOMBS[name]
    data = response(bomb.make(), f"content-encoding: {bomb.encoding}", status=bomb.status)

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.write(data)

    with RawServer(handle) as server:
        script = [sys.executable, "-c", textwrap.dedent(CLIENT)]
        arguments = [server.base_url, bomb.mode, bomb.asked]
        done = subprocess.run(
            [*script, *arguments], check=True, capture_output=True, text=True, timeout=SECONDS
        )
    error, size, peak = done.stdout.split()
    kind = "API" if bomb.status.startswith("5") else "MalformedResponse"
    assert error == f"OpenRouter{kind}Error"
    assert int(size) < 4 * MIB  # what the error keeps of the body
    assert int(peak) < 400  # MiB, of which Python and the packages take some 80
