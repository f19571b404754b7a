"""A caller's own clients, of httpx2 and some of httpx, and their errors."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gzip
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx2
import pytest
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from langchain_openrouter_o3 import (
    ChatOpenRouterO3,
    OpenRouterAuthenticationError,
    OpenRouterConnectionError,
    OpenRouterError,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterRateLimitError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
)
from langchain_openrouter_o3._http.lookup import Lookup
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.time_limits import MAX_SECONDS
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers import wire
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import Peer, RawServer, chunk_of, stream_head

pytestmark = [
    pytest.mark.usefixtures("bare_environment"),
    pytest.mark.usefixtures("bare_environment", "no_name_server"),
]


@contextlib.contextmanager
def model_with_clients(
    base_url: str = "http://mock.invalid/api/v1",
    *,
    client: Any = None,
    library: Any = httpx2,
    kind: type[ChatOpenRouterO3] = ChatOpenRouterO3,
    **arguments: Any,
) -> Iterator[ChatOpenRouterO3]:
    """Build a model with clients of its own, which keep no connection beyond their event loop."""
    options: dict[str, Any] = {
        "limits": library.Limits(max_keepalive_connections=0),
        "timeout": 10,
        **(client or {}),
    }
    arguments = {"max_retries": 0, **arguments}
    with library.Client(**options) as blocking:
        other: Any = library.AsyncClient(**options)
        yield kind(
            base_url=base_url,
            api_key=KEY,
            http_client=blocking,
            http_async_client=other,
            **arguments,
        )
        assert not blocking.is_closed
        assert not other.is_closed
        asyncio.run(other.aclose())


def failure(mode: str, base_url: str, **arguments: Any) -> OpenRouterError:
    with (
        model_with_clients(base_url, **arguments) as model,
        pytest.raises(OpenRouterError) as caught,
    ):
        MODES[mode](model)
    return caught.value


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
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_a_mock_without_further_answers_is_no_end_of_an_answer(
    library: Any, kind: type[Exception], mode: str
) -> None:
    def answer(_: Any) -> Any:
        raise kind

    client = {"transport": library.MockTransport(answer)}
    with (
        model_with_clients(client=client, library=library) as model,
        pytest.raises(RuntimeError, match=kind.__name__),
    ):
        MODES[mode](model)


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_transport_may_give_any_bytes(library: Any, kind: type, mode: str) -> None:
    class Pieces(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[Any]:
            yield kind(wire.to_json(wire.body("Hello")))

        async def __aiter__(self) -> AsyncIterator[Any]:
            for piece in self:
                yield piece

    client = {"transport": library.MockTransport(lambda _: library.Response(200, stream=Pieces()))}
    with model_with_clients(client=client, library=library) as model:
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


class Hasty(ChatOpenRouterO3):
    """Names a time-out as the default of its class."""

    timeout: Any = 8


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    ("clients", "arguments", "bound", "read"),
    [
        ({"timeout": 3}, {}, {}, 3),
        ({"timeout": None}, {}, {}, None),
        ({"timeout": 5}, {}, {}, 600),  # the library's own, which nobody chose
        ({"timeout": 3}, {"timeout": 7}, {}, 7),
        ({"timeout": 3}, {"timeout": httpx.Timeout(600, connect=10)}, {}, 600),
        ({"timeout": 3}, {"kind": Hasty}, {}, 8),
        ({"timeout": 3}, {}, {"timeout": 9}, 9),
    ],
)
def test_a_client_s_own_time_out_holds_where_none_is_named(  # noqa: PLR0913, PLR0917 - parameters
    clients: Any, arguments: Any, bound: Any, read: float | None, library: Any, mode: str
) -> None:
    seen: list[Any] = []

    def answer(request: Any) -> Any:
        seen.append(request.extensions["timeout"]["read"])
        return library.Response(200, content=wire.sse(wire.chunk("Hello"), *wire.ending()))

    client = {"transport": library.MockTransport(answer), **clients}
    with model_with_clients(library=library, client=client, **arguments) as model:
        seconds = ConfigurableField("seconds")
        for each in (model, copy.deepcopy(model), model.configurable_fields(seed=seconds)):
            asked: Any = each.bind(**bound)
            assert MODES[mode](asked).text == "Hello"
    without_limit = {None, MAX_SECONDS}  # the second where a step's limit comes upon it
    assert set(seen) <= ({read} if read is not None else without_limit)
    assert len(seen) == 3


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
def test_an_http_client_of_another_kind_is_refused_by_its_full_name(
    field: str, value: Any, named: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatOpenRouterO3(api_key=KEY, **{field: value})
    assert f"not {named}" in str(caught.value)
    assert "httpx2" in str(caught.value)


def test_a_class_of_one_s_own_is_an_http_client() -> None:
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


PIECE = wire.sse(wire.chunk("Hel"), done=False)


@every_mode
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"timeout": 0.2}, OpenRouterTimeoutError, "read"),
        ({"timeout": httpx2.Timeout(10, read=0.2)}, OpenRouterTimeoutError, "read"),
        ({"idle_timeout": 0.2}, OpenRouterIdleTimeoutError, "idle_timeout"),
        ({"total_timeout": 0.2}, OpenRouterTotalTimeoutError, "total_timeout"),
    ],
    ids=["seconds", "parts", "idle", "total"],
)
def test_a_silent_server_is_a_time_out(
    emulator: Emulator, arguments: dict[str, Any], kind: type, words: str, mode: str
) -> None:
    emulator.play(Canned(delay=30))
    error = failure(mode, emulator.base_url, **arguments)
    assert type(error) is kind
    assert words in str(error)


@every_mode
def test_a_server_that_never_greets_is_a_time_out(mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"https://127.0.0.1:{silent.getsockname()[1]}/api/v1"
        error = failure(mode, base_url, timeout=httpx2.Timeout(10, connect=0.2))
    assert type(error) is OpenRouterTimeoutError
    assert "connect" in str(error)


@every_mode
@pytest.mark.parametrize("host", ["127.0.0.1", "openrouter.invalid"])
def test_a_server_that_cannot_be_reached_is_a_connection_error(
    dead_port: int, host: str, mode: str
) -> None:
    error = failure(mode, f"http://{host}:{dead_port}/api/v1")
    assert type(error) is OpenRouterConnectionError
    assert f"Cannot connect to {host}:{dead_port}" in str(error)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_whose_connections_are_all_in_use_is_asked_again(
    emulator: Emulator, library: Any
) -> None:
    client = {"limits": library.Limits(max_connections=1)}
    timeout = library.Timeout(10, pool=0.1)
    with model_with_clients(
        emulator.base_url, client=client, library=library, timeout=timeout, max_retries=1
    ) as model:
        stream: Any = model.stream("Hello")
        with contextlib.closing(stream):
            next(stream)
            with pytest.raises(OpenRouterTimeoutError, match="pool") as caught:
                model.invoke("Hello")
        assert model.invoke("Hello").text
    assert caught.value.attempts == 2
    assert len(emulator.requests) == 2


@every_mode
@pytest.mark.parametrize("where", ["head", "body"])
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_lost_connection_is_a_connection_error(ending: str, where: str, mode: str) -> None:
    def hang_up(peer: Peer) -> None:
        peer.read_request()
        if where == "body":
            peer.write(stream_head(), chunk_of(PIECE))
        (peer.reset if ending == "reset" else peer.close)()

    with RawServer(hang_up) as server:
        error = failure(mode, server.base_url)
    assert type(error) is OpenRouterConnectionError
    assert server.origin.removeprefix("http://") in str(error)


@every_mode
@pytest.mark.parametrize("fault", ["certificate", "no TLS", "handshake", "record"])
def test_a_fault_of_tls_is_a_connection_error(fault: str, mode: str) -> None:
    def break_tls(peer: Peer) -> None:
        if fault != "record":
            peer.connection.recv(65_536)
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" if fault == "no TLS" else b"")
            peer.close()
            return
        peer.read_request()
        peer.write(stream_head(), chunk_of(PIECE))
        socket.socket.sendall(peer.connection, b"\x17\x03\x03\x00\x20" + b"?" * 32)

    with RawServer(break_tls, tls=fault in ("certificate", "record")) as server:
        base_url = server.base_url.replace("http:", "https:")
        error = failure(mode, base_url, client={"verify": fault == "certificate"})
    assert type(error) is OpenRouterConnectionError
    if fault == "record" and "stream" in mode:
        assert error.partial is not None
        assert error.partial.text == "Hel"


@every_mode
def test_an_error_status_keeps_its_class(emulator: Emulator, mode: str) -> None:
    emulator.play(Canned(status=429, pieces=wire.to_json(wire.error(429, "Slow down"))))
    error = failure(mode, emulator.base_url)
    assert type(error) is OpenRouterRateLimitError
    assert "Slow down" in str(error)


def iterate(response: Any) -> None:
    list(response.iter_bytes())


async def aiterate(response: Any) -> None:
    _ = [piece async for piece in response.aiter_bytes()]


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("how", ["close", "iterate"])
def test_a_hook_that_takes_the_answer_away_is_named_and_its_call_not_repeated(
    emulator: Emulator, how: str, library: Any, mode: str
) -> None:
    kind = library.Response
    blocking, awaited = {"close": (kind.close, kind.aclose), "iterate": (iterate, aiterate)}[how]
    hooks = {"response": [awaited if mode.startswith("a") else blocking]}
    error = failure(mode, emulator.base_url, client={"event_hooks": hooks}, library=library)
    assert type(error) is OpenRouterInputError
    assert not error.is_retryable
    assert "hook" in str(error)
    assert len(emulator.requests) == 1


async def araise(response: Any) -> None:
    response.raise_for_status()


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("read", [0, 1], ids=["unread", "read"])
@pytest.mark.parametrize("status", [401, 429, 302, 407])
def test_a_hook_that_raises_for_a_status_leaves_the_error_its_class(
    emulator: Emulator, status: int, read: int, library: Any, mode: str
) -> None:
    headers = {"retry-after": "300", "location": "/", "content-encoding": "gzip"}
    answer = Canned(status, headers, gzip.compress(wire.to_json(wire.error(status, "Slow down"))))
    kind = library.Response
    hooks = [kind.aread, araise] if mode.startswith("a") else [kind.read, kind.raise_for_status]
    told: list[Any] = []
    for each in ([], hooks[1 - read :]):
        emulator.play(answer)
        client = {"event_hooks": {"response": each}}
        told.append(
            failure(mode, emulator.base_url, client=client, library=library, rate_gate=False)
        )
    plain, refused = (
        (type(error), error.status_code, error.is_retryable, error.retry_after) for error in told
    )
    assert refused == plain
    assert str(told[0]) == str(told[1]) or not read


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_lookup_tells_the_status_that_a_hook_raises_for(emulator: Emulator, library: Any) -> None:
    hooks = {"response": [library.Response.raise_for_status]}
    with library.Client(event_hooks=hooks) as client:
        lookup = Lookup(emulator.base_url, RequestHeaders({}), client)
        with pytest.raises(OpenRouterAuthenticationError):
            lookup.get("/generation", {"id": "gen-nobody"})


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_hook_that_raises_for_a_success_is_told(library: Any) -> None:
    def refuse(response: Any) -> None:
        raise library.HTTPStatusError("Not today", request=response.request, response=response)

    transport = library.MockTransport(lambda _: library.Response(200))
    client = {"transport": transport, "event_hooks": {"response": [refuse]}}
    assert "Not today" in str(failure("invoke", "http://a.invalid", client=client, library=library))


@every_mode
@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    ("name", "value"),
    [("x-secret", "s3cret\n"), ("bad name", "s3cret"), ("content-length", "3")],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(
    name: str, value: str, library: Any, mode: str
) -> None:
    with RawServer(lambda peer: peer.read_head()) as server:
        client = {"headers": {name: value}}
        error = failure(mode, server.base_url, client=client, library=library)
    assert type(error) is OpenRouterInputError
    assert "s3cret" not in repr(error)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_client_whose_connections_are_another_loop_s_is_told(
    emulator: Emulator, library: Any
) -> None:
    client = library.AsyncClient()
    model = ChatOpenRouterO3(base_url=emulator.base_url, api_key=KEY, http_async_client=client)
    loops = asyncio.new_event_loop(), asyncio.new_event_loop()
    first, second = (loop.run_until_complete for loop in loops)
    assert first(model.ainvoke("echo x")).text == "x"
    with pytest.raises(
        OpenRouterInputError, match=r"http_async_client .* one client for each loop"
    ):
        second(model.ainvoke("echo x"))
    assert second(model.ainvoke("echo x")).text == "x"
    second(client.aclose())
    first(asyncio.sleep(0))  # its connection is closed there
    for loop in loops:
        loop.close()


@pytest.mark.parametrize(
    ("words", "kind"), [("Event loop is closed", OpenRouterInputError), ("Hello", RuntimeError)]
)
@pytest.mark.parametrize("mode", ["ainvoke", "astream"])
def test_only_what_a_loop_says_is_translated(words: str, kind: type[Exception], mode: str) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError(words)

    with (
        model_with_clients(client={"transport": httpx2.MockTransport(fail)}) as model,
        pytest.raises(kind) as caught,
    ):
        MODES[mode](model)
    assert words in (str(caught.value), str(caught.value.__cause__))


@every_mode
def test_a_closed_http_client_is_refused(mode: str) -> None:
    with httpx2.Client() as client:
        pass
    other: Any = httpx2.AsyncClient()
    asyncio.run(other.aclose())
    model = ChatOpenRouterO3(api_key=KEY, http_client=client, http_async_client=other)
    with pytest.raises(OpenRouterInputError, match="closed"):
        MODES[mode](model)
