"""Forks, event loops, copies and connections."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_openrouter_o3.emulator import Canned
from tests.helpers import wire
from tests.helpers.factories import STREAM, hello, whole
from tests.pains.harness import LIMIT, Harness, Observation, case, not_applicable, safe_if


def run_script(name: str, *arguments: str, **environment: str) -> list[str]:
    """Run one of `scripts.py` in a process of its own; return its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pains.peers.scripts", name, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=4 * LIMIT,
        env={**os.environ, **environment},
    )
    return done.stdout.splitlines()


@case("P10")
def a_used_model_is_forked(harness: Harness) -> Observation:
    if not hasattr(os, "fork"):
        return not_applicable("this system has no fork")
    late = replace(whole(wire.body("For the child")), delay=2.5)
    harness.play(hello(), late, whole(wire.body("For the parent")))
    (told,) = run_script("fork", harness.client.key, harness.emulator.base_url)
    harness.disturbed = True
    return safe_if(told == "returned 'For the parent'", f"the parent's question {told}")


@case("P11")
def a_model_outlives_its_event_loop(harness: Harness) -> Observation:
    model = harness.model(max_retries=0)
    harness.disturbed = True  # a pool may keep a connection of a loop that is gone
    outcomes = [harness.attempt(lambda: asyncio.run(model.ainvoke("Hello"))) for _ in range(5)]
    failures = [outcome for outcome in outcomes if not outcome.succeeded]
    told = f"{5 - len(failures)} of 5 calls succeeded"
    return safe_if(not failures, f"{told}; one {failures[0]}" if failures else told)


def endless() -> Canned:
    """Answer with a word every hundredth of a second."""
    words = [wire.sse(wire.chunk(f"{n} "), done=False) for n in range(1_000)]
    return Canned(headers=STREAM, pieces=words, pause=0.01)


@case("P50")
def a_stream_is_abandoned(harness: Harness) -> Observation:
    harness.play(endless(), endless())
    model = harness.model()

    def leave() -> None:
        for _ in model.stream("Hello"):
            break

    async def aleave() -> bool:
        stream = model.astream("Hello")
        await anext(stream)
        await stream.aclose()
        return await asyncio.to_thread(harness.requests[-1].wait_disconnected, 5)

    harness.disturbed = True
    harness.attempt(leave)
    left = (
        harness.requests[0].wait_disconnected(5),
        harness.attempt(lambda: asyncio.run(aleave())).value,
    )
    return safe_if(left == (True, True), f"hung up: stream {left[0]}, astream {left[1]}")


@case("P62")
def a_used_model_is_copied(harness: Harness) -> Observation:
    model = harness.model()
    model.invoke("Hello")
    pickled = harness.attempt(lambda: pickle.loads(pickle.dumps(model)))
    copied = harness.attempt(lambda: copy.deepcopy(model).invoke("Hello"))
    good = pickled.succeeded and copied.succeeded
    return safe_if(good, f"pickle {pickled.kind}; deepcopy {copied.kind}")


@contextmanager
def counting_server() -> Iterator[tuple[str, list[Any]]]:
    """Serve "Hello" and note each connection."""
    body = wire.to_json(wire.body("Hello"))
    connections: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            connections.append(self.client_address)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1", connections
        server.shutdown()


@case("P63")
def five_models_are_used(harness: Harness) -> Observation:
    with counting_server() as (base_url, connections):
        models = [harness.client.build(base_url) for _ in range(5)]
        for model in (*models, *models):
            harness.attempt(partial(model.invoke, "Hello"))
        opened = len(connections)
    word = "connection" if opened == 1 else "connections"
    return safe_if(opened == 1, f"5 models opened {opened} {word}")
