"""A server that echoes what it was sent makes nobody show a secret: errors come without it."""

from __future__ import annotations

import json
import logging

import pytest

from langchain_openrouter_o3 import OpenRouterError
from tests.helpers import wire
from tests.helpers.modes import MODES
from tests.helpers.raw_server import response, stream_head
from tests.helpers.secrets import (
    HELICONE,
    KEY,
    PORTKEY,
    Scene,
    answered,
    assert_hidden,
)

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
