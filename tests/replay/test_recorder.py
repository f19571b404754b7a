"""Every shared exchange goes through the recorder's files and comes back to the byte."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator
from tests.helpers.raw_server import LAST_CHUNK, RawServer, chunk_of
from tests.helpers.recordings import DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.raw_server import Peer

EXCHANGES = [json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))]

if not EXCHANGES:
    pytest.skip("no recordings here; set OPENROUTER_RECORDINGS", allow_module_level=True)


def answer(peer: Peer) -> None:
    """Give the exchange that the request names, in pieces that cut events and characters."""
    while head := peer.read_request():
        place = next(line for line in head.decode().split("\r\n") if line.startswith("x-place: "))
        response = EXCHANGES[int(place[9:])]["response"]
        raw = response["body_text"].encode()
        names = {**response["headers"], "transfer-encoding": "chunked"}
        lines = [
            f"HTTP/1.1 {response['status']} X",
            *(f"{n}: {v}" for n, v in names.items()),
            "",
            "",
        ]
        size = max(len(raw) // 5, 1)
        peer.write("\r\n".join(lines).encode())
        peer.write(b"".join(chunk_of(raw[at : at + size]) for at in range(0, len(raw), size)))
        peer.write(LAST_CHUNK)


def play_all(emulator: Emulator) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    with emulator, httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client:
        origin = emulator.base_url.removesuffix("/api/v1")
        for place, exchange in enumerate(EXCHANGES):
            asked = exchange["request"]
            content = b"" if asked["json"] is None else json.dumps(asked["json"]).encode()
            headers = {**asked["headers"], "x-place": str(place)}
            got = client.request(
                asked["method"], origin + asked["path"], content=content, headers=headers
            )
            found.append((got.status_code, got.headers.get("content-type"), got.content))
    return found


def test_all_shared_exchanges_replay_to_the_byte(tmp_path: Path) -> None:
    with RawServer(answer) as server:
        recorded = play_all(Emulator(record=tmp_path, upstream=server.base_url))
    expected = [
        (each["status"], each["headers"].get("content-type"), each["body_text"].encode())
        for each in (exchange["response"] for exchange in EXCHANGES)
    ]
    assert recorded == expected
    assert play_all(Emulator(replay=tmp_path)) == expected
    assert len([*tmp_path.iterdir()]) == len(EXCHANGES)
