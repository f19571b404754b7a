"""No secret of a caller is shown, whatever fails, whoever echoes it and wherever it is written."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import pickle
import socket
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3.emulator import Emulator, faults
from tests.helpers import wire
from tests.helpers.factories import error_answer
from tests.helpers.modes import MODES, every_mode
from tests.helpers.raw_server import Handler, Peer, RawServer, chunk_of, response, stream_head
from tests.helpers.secrets import (
    HELICONE,
    KEY,
    PIECE,
    PORTKEY,
    PROXY_PASSWORD,
    SENTRY,
    Scene,
    answered,
    assert_hidden,
    build,
    served,
    shown,
    ways,
)

pytestmark = pytest.mark.usefixtures("bare_environment")

SHORT = 0.1
"""Seconds of a time-out that runs out."""
TOO_LONG = {"Helicone-Auth": HELICONE, "x-portkey-api-key": PORTKEY, "x-long": "x" * 16_000_000}
"""Headers that no socket takes at once, because nobody reads them."""


def proxied(handler: Handler, target: str, kind: str = "http") -> Scene:
    """Let a model go through a proxy whose URL has a password."""

    @contextlib.contextmanager
    def scene() -> Generator[ChatOpenRouterO3]:
        with RawServer(handler) as server, pytest.MonkeyPatch.context() as patch:
            host, port = server.origin.removeprefix("http://").split(":")
            patch.setenv("ALL_PROXY", f"{kind}://user:{PROXY_PASSWORD}@{host}:{port}")
            with build(f"{target}://behind-{port}.invalid/api/v1") as model:
                yield model

    return scene


@contextlib.contextmanager
def refused() -> Generator[ChatOpenRouterO3]:
    """Let a model ask at a port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with build(f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1") as model:
            yield model


@contextlib.contextmanager
def untrusted() -> Generator[ChatOpenRouterO3]:
    """Let a model ask a server whose certificate nobody signed."""
    with RawServer(do_nothing, tls=True) as server, build(server.base_url) as model:
        yield model


def reset(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def reset_in_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.write(stream_head(), chunk_of(wire.sse(wire.chunk("Hel"), done=False)))
    peer.reset()


def stop_in_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.write(stream_head(), chunk_of(wire.sse(wire.chunk("Hel"), done=False)))


def do_nothing(peer: Peer) -> None:
    """Leave the connection open, and whatever comes unread."""


def fail_once(peer: Peer) -> None:
    """Fail, and leave the next request without an answer."""
    peer.read_request()
    peer.write(response(b"no", "retry-after-ms: 1", status="503 Unavailable"))
    peer.read_request()


def refuse_tls(peer: Peer) -> None:
    peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.close()


def refuse_socks(peer: Peer) -> None:
    peer.connection.recv(65_536)
    peer.write(b"\x05\x02")  # name and password, please
    peer.connection.recv(65_536)
    peer.write(b"\x01\x01")  # not these


def refuse_tunnel(peer: Peer) -> None:
    peer.read_request()
    peer.write(response(b"no", status="407 Proxy Authentication Required"))


FAULTS: dict[str, Scene] = {
    "refused": refused,
    "reset before the head": served(reset),
    "reset at once": served(lambda peer: peer.reset()),
    "reset in the body": served(reset_in_the_body),
    "closed before the head": answered(),
    "closed in the head": answered(b"HTTP/1.1 200 OK\r\ncontent-"),
    "closed in the body": answered(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
    "closed in an event": answered(stream_head(), chunk_of(b'data: {"choices":')),
    "garbage": answered(b"\x00\x01\xfe SSH-2.0\r\n\r\n"),
    "garbage for chunks": answered(stream_head(), b"zz\r\nzz"),
    "broken gzip": answered(response(b"no gzip", "content-encoding: gzip")),
    "no TLS": served(refuse_tls, "https"),
    "untrusted certificate": untrusted,
    "connect time-out": served(do_nothing, "https", timeout=httpx.Timeout(30, connect=SHORT)),
    "read time-out": served(do_nothing, timeout=httpx.Timeout(30, read=SHORT)),
    "read time-out in the body": served(stop_in_the_body, timeout=httpx.Timeout(30, read=SHORT)),
    "write time-out": served(
        do_nothing, timeout=httpx.Timeout(30, write=SHORT), default_headers=TOO_LONG
    ),
    "idle time-out": served(stop_in_the_body, idle_timeout=SHORT),
    "total time-out": served(do_nothing, total_timeout=SHORT),
    "total time-out after a failure": served(fail_once, total_timeout=1, max_retries=9),
    "proxy": proxied(refuse_tunnel, "http"),
    "proxy of a tunnel": proxied(refuse_tunnel, "https"),
    "proxy that resets": proxied(reset, "http"),
    "proxy of a tunnel that resets": proxied(reset, "https"),
    "proxy without TLS": proxied(refuse_tls, "http", kind="https"),
    "proxy that speaks SOCKS": proxied(refuse_socks, "http", kind="socks5"),
}


@every_mode
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_shows_a_secret(fault: str, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    if "SOCKS" in fault:
        caplog.set_level(logging.INFO, "httpcore")  # it writes the password itself
    with FAULTS[fault]() as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    assert_hidden(caught.value, caplog)


def test_what_a_frame_or_an_error_holds_is_noticed() -> None:
    """The instrument works: what is not shown by it is not there."""

    def send() -> None:
        head = HELICONE.encode()
        raise RuntimeError(f"{len(head)} bytes are too many for {PORTKEY}")

    with pytest.raises(RuntimeError) as caught:
        send()
    found = {way: shown(text) for way, text in ways(caught.value)}
    by_frames = {way for way, pieces in found.items() if HELICONE[:PIECE] in pieces}
    by_text = {way for way, pieces in found.items() if PORTKEY[:PIECE] in pieces}
    assert by_frames == {"locals", "rich", *SENTRY}
    assert by_text == {"text", "pickle", "traceback", *by_frames}


ECHO = f"refused: Bearer {KEY}, {HELICONE} and {PORTKEY}"
STREAM = "content-type: text/event-stream"
LONG = "x" * 980


def error_body(status: str, **headers: str) -> bytes:
    """Write an answer that echoes what it was sent, in every place of OpenRouter's error."""
    raw = json.dumps({"error": {"message": ECHO}})
    body = wire.error(int(status[:3]), ECHO, raw=raw, provider_name=ECHO, reasons=[ECHO])
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return response(wire.to_json(body), "content-type: application/json", *lines, status=status)


ECHOES: dict[str, Scene] = {
    "HTTP 400 of plain text": answered(response(ECHO.encode(), status="400 Bad Request")),
    "HTTP 401": answered(error_body("401 Unauthorized")),
    "HTTP 403 in a header": answered(error_body("403 Forbidden", **{"www-authenticate": ECHO})),
    "HTTP 429": answered(error_body("429 Too Many Requests")),
    "HTTP 429 in a header": answered(error_body("429 Too Many", **{"x-ratelimit-limit": ECHO})),
    "HTTP 500": answered(error_body("500 Internal Server Error")),
    "HTTP 502 in a header": answered(error_body("502 Bad Gateway", **{"x-generation-id": ECHO})),
    "HTTP 503, cut": answered(response(f"{LONG}{PORTKEY}".encode(), status="503 Unavailable")),
    "redirect": answered(response(b"", f"location: http://x.invalid/?{KEY}", status="302 Found")),
    "HTTP 200": answered(error_body("200 OK")),
    "error in a stream": answered(
        response(wire.sse(wire.chunk("a"), wire.error(502, ECHO)), STREAM)
    ),
    "garbage": answered(f"{ECHO}\r\n\r\n".encode()),
    "garbage in the head": answered(f"HTTP/1.1 200 OK\r\n {ECHO}\r\n\r\n".encode()),
    "garbage for chunks": answered(stream_head(), ECHO.encode() + b"\r\n"),
    "garbage for JSON": answered(response(b"{" + ECHO.encode())),
    "garbage for an event": answered(response(f"data: {{{ECHO}\n\n".encode(), STREAM)),
    "a field of another type": answered(
        response(wire.to_json({**wire.body("a"), "choices": ECHO}))
    ),
    "an encoding": answered(response(b"a", f"content-encoding: {PORTKEY}")),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("echo", ECHOES)
def test_no_echo_shows_a_secret(echo: str, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore")  # it writes the head of an answer itself
    with ECHOES[echo]() as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    assert_hidden(caught.value, caplog)


def echoing() -> wire.Json:
    """A whole answer, with what it was sent in everything that a gateway may add."""
    call = {"id": "call_1", "function": {"name": "f", "arguments": "{}"}, "debug": ECHO}
    answer = wire.body(None, refusal={"sent": ECHO}, tool_calls=[call], sent={"headers": [ECHO]})
    answer["choices"][0]["sent"] = ECHO
    return {**answer, "sent": ECHO, "openrouter_metadata": {"headers": ECHO}}


def half_of(answer: wire.Json) -> bytes:
    """Write a whole answer as the chunk of a stream that then fails."""
    message = answer["choices"][0].pop("message")
    message["tool_calls"][0]["index"] = 0
    answer["choices"][0] |= {"delta": message, "finish_reason": None}
    return response(wire.sse(answer, wire.error(502)), STREAM)


@pytest.mark.parametrize("mode", MODES)
def test_what_a_gateway_adds_to_an_answer_shows_no_secret(mode: str) -> None:
    with answered(response(wire.to_json(echoing())))() as model:
        message = MODES[mode](model)
    assert "sent" in message.response_metadata
    assert "sent" in message.additional_kwargs
    assert shown(f"{message!r} {dumps(message)} {pickle.dumps(message)!r}") == []


@pytest.mark.parametrize("mode", MODES)
def test_what_a_gateway_adds_to_a_failing_answer_shows_no_secret(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answered(half_of(echoing()))() as model, pytest.raises(OpenRouterError) as caught:
        MODES[mode](model)
    assert caught.value.partial is not None
    assert "sent" in caught.value.partial.additional_kwargs
    assert_hidden(caught.value, caplog)


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer", "BEARER", "Bearer"])
def test_an_echo_of_the_credentials_without_their_scheme_shows_no_secret(
    emulator: Emulator, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {PORTKEY}"}
    model = build(emulator.base_url, default_headers=headers)
    emulator.play(error_answer(401, {"error": {"message": f"{PORTKEY} is unknown"}}))
    with pytest.raises(OpenRouterError) as caught:
        model.invoke("Hello")
    assert shown(f"{caught.value!r} {caught.value.body} {pickle.dumps(caught.value)!r}") == []


URL = "http://openrouter.invalid/api/v1"
FORMS: dict[str, Callable[[ChatOpenRouterO3], object]] = {
    "repr": repr,
    "str": str,
    "model_dump": lambda model: model.model_dump(),
    "model_dump_json": lambda model: model.model_dump_json(),
    "asdict": lambda model: model.asdict(),
    "dumps": dumps,
    "dumpd": dumpd,
    "name in a cache": lambda model: model._get_llm_string(),
    "identifying parameters": lambda model: model._identifying_params,
    "parameters in a trace": lambda model: model._get_ls_params(),
    "configuration": lambda model: model.config_specs,
    "copy": copy.deepcopy,
    "a part of a chain": lambda model: dumps(model.with_retry() | str),
    "with tools": lambda model: dumps(model.bind_tools([])),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_model_shows_a_secret(form: str) -> None:
    assert shown(f"{FORMS[form](build(URL))}") == []


@pytest.mark.parametrize(
    "name",
    [
        "Helicone-Auth",
        "api-key",
        "cf-aig-authorization",
        "x-portkey-api-key",
        "x-anything",
        "User-Agent",
    ],
)
@pytest.mark.parametrize("part", [lambda model: model, lambda model: model.bind(stop=["x"])])
def test_a_model_with_a_header_of_the_caller_is_not_pickled(
    part: Callable[[ChatOpenRouterO3], object], name: str
) -> None:
    with pytest.raises(TypeError, match="default_headers") as caught:
        pickle.dumps(part(build(URL, default_headers={name: HELICONE})))
    assert shown(str(caught.value)) == []


@pytest.mark.parametrize("headers", [None, {}])
def test_a_model_without_headers_is_pickled_without_its_key(headers: dict[str, str] | None) -> None:
    pickled = pickle.dumps(build(URL, default_headers=headers, seed=7))
    assert shown(repr(pickled)) == []
    assert pickle.loads(pickled).seed == 7


class Everything(BaseCallbackHandler):
    """Keeps all that a model tells its callbacks."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def _hear(self, *arguments: Any, **named: Any) -> None:
        self.heard.append(f"{arguments} {named}")

    on_chat_model_start = on_llm_new_token = on_llm_end = on_llm_error = _hear


@pytest.mark.parametrize("mode", MODES)
def test_callbacks_hear_of_no_secret(emulator: Emulator, mode: str) -> None:
    everything = Everything()
    model = build(emulator.base_url, callbacks=[everything])
    assert MODES[mode](model).text
    emulator.play(faults.status(500))
    with pytest.raises(OpenRouterError):
        MODES[mode](model)
    assert len(everything.heard) >= 4
    assert shown("".join(everything.heard)) == []
