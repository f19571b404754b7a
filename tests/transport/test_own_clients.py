"""The caller's own blocking client, and a stream that is dropped and collected inside httpcore.

A collection may begin at any allocation, so also while this thread holds the lock of httpcore's
pool. That lock is not reentrant: whoever closes a stream there waits for ever. (httpcore2's is,
and its pool's lists change under its feet.) The scripts run in processes of their own, so that a
deadlock is a failure and not a hang.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from langchain_openrouter_o3.emulator import Canned, Emulator, ReceivedRequest
from tests.helpers import wire
from tests.helpers.processes import Scripts
from tests.helpers.raw_server import PATIENCE

_WORDS = [wire.sse(wire.chunk(f"{number} "), done=False) for number in range(10_000)]
ENDLESS = Canned(headers={"content-type": "text/event-stream"}, pieces=_WORDS, pause=0.01)

DROP = """
pool = None
gc.disable()  # what is collected is collected where the script says so
places = []

def collect(here):
    if here in places:
        places.clear()
        assert gc.collect() > 0

def settle():
    while pool is not None and len(pool.connections) != 1:  # the one that is idle
        time.sleep(0.005)

def drop():
    stream = model.stream("Without end")
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
"""

OWN_CLIENT = """
import {library} as library, {core} as core

class Connection(core.HTTPConnection):
    def is_closed(self):
        collect("looks")  # the pool asks with its lock held
        return super().is_closed()

class Pool(core.ConnectionPool):
    def create_connection(self, origin):
        collect("connects")  # same
        return Connection(origin)

transport = library.HTTPTransport()
pool = transport._pool = Pool()
client = library.Client(transport=transport)
atexit.register(client.close)
limit = float(sys.argv[2]) or None
model = ChatOpenRouterO3(
    base_url=sys.argv[1], max_retries=0, http_client=client, total_timeout=limit
)
"""

SHARED_CLIENT = """
import logging

class Hook(logging.Handler):
    def emit(self, record):
        collect(record.getMessage().partition(" ")[0])

logging.getLogger("httpcore").addHandler(Hook())
logging.getLogger("httpcore").setLevel(logging.DEBUG)
"""

BEGIN = """
drop()
places.append("{place}")
ask(1)
assert not places  # it was reached
settle()
ask(2)
"""

END = """
other = model.stream(STORY)
text = next(other).text
drop()
places.append("{place}")
assert text + "".join(chunk.text for chunk in other) == TOLD
assert not places
settle()
ask(1)
"""


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    """Fresh processes for scripts; where there is no fork, these tests are skipped."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    with Scripts() as scripts:
        yield scripts


def endless(request: ReceivedRequest) -> Canned | None:
    return ENDLESS if b"Without end" in request.raw else None


def run(scripts: Scripts, emulator: Emulator, script: str, *arguments: str) -> None:
    """Run a script; one that hangs is ended, and a socket that it leaves open is an error."""
    emulator.disturb(endless)
    scripts.run(script, emulator, *arguments)
    (dropped,) = [each for each in emulator.requests if b"Without end" in each.raw]
    assert dropped.wait_disconnected(PATIENCE)


@pytest.mark.parametrize(
    ("library", "core"), [("httpx", "httpcore"), ("httpx2", "httpcore2")], ids=["httpx", "httpx2"]
)
@pytest.mark.parametrize(
    ("call", "place"),
    [(BEGIN, "looks"), (BEGIN, "connects"), (END, "looks")],
    ids=["a call begins", "a call connects", "a call ends"],
)
@pytest.mark.parametrize("limit", ["0", "30"], ids=["without limit", "with a limit"])
def test_a_stream_collected_inside_the_pool_of_an_own_client_is_closed(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    scripts: Scripts, emulator: Emulator, library: str, core: str, call: str, place: str, limit: str
) -> None:
    own = OWN_CLIENT.format(library=library, core=core)
    run(scripts, emulator, DROP + own + call.format(place=place), limit)


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (BEGIN, "connect_tcp.started"),
        (BEGIN, "send_request_headers.started"),
        (BEGIN, "receive_response_headers.complete"),
        (END, "receive_response_body.complete"),
        (END, "response_closed.started"),
    ],
)
def test_a_stream_collected_inside_a_shared_client_is_closed(
    scripts: Scripts, emulator: Emulator, call: str, place: str
) -> None:
    run(scripts, emulator, DROP + SHARED_CLIENT + call.format(place=place))
