"""Answers that a test wrote, and clients that leave."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers.emulator_client import user

KEY = {"authorization": "Bearer k"}
HELLO = {"model": "openai/o3-mini", "messages": [user("Hello")]}


@pytest.fixture
def client(emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=emulator.base_url, headers=KEY) as client:
        yield client


def raw_answer(emulator: Emulator) -> bytes:
    """Return an answer's bytes as they are on the socket."""
    url = urlsplit(emulator.base_url)
    with socket.create_connection(
        (str(url.hostname), int(url.port or 0)), timeout=10
    ) as connection:
        body = json.dumps(HELLO).encode()
        head = f"POST {url.path}/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_answers_are_played_in_order_then_the_rules_apply(
    emulator: Emulator, client: httpx.Client
) -> None:
    emulator.play(Canned(503, pieces=b"one"), Canned(pieces=[b"t", b"wo"]))
    emulator.play(Canned(429, headers={"retry-after": "3", "x-a": "b"}))
    answers = [client.post("/chat/completions", json=HELLO) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 200, 429, 200]
    assert [answer.content for answer in answers[:3]] == [b"one", b"two", b""]
    assert answers[2].headers["retry-after"] == "3"
    assert "content-type" not in answers[2].headers
    assert answers[0].headers["content-type"] == "application/json"
    assert answers[3].json()["object"] == "chat.completion"


def test_pieces_are_chunks_as_they_are(emulator: Emulator) -> None:
    emulator.play(Canned(pieces=[b"\xf0\x9f", b"\xa6\x9c", b"data: x\n\n"]))
    head, _, body = raw_answer(emulator).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert b"content-length" not in head.lower()
    assert body == b"2\r\n\xf0\x9f\r\n2\r\n\xa6\x9c\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n"


def test_a_length_of_ones_own_is_kept(emulator: Emulator) -> None:
    emulator.play(Canned(headers={"content-length": "2"}, pieces=[b"a", b"b"]))
    head, _, body = raw_answer(emulator).partition(b"\r\n\r\n")
    assert b"content-length: 2" in head
    assert body == b"ab"


def test_a_cut_answer_is_a_protocol_error(emulator: Emulator, client: httpx.Client) -> None:
    emulator.play(Canned(pieces=[b"data: ", b"{"], cut=True), Canned(status=None))
    received: list[bytes] = []
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("POST", "/chat/completions") as answer,
    ):
        received.extend(answer.iter_raw())
    assert b"".join(received) == b"data: {"
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/chat/completions")
    assert [request.disconnected for request in emulator.requests] == [False, False]
    assert client.post("/chat/completions", json=HELLO).status_code == 200


def test_canned_answers_need_no_key_and_are_for_the_chat_alone(emulator: Emulator) -> None:
    emulator.play(Canned(418))
    assert httpx.get(f"{emulator.base_url}/models").status_code == 200
    assert httpx.post(f"{emulator.base_url}/chat/completions").status_code == 418


def test_delays_and_pauses_are_kept(emulator: Emulator, client: httpx.Client) -> None:
    emulator.play(Canned(pieces=b"late", delay=30), Canned(pieces=[b"a", b"b"], pause=30))
    with pytest.raises(httpx.ReadTimeout):
        client.post("/chat/completions", timeout=0.2)
    assert emulator.requests[0].wait_disconnected(10)
    with client.stream("POST", "/chat/completions") as answer:
        assert next(answer.iter_raw()) == b"a"
    assert emulator.requests[1].wait_disconnected(10)


def test_a_client_that_leaves_a_long_stream_is_noticed(
    emulator: Emulator, client: httpx.Client
) -> None:
    body = HELLO | {"messages": [user("repeat 900000 words")], "stream": True}
    with client.stream("POST", "/chat/completions", json=body) as answer:
        next(answer.iter_raw())
    assert emulator.requests[0].wait_disconnected(10)
    assert emulator.requests[0].disconnected


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_the_model_thinks_is_noticed(
    stream: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with Emulator(think_time=30) as emulator:
        url = f"{emulator.base_url}/chat/completions"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=HELLO | {"stream": stream}, headers=KEY, timeout=0.2)
        assert emulator.requests[0].wait_disconnected(10)


def test_a_client_that_leaves_while_sending_was_never_there(emulator: Emulator) -> None:
    url = urlsplit(emulator.base_url)
    with socket.create_connection((str(url.hostname), int(url.port or 0))) as connection:
        connection.sendall(b"POST /api/v1/chat/completions HTTP/1.1\r\ncontent-length: 9\r\n")
        connection.sendall(b"host: x\r\n\r\n{")
    assert httpx.get(f"{emulator.base_url}/models").status_code == 200
    assert [request.method for request in emulator.requests] == ["GET"]


def test_a_client_that_stays_is_not_reported(emulator: Emulator, client: httpx.Client) -> None:
    client.post("/chat/completions", json=HELLO)
    client.post("/chat/completions", json=HELLO | {"stream": True})
    client.close()
    assert not emulator.requests[0].wait_disconnected(0)
    assert not any(request.disconnected for request in emulator.requests)


def test_requests_are_kept_as_they_came(emulator: Emulator, client: httpx.Client) -> None:
    client.post("/chat/completions", json=HELLO, headers={"X-Title": "Tests"})
    client.post("/chat/completions", content=b"{broken")
    client.get("/models", params={"a": "b"})
    first, second, third = emulator.requests
    assert (first.method, first.path) == ("POST", "/api/v1/chat/completions")
    assert first.body == HELLO
    assert json.loads(first.raw) == HELLO
    assert first.headers["x-title"] == "Tests"
    assert first.headers["authorization"] == "Bearer k"
    assert (second.raw, second.body) == (b"{broken", None)
    assert (third.method, third.path, third.raw) == ("GET", "/api/v1/models", b"")
    assert "Bearer" not in repr(first)
