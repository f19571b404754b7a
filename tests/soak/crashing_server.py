"""A rough server: it resets, closes, falls silent, says too much, and is killed by its parent.

It writes the number of each whole request to a file at once, so that what it has read is known
even if it is killed in the next moment.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import struct
from typing import Literal

from langchain_openrouter_o3.emulator.serving.connection import untrusted_context
from tests.helpers import wire
from tests.soak.plan import TAG

Conduct = Literal[
    "whole",
    "slow",
    "whole, then close",
    "whole, and more",
    "close before the head",
    "reset before the head",
    "close in the body",
    "reset in the body",
    "silence",
    "silence in the body",
]
WHOLE: tuple[Conduct, ...] = ("whole", "slow", "whole, then close", "whole, and more")
BROKEN: tuple[Conduct, ...] = (
    "close before the head",
    "reset before the head",
    "close in the body",
    "reset in the body",
)
SILENT: tuple[Conduct, ...] = ("silence", "silence in the body")
_WORDS = ("fleece", "grüße", "ram", "weide", "牧羊", "🐑")
_FOREVER = 3600.0
_STRAY = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray"
_NO_LINGER = struct.pack("ii", 1, 0)


def conduct_of(seed: int, number: int) -> Conduct:
    """Choose how the server behaves towards a call; it depends on the call's number alone."""
    dice = random.Random(f"{seed}/conduct/{number}")  # noqa: S311 - repeatable is what is wanted
    kinds = dice.choices((WHOLE, BROKEN, SILENT), (7, 2, 1))[0]
    return dice.choice(kinds)


def answer_of(number: int) -> str:
    """Say what the answer to a call is."""
    dice = random.Random(f"answer/{number}")  # noqa: S311 - same
    return f"tag-{number} " + " ".join(dice.choices(_WORDS, k=dice.randint(2, 12)))


class RoughServer:
    """Answers requests by the plan of their numbers."""

    def __init__(self, seed: int, journal: int) -> None:
        """Take the seed, and the descriptor of the file that takes the numbers."""
        self._seed = seed
        self._journal = journal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection up to its end."""
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client was quicker
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        tag = TAG.search(body)
        assert tag is not None
        number = int(tag[1])
        os.write(self._journal, b"%d\n" % number)
        conduct = conduct_of(self._seed, number)
        pieces = _pieces(answer_of(number), streamed=b'"stream":true' in body)
        if conduct in ("close before the head", "reset before the head"):
            return _end(writer, reset=conduct.startswith("reset"))
        if conduct == "silence":
            await asyncio.sleep(_FOREVER)
        if conduct == "whole, and more":
            pieces[-1] += _STRAY  # later, it could not be told from an answer to the next request
        if conduct == "whole, then close":
            writer.transport.pause_reading()  # type: ignore[attr-defined] # what comes stays unread
        for piece in pieces if conduct in WHOLE else pieces[: max(1, len(pieces) // 2)]:
            writer.write(piece)
            await writer.drain()
            if conduct == "slow":
                await asyncio.sleep(0.005)
        if conduct == "silence in the body":
            await asyncio.sleep(_FOREVER)
        if conduct in ("close in the body", "reset in the body"):
            return _end(writer, reset=conduct.startswith("reset"))
        if conduct == "whole, then close":
            await asyncio.sleep(0.001 * (number % 20))
            return _end(writer, reset=False)
        return True


def _pieces(text: str, *, streamed: bool) -> list[bytes]:
    if not streamed:
        body = wire.to_json(wire.body(text))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        return [head % len(body), body[:200], body[200:]]
    words = text.split(" ")
    events = [
        wire.sse(wire.chunk(f" {word}" if at else word), done=False)
        for at, word in enumerate(words)
    ]
    events.append(wire.sse(*wire.ending()))
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return [head, *(b"%x\r\n%s\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"]


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> bool:
    if reset:
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()
    return False


async def main() -> None:
    """Listen until killed."""
    parser = argparse.ArgumentParser("python -m tests.soak.crashing_server")
    for name in ("plain", "tls", "seed"):
        parser.add_argument(name, type=int)
    parser.add_argument("journal")
    options = parser.parse_args()
    journal = os.open(options.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    server = RoughServer(options.seed, journal)
    context = untrusted_context()
    # The port is shared, so that a successor can listen before this process is killed.
    await asyncio.start_server(
        server.serve, "127.0.0.1", options.plain, backlog=1024, reuse_port=True
    )
    await asyncio.start_server(
        server.serve, "127.0.0.1", options.tls, ssl=context, backlog=1024, reuse_port=True
    )
    print("ready", flush=True)  # noqa: T201 - the parent reads it
    await asyncio.sleep(_FOREVER)


if __name__ == "__main__":
    asyncio.run(main())
