"""One's own client may be httpx2's, and so may a time-out."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterInputError,
    OpenRouterTimeoutError,
)
from langchain_openrouter_o3.emulator import Canned
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.own_clients import model_with_clients

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

pytestmark = pytest.mark.usefixtures("bare_environment")


@every_mode
def test_a_mocked_transport_answers(mode: str) -> None:
    received: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        received.append(request)
        if "stream" in mode:
            return httpx2.Response(200, content=wire.sse(wire.chunk("Hello"), *wire.ending()))
        return httpx2.Response(200, json=wire.body("Hello"))

    client = {"transport": httpx2.MockTransport(answer), "headers": {"x-from": "my-client"}}
    with model_with_clients(client=client) as model:
        assert MODES[mode](model).text == "Hello"
    (request,) = received
    assert str(request.url) == "http://mock.invalid/api/v1/chat/completions"
    assert request.headers["x-from"] == "my-client"
    assert request.headers["authorization"] == f"Bearer {KEY}"


@every_mode
def test_a_mocked_transport_is_asked_again(mode: str) -> None:
    answers = [
        httpx2.Response(429, headers={"retry-after": "0"}, json=wire.error(429)),
        httpx2.Response(200, json=wire.body("Hello")),
    ]
    client = {"transport": httpx2.MockTransport(lambda _: answers.pop(0))}
    with model_with_clients(client=client, max_retries=1) as model:
        assert MODES[mode](model).text == "Hello"


@every_mode
@pytest.mark.parametrize("limits", [{}, {"idle_timeout": 30, "total_timeout": 60}])
def test_the_emulator_answers(emulator: Emulator, limits: dict[str, Any], mode: str) -> None:
    with model_with_clients(emulator.base_url, **limits) as model:
        assert [bool(MODES[mode](model).text) for _ in range(2)] == [True, True]
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
def test_time_outs_of_either_library_go_with_clients_of_either(
    emulator: Emulator, library: Any, mode: str
) -> None:
    timeout = library.Timeout(30, connect=5, read=None)
    with ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, timeout=timeout) as model:
        assert MODES[mode](model).text
        assert model.invoke("Hello", timeout=timeout).text
        assert model.timeout == httpx.Timeout(30, connect=5, read=None)
    with model_with_clients(emulator.base_url, timeout=timeout) as model:
        assert MODES[mode](model).text
        assert model.invoke("Hello", timeout=timeout).text


@every_mode
@pytest.mark.parametrize("where", ["constructor", "call"])
def test_a_time_out_of_httpx2_is_obeyed(emulator: Emulator, where: str, mode: str) -> None:
    timeout: dict[str, Any] = {"timeout": httpx2.Timeout(30, read=0.2)}
    arguments = timeout if where == "constructor" else {}
    emulator.play(Canned(delay=30))
    with ChatOpenRouterO3(
        base_url=emulator.base_url, api_key=KEY, max_retries=0, **arguments
    ) as model:
        asked: Any = model if where == "constructor" else model.bind(**timeout)
        with pytest.raises(OpenRouterTimeoutError, match="read"):
            MODES[mode](asked)


@pytest.mark.parametrize("value", [httpx2.Timeout(-1), httpx2.Timeout(5, read=float("inf"))])
def test_a_nonsensical_time_out_of_httpx2_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        ChatOpenRouterO3(api_key=KEY, timeout=value)
    with pytest.raises(OpenRouterInputError, match="timeout"):
        ChatOpenRouterO3(api_key=KEY).invoke("Hello", timeout=value)


class Client:
    """Called like a client."""


class Session:
    """Like that of requests."""

    def send(self) -> None: ...


class Derived(httpx2.Client):
    """One's own kind of client."""


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("http_client", httpx.AsyncClient(), "httpx.AsyncClient"),
        ("http_client", httpx2.AsyncClient(), "httpx2.AsyncClient"),
        ("http_async_client", httpx.Client(), "httpx.Client"),
        ("http_async_client", httpx2.Client(), "httpx2.Client"),
        ("http_client", Client(), f"{__name__}.Client"),
        ("http_client", Session(), f"{__name__}.Session"),
        ("http_async_client", Session(), f"{__name__}.Session"),
        (
            "http_client",
            httpx2.MockTransport(lambda _: httpx2.Response(200)),
            "httpx2.MockTransport",
        ),
        ("http_client", httpx2.Client, "builtins.type"),
    ],
)
def test_another_kind_of_client_is_refused_by_its_full_name(
    field: str, value: Any, named: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3(api_key=KEY, **{field: value})
    assert f"not {named}" in str(caught.value)
    assert "httpx2" in str(caught.value)


def test_a_class_of_one_s_own_is_a_client() -> None:
    with Derived(transport=httpx2.MockTransport(lambda _: httpx2.Response(200))) as client:
        assert ChatOpenRouterO3(api_key=KEY, http_client=client).http_client is client


HIDDEN = {
    "not installed": """
        class Hiding:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "httpx2":
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Hiding())
    """,
    "blocked": "sys.modules['httpx2'] = None",
}


@pytest.mark.parametrize("way", HIDDEN)
def test_all_works_without_httpx2(emulator: Emulator, way: str) -> None:
    script = """
        import httpx
        from langchain_openrouter_o3 import ChatOpenRouterO3
        from tests.helpers.modes import MODES

        for timeout in (5, httpx.Timeout(5), {"connect": 1, "read": 5, "write": 5, "pool": 5}):
            model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="any", timeout=timeout)
            assert all(play(model).text for play in MODES.values())
        with httpx.Client() as client:
            model = ChatOpenRouterO3(base_url=sys.argv[1], api_key="any", http_client=client)
            assert model.invoke("Hello").text
        try:
            ChatOpenRouterO3(api_key="any", http_client=httpx.AsyncClient())
        except ValueError as error:
            assert "not httpx.AsyncClient" in str(error)
        assert sys.modules.get("httpx2") is None
    """
    code = "\n".join(["import sys", textwrap.dedent(HIDDEN[way]), textwrap.dedent(script)])
    subprocess.run([sys.executable, "-c", code, emulator.base_url], check=True, timeout=120)
