"""Answers that break off, connections that are refused, and handshakes that fail."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from typing import get_args

import httpx
import pytest

from langchain_openrouter_o3.emulator import Emulator, Fault, faults
from langchain_openrouter_o3.emulator.faults.position import Where
from langchain_openrouter_o3.emulator.serving.connection import TLS_FAILURES, TlsFailure
from tests.helpers.emulator_client import address, ask

BREAKS = {"reset": faults.reset, "close": faults.close, "end": faults.end}
# What has arrived of the prompt `echo a b c d` when the answer breaks off after two events.
ARRIVED = {
    "before-headers": "",
    "after-headers": "",
    "after-events": "a b",
    "mid-event": "a b",
    "mid-character": "a b",
    "before-finish": "a b c d",
    "before-usage": "a b c d",
    "before-done": "a b c d",
}
PLACES = get_args(Where)


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("kind", BREAKS)
def test_a_stream_breaks_off_where_it_is_told_to(emulator: Emulator, kind: str, at: Where) -> None:
    if (kind, at) == ("end", "before-headers"):
        pytest.skip("a body cannot end before the headers")
    emulator.play(BREAKS[kind](at, events=2))
    answer = ask(emulator)
    assert answer.words == ARRIVED[at].split()
    assert answer.status == (0 if at == "before-headers" else 200)
    assert (answer.is_whole, answer.is_reset) == (kind == "end", kind == "reset")
    assert b"[DONE]" not in answer.body
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("kind", ["reset", "close"])
def test_a_json_body_breaks_off_too(emulator: Emulator, kind: str, at: Where) -> None:
    emulator.play(BREAKS[kind](at))
    answer = ask(emulator, stream=False)
    assert not answer.is_whole
    assert answer.is_reset == (kind == "reset")
    assert answer.body.endswith(b"}") == (at == "after-events")
    assert len(emulator.requests) == 1


def test_an_event_is_cut_in_its_middle(emulator: Emulator) -> None:
    emulator.play(faults.reset("mid-event", events=3))
    *_, last = ask(emulator).events
    assert last.startswith('data: {"id":"gen-')
    assert not last.endswith("}")


@pytest.mark.parametrize("prompt", ["echo a é b", "echo a b c"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_character_is_cut_in_half(emulator: Emulator, prompt: str, stream: bool) -> None:  # noqa: FBT001 - a parameter of the test
    emulator.play(faults.close("mid-character"))
    body = ask(emulator, prompt, stream=stream).body
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        body.decode()


@pytest.mark.parametrize("count", [0, 1, 30, 400])
def test_the_place_can_be_a_number_of_bytes(emulator: Emulator, count: int) -> None:
    emulator.play(faults.reset(after_bytes=count), faults.close(after_bytes=count))
    for _ in range(2):
        assert len(ask(emulator).body) == count


def test_a_place_behind_the_end_of_the_answer_strikes_as_late_as_it_can(emulator: Emulator) -> None:
    emulator.play(faults.reset("after-events", events=99), faults.close(after_bytes=10**9))
    assert ask(emulator).words == ["a", "b", "c", "d"]
    whole = ask(emulator)
    assert whole.body.endswith(b"[DONE]\n\n")
    assert not whole.is_whole


def test_content_is_counted_and_reasoning_is_not(emulator: Emulator) -> None:
    emulator.play(faults.reset("after-events", events=0), faults.reset("after-events", events=1))
    assert ask(emulator).payloads == []
    *thoughts, word = ask(emulator).payloads
    assert len(thoughts) > 5
    assert word["choices"][0]["delta"]["content"] == "a"


@pytest.mark.parametrize("fault", [faults.reset("before-headers"), faults.refuse(0)])
def test_a_client_reads_the_reset(emulator: Emulator, fault: Fault) -> None:
    emulator.play(fault)
    with pytest.raises(httpx.ReadError, match="reset"):
        httpx.post(f"{emulator.base_url}/chat/completions", timeout=30)
    assert [request.disconnected for request in emulator.requests] == [False]


def test_the_port_can_be_closed_and_opened_again(emulator: Emulator) -> None:
    with httpx.Client(timeout=30) as client:
        client.get(f"{emulator.base_url}/models")
        with emulator.refusing_connections():
            with pytest.raises(httpx.ConnectError):
                client.get(f"{emulator.base_url}/models")
            with emulator.refusing_connections(), pytest.raises(ConnectionRefusedError):
                socket.create_connection(address(emulator), timeout=30)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address(emulator), timeout=30)
        assert client.get(f"{emulator.base_url}/models").status_code == 200
    assert len(emulator.requests) == 2


def test_running_answers_go_on_while_the_port_is_closed(emulator: Emulator) -> None:
    emulator.play(faults.stall(0.5, at="after-headers"))
    answers: list[list[str]] = []
    asking = threading.Thread(target=lambda: answers.append(ask(emulator).words))
    asking.start()
    while not emulator.requests:
        threading.Event().wait(0.01)
    with emulator.refusing_connections():
        asking.join(30)
    assert answers == [["a", "b", "c", "d"]]


def test_a_fault_closes_the_port_for_a_while(emulator: Emulator) -> None:
    emulator.play(faults.refuse(1))
    assert ask(emulator).is_reset
    refused = 0
    while True:
        try:
            assert ask(emulator).words == ["a", "b", "c", "d"]
            break
        except ConnectionRefusedError:
            refused += 1
            threading.Event().wait(0.05)
    assert refused
    assert len(emulator.requests) == 2


def test_an_emulator_stops_with_its_port_closed() -> None:
    with Emulator() as emulator:
        emulator.play(faults.refuse(60))
        ask(emulator)
    with pytest.raises(RuntimeError, match="not running"), emulator.refusing_connections():
        pass
    with Emulator(port=address(emulator)[1]) as again:
        assert ask(again).words


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("alert", "HANDSHAKE_FAILURE"),
        ("untrusted", "CERTIFICATE_VERIFY_FAILED"),
        ("garbage", "WRONG_VERSION_NUMBER"),
        ("plain-text", "WRONG_VERSION_NUMBER|HTTP_REQUEST"),
        ("close", "EOF"),
        ("silence", "timed out"),
    ],
)
def test_every_tls_handshake_fails_in_its_own_way(kind: TlsFailure, complaint: str) -> None:
    with Emulator(tls_failure=kind) as emulator:
        seconds = 0.2 if kind == "silence" else 30
        with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout), match=complaint):
            httpx.get(f"{emulator.tls_url}/models", timeout=seconds)
        assert emulator.requests == []
        assert ask(emulator).words == ["a", "b", "c", "d"]


def test_a_client_that_trusts_everybody_finds_the_connection_closed() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        Emulator(tls_failure="untrusted") as emulator,
        socket.create_connection(address(emulator), timeout=30) as plain,
        context.wrap_socket(plain) as connection,
    ):
        assert connection.getpeercert(binary_form=True)
        assert connection.recv(1) == b""


def test_an_unknown_kind_of_handshake_is_refused() -> None:
    with pytest.raises(ValueError, match=", ".join(TLS_FAILURES)):
        Emulator(tls_failure="maybe")  # type: ignore[arg-type]


def test_a_certificate_needs_a_package_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs trustme.*\[emulator\]"):
        Emulator(tls_failure="untrusted")
    Emulator(tls_failure="alert")
