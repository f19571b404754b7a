"""What the log tells: each request and each repetition, and nothing that is anybody's secret."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterError,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.proxies import ANSWER, PASSWORD, USER, forward, unknown_host
from tests.helpers.raw_server import Peer, RawServer

pytestmark = pytest.mark.usefixtures("bare_environment")
NAME = "langchain_openrouter_o3"
GENERATION = "gen-1785000000-logged"


@pytest.fixture(autouse=True)
def _debug(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Log everything; afterwards nothing was worse than INFO, and nobody's secret was told."""
    caplog.set_level(logging.DEBUG, NAME)
    yield
    records = [each for each in caplog.get_records("call") if each.name.startswith(NAME)]
    assert all(each.levelno <= logging.INFO for each in records)
    assert all(each.exc_info is None for each in records)
    told = "".join(f"{each.getMessage()} {each.__dict__}" for each in records)
    secrets = (KEY, PASSWORD, "Hello", "Bearer", "header-value", "application/json", "gzip")
    assert not [secret for secret in secrets if secret in told]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of its own: what an earlier test gave up may still arrive at another's."""
    with Emulator() as own:
        yield own


def build(base_url: str, **arguments: Any) -> ChatOpenRouterO3:
    arguments = {"max_retries": 0, "timeout": 10, **arguments}
    return ChatOpenRouterO3(
        base_url=base_url, api_key=KEY, default_headers={"x-own": "header-value"}, **arguments
    )


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    found = [each for each in caplog.records if (each.name, each.levelno) == (NAME, level)]
    return [each.getMessage() for each in found]


def failure(mode: str, model: ChatOpenRouterO3) -> OpenRouterError:
    with model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    return caught.value


@every_mode
def test_each_request_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    with build(emulator.base_url, model="openai/o3-mini-high") as model:
        MODES[mode](model)
    (text,) = told(caplog, logging.DEBUG)
    size = emulator.requests[-1].headers["content-length"]
    for part in (httpx.URL(emulator.base_url).netloc.decode(), "openai/o3-mini-high", "200"):
        assert part in text
    assert re.search(rf"\b{size} bytes\b", text)
    assert re.search(r"\b[0-9]+\.[0-9]+ s\b", text)
    assert re.search(r"\bnew\b", text)
    assert not re.search(r"\breused\b", text)
    assert told(caplog, logging.INFO) == []


@pytest.mark.parametrize("streaming", [True, False])
def test_a_connection_that_is_used_again_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, *, streaming: bool
) -> None:
    async def ask_twice(model: ChatOpenRouterO3) -> None:
        for _ in range(2):
            if streaming:
                _ = [chunk async for chunk in model.astream("Hello")]
            else:
                await model.ainvoke("Hello")

    with build(emulator.base_url) as model:
        for _ in range(2):
            MODES["stream" if streaming else "invoke"](model)
        asyncio.run(ask_twice(model))
    words = [re.findall(r"\b(new|reused)\b", text) for text in told(caplog, logging.DEBUG)]
    assert words == [["new"], ["reused"]] * 2


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_nothing_false_is_told_of_the_connections_of_one_s_own_client(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, library: Any
) -> None:
    with library.Client() as client:
        model = build(emulator.base_url, http_client=client)
        assert [bool(model.invoke("Hello").text) for _ in range(2)] == [True, True]
    assert not re.search(r"\bnew\b", told(caplog, logging.DEBUG)[1])


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_a_failure_on_a_connection_that_is_used_again_says_so(
    caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    def serve_once(peer: Peer) -> None:
        peer.read_request()
        peer.write(ANSWER)
        peer.read_request()
        peer.reset()

    with RawServer(serve_once) as server, build(server.base_url) as model:
        MODES[mode](model)
        failure(mode, model)
    assert re.search(r"\b\w+Error\b", told(caplog, logging.DEBUG)[1])
    assert re.search(r"\breused\b", told(caplog, logging.DEBUG)[1])


@every_mode
@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_a_status_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, status: int, mode: str
) -> None:
    emulator.play(Canned(status=status, pieces=wire.to_json(wire.error(status, "Hello"))))
    failure(mode, build(emulator.base_url))
    (text,) = told(caplog, logging.DEBUG)
    assert str(status) in text


@every_mode
def test_the_class_of_a_failure_is_told(
    caplog: pytest.LogCaptureFixture, dead_port: int, mode: str
) -> None:
    failure(mode, build(f"http://127.0.0.1:{dead_port}/api/v1"))
    (text,) = told(caplog, logging.DEBUG)
    assert re.search(r"\b\w*Connect\w*Error\b", text)
    assert f"127.0.0.1:{dead_port}" in text


@every_mode
@pytest.mark.parametrize(
    ("limit", "kind"),
    [
        ({"idle_timeout": 0.2}, OpenRouterIdleTimeoutError),
        ({"total_timeout": 0.2}, OpenRouterTotalTimeoutError),
    ],
    ids=["idle", "total"],
)
def test_a_limit_before_the_head_is_told_and_keeps_its_class(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, limit: Any, kind: type, mode: str
) -> None:
    emulator.play(Canned(delay=30))
    assert type(failure(mode, build(emulator.base_url, **limit))) is kind
    (text,) = told(caplog, logging.DEBUG)
    assert re.search(r"\b\w+(Error|Timeout)\b", text)


@every_mode
def test_what_cannot_be_sent_keeps_its_class(mode: str) -> None:
    headers = {"x-broken": "header-value\n"}
    with (
        RawServer(lambda peer: peer.read_request()) as server,
        httpx.Client(headers=headers) as ours,
    ):
        other = httpx.AsyncClient(headers=headers)
        model = build(server.base_url, http_client=ours, http_async_client=other)
        assert type(failure(mode, model)) is OpenRouterInputError
        asyncio.run(other.aclose())


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_cancelled_task_stays_cancelled(emulator: Emulator, *, streaming: bool) -> None:
    emulator.play(Canned(delay=30))
    model = build(emulator.base_url)
    raised: list[BaseException] = []

    async def ask() -> None:
        try:
            if streaming:
                _ = [chunk async for chunk in model.astream("Hello")]
            else:
                await model.ainvoke("Hello")
        except BaseException as error:
            raised.append(error)
            raise

    task = asyncio.create_task(ask())
    while not emulator.requests:  # noqa: ASYNC110 - the server is another thread
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in raised] == [asyncio.CancelledError]
    await model.aclose()


def failing(kind: str) -> Canned:
    named = {"x-generation-id": GENERATION, "content-type": "application/json"}
    body = wire.to_json(wire.error(503, "Hello"))
    return {
        "status": Canned(status=503, headers={**named, "retry-after": "0.01"}, pieces=body),
        "body": Canned(headers=named, pieces=body),
        "event": Canned(headers=named, pieces=b"data: " + body + b"\n\n"),
    }[kind]


@every_mode
@pytest.mark.parametrize("kind", ["status", "body", "event"])
def test_each_repetition_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, kind: str, mode: str
) -> None:
    emulator.play(failing(kind), failing("status"))
    with build(emulator.base_url, max_retries=2) as model:
        assert MODES[mode](model).text
    first, second = told(caplog, logging.INFO)
    for number, text in enumerate((first, second), start=1):
        assert re.search(rf"\battempt {number}\b", text, re.IGNORECASE)
        assert "503" in text
        assert GENERATION in text
        assert re.search(r"\b[0-9]+\.[0-9]+ s\b", text)
    assert "0.01 s" in second
    assert len(told(caplog, logging.DEBUG)) == 3


def test_a_proxy_is_told_without_its_credentials(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(forward) as proxy, build(f"http://{unknown_host()}/api/v1") as model:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin.replace("//", f"//{USER}"))
        model.invoke("Hello")
    (text,) = told(caplog, logging.DEBUG)
    assert proxy.origin in text


def test_the_package_installs_no_handler_and_sets_no_level() -> None:
    script = f"""if True:
        import logging
        from langchain_openrouter_o3 import ChatOpenRouterO3
        from langchain_openrouter_o3.emulator import Emulator
        with Emulator() as emulator:
            ChatOpenRouterO3(base_url=emulator.base_url, api_key="any").invoke("Hello")
        logger = logging.getLogger("{NAME}")
        assert not logger.handlers and logger.propagate and not logger.disabled
        assert logger.level == logging.NOTSET
    """
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout + done.stderr == ""
