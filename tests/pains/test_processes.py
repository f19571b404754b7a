"""Forks, event loops, copies and connections."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.factories import build
from tests.helpers.processes import run_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_openrouter_o3.emulator import Emulator


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_p10_a_forked_process_gets_its_own_answers(emulator: Emulator) -> None:
    script = """
        import os, sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k", max_retries=0)
        model.invoke("warm")
        child = os.fork()
        offset = 1000 if child else 5000
        for number in range(15):
            text = model.invoke(f"What is {number}+{offset}?").text
            assert str(number + offset) in text, (child, number, text)
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    run_clean(script, emulator.base_url)
    assert len(emulator.requests) == 31


def test_p11_a_model_outlives_its_event_loops(model: ChatOpenRouterO3) -> None:
    def ask(number: int) -> str:
        return asyncio.run(model.ainvoke(f"What is {number}+1000?")).text

    for number in range(5):
        assert str(number + 1000) in ask(number)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert all(str(number + 1000) in text for number, text in enumerate(answers))


COPIES: dict[str, Callable[[ChatOpenRouterO3], ChatOpenRouterO3]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda model: model.model_copy(update={"seed": 7}),
}


@pytest.mark.parametrize("way", COPIES)
def test_p62_a_used_model_can_be_copied_and_used(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    model = build(emulator, seed=7)
    model.invoke("Hi")
    asyncio.run(model.ainvoke("Hi"))
    copied = COPIES[way](model)
    assert copied.invoke("Hi").text
    assert asyncio.run(copied.ainvoke("Hi")).text
    assert len({request.raw for request in emulator.requests}) == 1
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() not in pickle.dumps(model)


class OneConnection:
    """A server that counts connections, answers what comes, and sees its clients leave."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted = 0
        self.left = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/api/v1"

    def _serve(self) -> None:
        body = wire.to_json(wire.body("Hello"))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # the test is over
            self.accepted += 1
            with connection:
                received = b""
                while data := connection.recv(65_536):
                    received += data
                    if received.endswith(b"}"):  # the request's JSON is complete
                        connection.sendall(head.encode() + b"\r\n\r\n" + body)
                        received = b""
            self.left.set()


@pytest.fixture
def counting() -> Iterator[OneConnection]:
    server = OneConnection()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    server.thread.join(5)


def test_p63_models_are_free_and_share_one_connection_that_closes(
    counting: OneConnection,
) -> None:
    models = [ChatOpenRouterO3(base_url=counting.base_url, api_key=KEY) for _ in range(200)]
    assert counting.accepted == 0
    with models[0], models[1]:
        assert [model.invoke("Hi").text for model in (*models[:2], *models[:2])] == ["Hello"] * 4
        assert counting.accepted == 1
        assert not counting.left.is_set()
    assert counting.left.wait(5)


def test_p63_a_process_ends_without_noise(emulator: Emulator) -> None:
    script = """
        import asyncio, sys
        from langchain_openrouter_o3 import ChatOpenRouterO3
        model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="k")
        model.invoke("Hello")
        asyncio.run(model.ainvoke("Hello"))
        stream = model.stream("Hello")
        next(stream)
    """
    run_clean(script, emulator.base_url, PYTHONWARNINGS="error")
