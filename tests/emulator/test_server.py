"""Starting, stopping, and many clients at once."""

from __future__ import annotations

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from subprocess import run
from urllib.parse import urlsplit

import httpx
import pytest

from langchain_openrouter_o3 import emulator as package
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers.emulator_client import deltas, user

KEY = {"authorization": "Bearer k"}


def hello(prompt: str = "Hello", **parameters: object) -> dict[str, object]:
    return {"model": "openai/o3-mini", "messages": [user(prompt)], **parameters}


def test_the_public_names_are_sorted_and_there() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_stopping_ends_the_thread_and_frees_the_port() -> None:
    before = set(threading.enumerate())
    emulator = Emulator()
    emulator.stop()
    emulator.start()
    url = urlsplit(emulator.base_url)
    address = (str(url.hostname), int(url.port or 0))
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "openrouter-emulator"
    emulator.stop()
    emulator.stop()
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    with Emulator(port=address[1]) as again:
        assert again.base_url == emulator.base_url


def test_an_emulator_starts_only_once_and_only_on_a_free_port() -> None:
    with Emulator() as emulator:
        with pytest.raises(RuntimeError, match="only once"):
            emulator.start()
        port = urlsplit(emulator.base_url).port
        with pytest.raises(OSError, match="in use"):
            Emulator(port=int(port or 0)).start()


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 loopback")
    with Emulator(host="::1") as emulator:
        assert emulator.base_url.startswith("http://[::1]:")
        assert httpx.get(f"{emulator.base_url}/models").status_code == 200


def test_stopping_drops_waiting_idle_and_streaming_clients() -> None:
    emulator = Emulator(think_time=60)
    emulator.start()
    emulator.play(Canned(delay=60), Canned(pieces=[b"a", b"b"], pause=60))
    url = f"{emulator.base_url}/chat/completions"

    def ask(stream: bool) -> str:  # noqa: FBT001 - it is the whole question
        try:
            httpx.post(url, json=hello(stream=stream), headers=KEY, timeout=60)
        except httpx.TransportError as error:
            return type(error).__name__
        return "an answer"

    with httpx.Client() as idle, ThreadPoolExecutor() as pool:
        idle.get(f"{emulator.base_url}/models")
        futures = [pool.submit(ask, stream) for stream in (False, True, False, True)]
        while len(emulator.requests) < 5:
            threading.Event().wait(0.01)
        emulator.stop()
        errors = {future.result() for future in futures}
    assert errors <= {"RemoteProtocolError", "ReadError"}


def test_fifty_streams_at_once_do_not_mix() -> None:
    with (
        Emulator() as emulator,
        httpx.Client(timeout=60, limits=httpx.Limits(max_connections=50)) as client,
    ):
        url = f"{emulator.base_url}/chat/completions"

        def ask(number: int) -> str:
            body = hello(f"Stream number {number}", stream=True)
            return client.post(url, json=body, headers=KEY).text

        with ThreadPoolExecutor(50) as pool:
            texts = list(pool.map(ask, range(50)))
        assert len(emulator.requests) == 50
    for number, text in enumerate(texts):
        content = "".join(delta["content"] for delta in deltas(text))
        assert f"“Stream number {number}”" in content
        assert text.endswith("data: [DONE]\n\n")


SCRIPT = """
import httpx
from langchain_openrouter_o3.emulator import Canned, Emulator

body = {"model": "openai/o3-mini", "stream": True,
        "messages": [{"role": "user", "content": "repeat 500000 words"}]}
with Emulator() as emulator:
    url = emulator.base_url + "/chat/completions"
    headers = {"authorization": "Bearer k"}
    with httpx.Client(headers=headers) as client:
        client.get(emulator.base_url + "/models")
        emulator.play(Canned(pieces=b"x", cut=True), Canned(status=None))
        for _ in range(2):
            try:
                client.post(url, json=body)
            except httpx.RemoteProtocolError:
                pass
        with client.stream("POST", url, json=body) as answer:
            next(answer.iter_raw())
        with client.stream("POST", url, json=body) as answer:
            next(answer.iter_raw())
            emulator.stop()
"""


def test_nothing_is_printed_and_nothing_leaks_in_development_mode() -> None:
    done = run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # asyncio's debug mode remarks on slow callbacks, which is no complaint.
    remarks = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, done.stdout, remarks) == (0, "", [])
