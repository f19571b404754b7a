"""Tools that mock or record HTTP see the requests of a model that was given no client.

A mocked test that reaches the real host is billed, so each test counts what the server received.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import respx
import vcr  # type: ignore[import-untyped]
from langchain_core.messages import AIMessage
from pytest_httpx import HTTPXMock
from vcr.errors import (  # type: ignore[import-untyped]
    CannotOverwriteExistingCassetteException,
)

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterTimeoutError
from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("bare_environment")
both_places = pytest.mark.parametrize("place", ["httpcore", "httpx"])


def build(base_url: str) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0)


def endpoint(base_url: str) -> str:
    return f"{base_url}/chat/completions"


def answer(mode: str, text: str) -> dict[str, Any]:
    """Write an answer in the form that a mode asks for, as mocks take it."""
    if "stream" in mode:
        return {
            "content": wire.sse(wire.chunk(text), *wire.ending()),
            "headers": {"content-type": "text/event-stream"},
        }
    return {"json": wire.body(text)}


@every_mode
@both_places
def test_a_route_of_respx_answers_and_nothing_leaves(
    emulator: Emulator, place: str, mode: str
) -> None:
    with respx.mock(using=place) as router, build(emulator.base_url) as model:
        route = router.post(endpoint(emulator.base_url)).respond(**answer(mode, "Mocked"))
        assert [MODES[mode](model).text for _ in range(2)] == ["Mocked", "Mocked"]
        assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"
    assert emulator.requests == []


@every_mode
@both_places
def test_a_request_without_a_route_of_respx_is_refused_and_does_not_leave(
    emulator: Emulator, place: str, mode: str
) -> None:
    with (
        respx.mock(using=place),
        build(emulator.base_url) as model,
        pytest.raises(AssertionError, match="not mocked"),
    ):
        MODES[mode](model)
    assert emulator.requests == []


@every_mode
@both_places
def test_a_route_of_respx_that_lets_requests_pass_reaches_the_server(
    emulator: Emulator, place: str, mode: str
) -> None:
    with respx.mock(using=place) as router, build(emulator.base_url) as model:
        route = router.post(endpoint(emulator.base_url)).pass_through()
        assert MODES[mode](model).text
        assert route.called
    assert len(emulator.requests) == 1


@both_places
def test_a_model_with_open_connections_is_mocked_and_then_uses_them_again(
    emulator: Emulator, place: str
) -> None:
    with build(emulator.base_url) as model:
        real = model.invoke("Hello").text
        with respx.mock(using=place) as router:
            router.post(endpoint(emulator.base_url)).respond(json=wire.body("Mocked"))
            assert model.invoke("Hello").text == "Mocked"
        assert model.invoke("Hello").text == real
    assert len(emulator.requests) == 2


@every_mode
@both_places
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_route_of_respx_answers_in_front_of_a_proxy(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, scheme: str, place: str, mode: str
) -> None:
    proxy = emulator.base_url.removesuffix("/api/v1")
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    base_url = f"{scheme}://{mode}-{place}.invalid/api/v1"
    with respx.mock(using=place) as router, build(base_url) as model:
        router.post(endpoint(base_url)).respond(**answer(mode, "Mocked"))
        assert MODES[mode](model).text == "Mocked"
    assert emulator.requests == []


FIRST_CALL = """
import logging
import sys

import respx
from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.helpers.modes import MODES
from tests.transport.test_visibility import answer, endpoint

mode, mocked_url, real_url = sys.argv[1:]
assert "langchain_openrouter_o3._http.transport" not in sys.modules
with respx.mock(using="httpcore") as router:
    router.post(endpoint(mocked_url)).respond(**answer(mode, "Mocked"))
    model = ChatOpenRouterO3(base_url=mocked_url, api_key="any", max_retries=0)
    assert MODES[mode](model).text == "Mocked"

model = ChatOpenRouterO3(base_url=real_url, api_key="any", max_retries=0)
model.invoke("Hello")
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
model.invoke("Hello")
"""


@every_mode
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_a_process_whose_very_first_call_is_mocked_is_like_any_other(
    emulator: Emulator,
    mode: str,
    proxied: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The transports are imported by the first call, when the mock is already in place."""
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    url = emulator.base_url
    if proxied:
        environment["HTTP_PROXY"] = url.removesuffix("/api/v1")
        url = "http://openrouter.invalid/api/v1"
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL, mode, url, emulator.base_url],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "reused connection" in done.stdout  # of our own pool, not of httpcore's
    assert [request.path for request in emulator.requests] == ["/api/v1/chat/completions"] * 2


@every_mode
def test_a_response_of_pytest_httpx_answers_and_nothing_leaves(
    emulator: Emulator, httpx_mock: HTTPXMock, mode: str
) -> None:
    httpx_mock.add_response(url=endpoint(emulator.base_url), **answer(mode, "Mocked"))
    with build(emulator.base_url) as model:
        assert MODES[mode](model).text == "Mocked"
    (request,) = httpx_mock.get_requests()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert emulator.requests == []


@every_mode
@pytest.mark.httpx_mock(assert_all_requests_were_expected=False)
def test_a_request_that_pytest_httpx_does_not_expect_does_not_leave(
    emulator: Emulator, httpx_mock: HTTPXMock, mode: str
) -> None:
    with build(emulator.base_url) as model, pytest.raises(OpenRouterTimeoutError) as caught:
        MODES[mode](model)
    assert "No response can be found" in str(caught.value.__cause__)
    assert len(httpx_mock.get_requests()) == 1
    assert emulator.requests == []


@every_mode
def test_a_response_of_pytest_httpx_answers_in_front_of_a_proxy(
    emulator: Emulator, httpx_mock: HTTPXMock, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", emulator.base_url.removesuffix("/api/v1"))
    base_url = f"http://{mode}.invalid/api/v1"
    httpx_mock.add_response(url=endpoint(base_url), **answer(mode, "Mocked"))
    with build(base_url) as model:
        assert MODES[mode](model).text == "Mocked"
    assert emulator.requests == []


@every_mode
def test_a_cassette_of_vcr_plays_what_it_has_recorded_without_a_server(
    tmp_path: Path, mode: str
) -> None:
    cassette = str(tmp_path / "cassette.yaml")
    recorder = vcr.VCR(filter_headers=["authorization"], match_on=["method", "uri", "body"])
    with Emulator() as server:
        base_url = server.base_url
        with recorder.use_cassette(cassette, record_mode="new_episodes"), build(base_url) as model:
            recorded = MODES[mode](model)
        assert len(server.requests) == 1
    with recorder.use_cassette(cassette, record_mode="none"), build(base_url) as model:
        played = MODES[mode](model)
    assert played.text
    assert comparable(played) == comparable(recorded)


def comparable(message: AIMessage) -> dict[str, Any]:
    """Leave out the id that langchain-core makes up for each run of a model."""
    return message.model_dump(exclude={"id"})


@every_mode
def test_an_empty_cassette_of_vcr_refuses_a_request_which_does_not_leave(
    emulator: Emulator, tmp_path: Path, mode: str
) -> None:
    with (
        vcr.use_cassette(str(tmp_path / "empty.yaml"), record_mode="none"),
        build(emulator.base_url) as model,
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        MODES[mode](model)
    assert emulator.requests == []
