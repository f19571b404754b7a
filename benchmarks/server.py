"""The server: ready-made bytes behind a hand-written HTTP/1.1, so that it is never what is slow.

A request's path begins with an answer's name (`/text-2000/v1/chat/completions`); the bytes of an
answer are rendered once, at its first request, which is always a warm-up.

The wire shape: each event is one chunk of the chunked encoding, as a server writes that passes
on token after token, and `--events-per-chunk` groups them, as proxies do (recorded streams show
1 to 5 events in a network chunk). The socket, though, is written in blocks of 256 KiB: a client
that falls behind finds many chunks waiting, and the measured process never waits for the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import threading
import time

from benchmarks import machine
from benchmarks.answers import Answer, find_answer
from tests.helpers import wire

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BLOCK = 256 * 1024
_GAP_SECONDS = 0.0005
_HEADERS = """\
date: Thu, 01 Oct 2026 12:00:00 GMT\r
transfer-encoding: chunked\r
connection: keep-alive\r
access-control-allow-origin: *\r
cache-control: no-cache\r
permissions-policy: payment=(self "https://checkout.stripe.com")\r
referrer-policy: no-referrer, strict-origin-when-cross-origin\r
x-content-type-options: nosniff\r
x-generation-id: {generation}\r
server: cloudflare\r
cf-ray: 9f0a1b2c3d4e5f60-FRA\r
"""


class Site:
    """The rendered answers, and what is to be known about the requests."""

    def __init__(self, events_per_chunk: int) -> None:
        """Start without answers."""
        self._events_per_chunk = events_per_chunk
        self._rendered: dict[str, list[bytes]] = {}
        self._refused: dict[str, int] = {}
        self.last_body = b""

    def respond(self, path: str, body: bytes) -> tuple[list[bytes], float]:
        """Return a response in pieces that are sent apart, and the seconds to wait before."""
        name = path.split("/", 2)[1]
        if name == "-":
            return [self._report(path)], 0.0
        self.last_body = body
        answer = find_answer(name)
        if answer.kind == "busy" and self._refuse(answer):
            return [_BUSY], 0.0
        if name not in self._rendered:
            pieces = render(answer, self._events_per_chunk)
            self._rendered[name] = pieces if answer.apart else [b"".join(pieces)]
        return self._rendered[name], answer.think_seconds

    def _refuse(self, answer: Answer) -> bool:
        count = self._refused.get(answer.name, 0)
        self._refused[answer.name] = (count + 1) % (answer.size + 1)
        return count < answer.size

    def _report(self, path: str) -> bytes:
        cpu = {"cpu": time.process_time()}
        content = json.dumps(cpu).encode() if path == "/-/cpu" else self.last_body
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content)


def render(answer: Answer, events_per_chunk: int = 1) -> list[bytes]:
    """Write a whole response: its head, and each chunk."""
    kind = "text/event-stream" if answer.streamed else "application/json"
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{_HEADERS}\r\n"
    if answer.streamed:
        events = [wire.sse(payload, done=False) for payload in answer.payloads()]
        comments = [f"{wire.PROCESSING}\n\n".encode()] * 2
        chunks = [*comments, *_grouped([*events, wire.sse()], events_per_chunk)]
    else:
        chunks = [wire.PADDING * 2, wire.to_json(answer.payloads()[0])]
    body = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return [head.format(generation=wire.GENERATION).encode(), *body, b"0\r\n\r\n"]


def _grouped(events: list[bytes], size: int) -> list[bytes]:
    return [b"".join(events[start : start + size]) for start in range(0, len(events), size)]


_BUSY_BODY = wire.to_json(wire.error(503, "Overloaded"))
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 0\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BUSY_BODY), _BUSY_BODY)
)


class Connection(asyncio.Protocol):
    """One connection: takes requests, writes ready-made responses in big blocks."""

    def __init__(self, site: Site) -> None:
        """Start with nothing received."""
        self._site = site
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP has this one
        self._transport = transport
        transport.set_write_buffer_limits(high=4 * _BLOCK)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        length = _LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < whole:
            return
        body = bytes(self._received[end + 4 : whole])
        del self._received[:whole]
        response, seconds = self._site.respond(head.split(b" ", 2)[1].decode(), body)
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._send, response)
        else:
            self._send(response)

    def pause_writing(self) -> None:
        """Wait for a slow reader."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        self._write()

    def _send(self, pieces: list[bytes]) -> None:
        self._unsent = memoryview(pieces[0])
        self._write()
        if pieces[1:]:
            asyncio.get_running_loop().call_later(_GAP_SECONDS, self._send, pieces[1:])

    def _write(self) -> None:
        while self._unsent and not self._paused and not self._transport.is_closing():
            block, self._unsent = self._unsent[:_BLOCK], self._unsent[_BLOCK:]
            self._transport.write(block)


async def serve(events_per_chunk: int) -> None:
    """Serve on a free port, which is printed, until standard input ends."""
    machine.allow_many_sockets()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait_for_end() -> None:
        sys.stdin.read()  # ends with the process that started this one
        loop.call_soon_threadsafe(ended.set)

    site = Site(events_per_chunk)
    server = await loop.create_server(lambda: Connection(site), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=wait_for_end, daemon=True).start()
    await ended.wait()
    server.close()


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="The server of the benchmarks.")
    parser.add_argument("--events-per-chunk", type=int, default=1)
    parser.add_argument("--core", type=int)
    options = parser.parse_args()
    machine.settle_on(options.core)
    asyncio.run(serve(options.events_per_chunk))


if __name__ == "__main__":
    main()
