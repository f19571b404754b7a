"""Faults on the command line."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from langchain_openrouter_o3.emulator import Fault, faults
from langchain_openrouter_o3.emulator.faults.syntax import fault_makers, parse_fault
from tests.helpers.emulator_client import RawAnswer, ask_at

COMMAND = [sys.executable, "-W", "error", "-m", "langchain_openrouter_o3.emulator"]


@contextmanager
def running(*options: str) -> Iterator[tuple[str, int]]:
    """Run the command until the block ends; give the address that it prints."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            words = process.stdout.readline().split()
            (base_url,) = [word[20:] for word in words if word.startswith("OPENROUTER_API_BASE=")]
            url = urlsplit(base_url)
            yield str(url.hostname), int(url.port or 0)
        finally:
            process.kill()


def ask(address: tuple[str, int]) -> RawAnswer:
    return ask_at(address, "echo a b c d", stream=True)


def refuse(*options: str) -> str:
    """Return the last line of what the command says of options that it does not take."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.splitlines()[-1]


def test_faults_are_played_in_order_once_each_before_the_rules_apply() -> None:
    options = ["--fault", "status=503,retry-after=2", "--fault", "reset=mid-event,events=2"]
    more = ["--fault", "error-in-stream=alone,events=1+trickle=5", "--fault", "end"]
    with running(*options, *more) as address:
        failed, lost, told, ended, good = (ask(address) for _ in range(5))
    assert (failed.status, failed.headers["retry-after"]) == (503, "2")
    assert (lost.is_reset, lost.words) == (True, ["a", "b"])
    assert (told.words, list(told.payloads[-1])) == (["a"], ["error", "user_id"])
    assert (ended.is_whole, b"[DONE]" in ended.body) == (True, False)
    assert good.body.endswith(b"[DONE]\n\n")


def test_a_share_of_the_requests_meets_a_fault_the_same_for_the_same_seed() -> None:
    options = ["--fault", "status=503", "--fault", "html", "--fault-rate", "0.5", "--seed", "7"]
    outcomes: list[list[int]] = []
    for _ in range(2):
        with running(*options) as address:
            outcomes.append([ask(address).status for _ in range(20)])
    chooser = faults.at_random(faults.status(503), faults.html(), rate=0.5, seed=7)
    chosen = [chooser(None) for _ in range(20)]  # type: ignore[arg-type]
    codes = {None: 200, faults.status(503): 503, faults.html(): 502}
    assert outcomes == [[codes[fault] for fault in chosen]] * 2
    assert len(set(outcomes[0])) == 3


def test_the_port_closes_and_opens_again_from_the_command_line() -> None:
    with running("--fault", "refuse=2") as address:
        assert ask(address).is_reset
        refused = 0
        while True:
            try:
                assert ask(address).words == ["a", "b", "c", "d"]
                break
            except ConnectionRefusedError:
                refused += 1
                threading.Event().wait(0.05)
    assert refused


def test_faults_are_listed_with_their_arguments() -> None:
    done = subprocess.run([*COMMAND, "--list-faults"], capture_output=True, text=True, check=True)
    entries = {each.partition("=")[0]: each for each in done.stdout.strip().split("\n\n")}
    assert list(entries) == list(fault_makers())
    assert "Seconds" in entries["trickle"]
    for name, entry in entries.items():
        heading, *lines = entry.splitlines()
        described = [line.strip().partition(":")[0] for line in lines if line.startswith("    ")]
        named = [word.strip("[]").partition("=")[0] for word in heading.split(",")[1:]]
        assert lines[0].endswith("."), name
        assert set(named) - {"header"} <= set(described), name


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset", faults.reset()),
        ("reset=mid-event,events=3", faults.reset("mid-event", events=3)),
        ("reset=at=mid-character", faults.reset("mid-character")),
        ("close=after-bytes=40", faults.close(after_bytes=40)),
        ("status=503,retry-after=0.5", faults.status(503, retry_after=0.5)),
        ("status=503,retry-after=2", faults.status(503, retry_after=2)),
        ("status=503,retry-after=soon", faults.status(503, retry_after="soon")),
        (
            "status=429,retry-after='Wed, 21 Oct 2026 07:28:00 GMT',message=\"a, b + c\"",
            faults.status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", message="a, b + c"),
        ),
        (
            "status=418,body=x=y,header=X-A: b:c,header=Server:none",
            faults.status(418, body="x=y", headers={"X-A": "b:c", "Server": "none"}),
        ),
        ("html", faults.html()),
        ("stall=1.5,at=after-events,events=2", faults.stall(1.5, at="after-events", events=2)),
        ("comments=2,count=3", faults.comments(2, count=3)),
        ("content-type=text/html", faults.content_type("text/html")),
        (
            "end + compress=deflate,damage=cut",
            faults.together(faults.end(), faults.compress("deflate", damage="cut")),
        ),
    ],
)
def test_a_fault_is_written_in_words(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nope", "no fault 'nope'; there are close, .*trickle"),
        ("", "no fault ''"),
        ("at-random", "no fault 'at-random'"),
        ("status", "status: .*'code'.* Usage: status=…"),
        ("status=x", "status: code is a number, not 'x'. Usage: status=…"),
        ("status=503,foo=1", "status: 'foo' is no argument. Usage: status=…"),
        ("status=503,504", "status: '504' is no argument"),
        ("status=503,code=504", "status: code is given twice"),
        ("status=99", "status: code is a whole number, from 200 to 599"),
        ("reset=nowhere", "reset: at is one of before-headers"),
        ("stall=soon", "stall: seconds is a number, not 'soon'"),
        ("end + huge-event=0", "huge-event: size is a whole number"),
        ("status=503,message='a", "a quote is not closed"),
        ("reset,events=3", "no fault 'reset,events'"),
    ],
)
def test_a_mistake_names_the_fault_and_its_arguments(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_fault(text)


def test_the_command_refuses_what_makes_no_sense() -> None:
    assert "reset: at is one of" in refuse("--fault", "reset=nowhere")
    assert "Usage: reset=" in refuse("--fault", "reset=nowhere")
    assert "no fault to choose from" in refuse("--fault-rate", "0.5")
    assert "share from 0 to 1" in refuse("--fault", "reset", "--fault-rate", "2")
    assert "invalid choice" in refuse("--tls-failure", "maybe")


def test_a_handshake_fails_from_the_command_line() -> None:
    with (
        running("--tls-failure", "plain-text") as address,
        socket.create_connection(address, timeout=30) as connection,
    ):
        connection.sendall(b"\x16\x03\x01")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
