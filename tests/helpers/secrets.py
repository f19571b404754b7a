"""All the ways in which an error is shown, and the secrets that must be in none of them.

The secrets are constants of this module: what a frame of a test has in a variable is shown, and so
are the lines of source code around it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import re
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import sentry_sdk
from rich.traceback import Trace, Traceback
from sentry_sdk.envelope import Envelope
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

from langchain_openrouter_o3 import ChatOpenRouterO3
from tests.helpers.raw_server import Handler, Peer, RawServer

PIECE = 12
"""Characters of a secret that must not be shown in a row."""

KEY = "sk-or-v1-3f9a1c77e2b84d0596c0aa51d7e3f428"
HELICONE = "sk-helicone-qzv5rty-h3kpw9d-mnb7xcs"
PORTKEY = "PkT8uYw2Xo0LdEaQ7rBnVs4GHi61"
OWN = "own-client-w4t8y1o5-zl6k2j9h"
PROXY_PASSWORD = "pr0xy_gRu7_Hq2LmN_bV9cXz"
_CREDENTIALS = base64.b64encode(f"user:{PROXY_PASSWORD}".encode()).decode()
SECRETS = (KEY, HELICONE, PORTKEY, OWN, PROXY_PASSWORD, _CREDENTIALS)


SENTRY: dict[str, dict[str, Any]] = {
    "sentry": {},
    "sentry with all that it can send": {"send_default_pii": True},
    "sentry without scrubbing": {"event_scrubber": EventScrubber([], pii_denylist=[])},
}
Scene = Callable[[], AbstractContextManager[ChatOpenRouterO3]]
"""Gives a model that is going to fail."""


def build(base_url: str, **arguments: Any) -> ChatOpenRouterO3:
    """Build a model that knows the key and two other secrets."""
    headers = {"Helicone-Auth": f"Bearer {HELICONE}", "x-portkey-api-key": PORTKEY}
    return ChatOpenRouterO3(
        **{
            "base_url": base_url,
            "api_key": KEY,
            "default_headers": headers,
            "max_retries": 0,
            **arguments,
        }
    )


def served(handler: Handler, scheme: str = "http", **arguments: Any) -> Scene:
    """Let a model ask a server whose connections are handled by a function."""

    @contextlib.contextmanager
    def scene() -> Generator[ChatOpenRouterO3]:
        with RawServer(handler) as server:
            base_url = server.base_url.replace("http", scheme, 1)
            with build(base_url, **arguments) as model:
                yield model

    return scene


def answered(*pieces: bytes) -> Scene:
    """Let a model read these bytes as an answer; then the connection is closed."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.write(*pieces)
        peer.close()

    return served(handle)


def shown(text: str) -> list[str]:
    """Tell which secrets a text shows, by the pieces that it has of them."""
    joined = re.sub(r"[\s│]+", "", text)  # lines may be broken anywhere
    return [
        piece
        for secret in SECRETS
        for piece in (secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1))
        if piece in joined
    ]


def assert_hidden(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Show an error in every way, and the log; no secret is there."""
    found = {way: pieces for way, text in ways(error) if (pieces := shown(text))}
    assert not found, f"shown in {', '.join(found)}: {found}"
    records = [record.__dict__ for record in caplog.records]
    assert not shown(f"{caplog.text} {records}"), "shown in the log"


def ways(error: BaseException) -> Iterator[tuple[str, str]]:
    """Give the name of each way and what it shows."""
    yield "text", f"{error} {error!r}"
    yield "attributes", repr(error.__dict__)
    yield "pickle", repr(pickle.dumps(error))
    yield "traceback", "".join(traceback.format_exception(error))
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    yield "locals", "".join(with_locals.format())
    yield "rich", _rich(error)
    for name, options in SENTRY.items():
        yield name, _sentry(error, **options)


def _rich(error: BaseException) -> str:
    """Write what rich shows of frames; its colours for their source code would take a second."""
    trace = Traceback.extract(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=1_000,
        locals_max_string=10_000,
    )
    return "".join(_rich_pieces(trace))


def _rich_pieces(trace: Trace) -> Iterator[str]:
    for stack in trace.stacks:
        yield stack.exc_value
        for frame in stack.frames:
            yield from (str(node) for node in (frame.locals or {}).values())
        for member in stack.exceptions:  # of a group
            yield from _rich_pieces(member)


class _Collected(Transport):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def _sentry(error: BaseException, **options: Any) -> str:
    collected = _Collected()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `send_default_pii` is going to be called otherwise
        client = sentry_sdk.Client(
            dsn="https://public@sentry.invalid/1",
            transport=collected,
            default_integrations=False,
            **options,
        )
    event, hint = event_from_exception(error, client_options=client.options)
    client.capture_event(event, hint)
    client.close()
    (sent,) = collected.events
    return json.dumps(sent)
