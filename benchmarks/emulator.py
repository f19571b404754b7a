"""`python -m benchmarks.emulator`: what the emulator costs, in a process of its own.

It prints how long it takes to start and to stop, and what a thousand streams at once cost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from langchain_openrouter_o3.emulator import Emulator

_WORDS = 100
_MAXRSS_PER_MEBIBYTE = 1024 * 1024 if sys.platform == "darwin" else 1024


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emulator", description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000, help="how many at once")
    parser.add_argument("--rounds", type=int, default=20, help="how often to start and stop")
    options = parser.parse_args()
    starts, stops = _start_and_stop(options.rounds)
    print(f"start {starts:.1f} ms, stop {stops:.1f} ms (medians of {options.rounds})")
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    base_url = ours.recv()
    _permit_many_sockets()
    begin = time.perf_counter()
    wrong = asyncio.run(_ask_all(base_url, options.streams))
    seconds = time.perf_counter() - begin
    ours.send("stop")
    cpu, memory = ours.recv()
    server.join()
    print(
        f"{options.streams} streams of {_WORDS} words at once: {cpu:.2f} s of CPU, "
        f"{memory:.0f} MiB, {seconds:.2f} s in all, {wrong} wrong"
    )


def _start_and_stop(rounds: int) -> tuple[float, float]:
    """Return the medians in milliseconds, making and starting being one."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        begin = time.perf_counter()
        emulator = Emulator()
        emulator.start()
        started = time.perf_counter()
        emulator.stop()
        times.append((started - begin, time.perf_counter() - started))
    starts, stops = zip(*times, strict=True)
    return 1e3 * statistics.median(starts), 1e3 * statistics.median(stops)


def _serve(parent: Connection) -> None:
    """Serve until told to stop, and tell the CPU seconds and MiB of this process."""
    _permit_many_sockets()
    with Emulator() as emulator:
        before = time.process_time()
        parent.send(emulator.base_url)
        parent.recv()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_PER_MEBIBYTE
        parent.send((time.process_time() - before, memory))


def _permit_many_sockets() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _ask_all(base_url: str, streams: int) -> int:
    """Send all requests before any answer is read, and count the wrong answers."""
    url = urlsplit(base_url)
    connections = [await asyncio.open_connection(url.hostname, url.port) for _ in range(streams)]
    for number, (_, writer) in enumerate(connections):
        writer.write(_request(f"echo {_answer(number)}"))
    texts = await asyncio.gather(*(_text_of(*connection) for connection in connections))
    return sum(text != _answer(number) for number, text in enumerate(texts))


def _answer(number: int) -> str:
    return " ".join([f"tag-{number}", *(f"word{count}" for count in range(1, _WORDS))])


def _request(prompt: str) -> bytes:
    messages = [{"role": "user", "content": prompt}]
    body = json.dumps({"model": "openai/o3-mini", "messages": messages, "stream": True}).encode()
    return (
        b"POST /api/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
        b"authorization: Bearer benchmark\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


async def _text_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Return the text of an answer that ended as it should."""
    pieces: list[str] = []
    is_done = False
    async for line in reader:
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            pieces.append(choices[0]["delta"]["content"])
        is_done = is_done or line == b"data: [DONE]\n"
    writer.close()
    await writer.wait_closed()
    return "".join(pieces) if is_done else ""


if __name__ == "__main__":
    main()
