"""A server for many rows, in a process of its own: fast, with faults, limits, and an exact bill.

Each prompt carries `row-KEY`, and the answer repeats it. What an attempt meets is a function of the
seed, the key and the attempt's number. `GET …/bill` tells what was charged for each key.

It writes its base URL as a line and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any

import httpx
from typing_extensions import Self

from tests.helpers import wire

ROW = re.compile(rb"row-([\w-]+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_UNIT = Decimal("0.0000001")
KINDS = (
    "429",
    "429 with a time",
    "500",
    "503",
    "a gateway's page",
    "400",
    "reset",
    "half an answer",
    "an error in the body",
    "no JSON",
    "no price",
    "truncated",
)
UNBILLED = frozenset({"429", "429 with a time", "500", "503", "a gateway's page", "400"})


@dataclass(frozen=True)
class Plan:
    """How the server behaves.

    Attributes:
        fault_rate: The share of attempts that meet a fault, 0 to 1.
        seed: Of the choice.
        think: Seconds before each answer.
        per_second: How many requests it takes in each second; 0 for all.
        storm_after: So many requests are taken before everything is refused; 0 for no storm.
        storm_seconds: For how long.
    """

    fault_rate: float = 0.0
    seed: int = 0
    think: float = 0.0
    per_second: int = 0
    storm_after: int = 0
    storm_seconds: float = 5.0


@dataclass
class Bill:
    """What the server counted.

    Attributes:
        charged: Tenths of a millionth USD by key.
        answers: Whole answers by key.
        requests: All requests.
        refused: Those that met the limit or the storm.
        most_at_once: Requests under way at once.
    """

    charged: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    refused: int = 0
    most_at_once: int = 0

    @property
    def total(self) -> Decimal:
        """USD."""
        return sum(self.charged.values()) * _UNIT

    def of(self, *keys: str) -> Decimal:
        """USD of some rows."""
        return sum(self.charged.get(key, 0) for key in keys) * _UNIT


class Server:
    """The server's process."""

    def __init__(self, plan: Plan | None = None) -> None:
        """Start it when the block is entered."""
        self._plan = plan or Plan()
        self.base_url = ""

    def __enter__(self) -> Self:
        """Start."""
        plan = json.dumps(asdict(self._plan))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.bulk_server", plan],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def bill(self) -> Bill:
        """Ask for the bill."""
        return Bill(**httpx.get(f"{self.base_url}/bill", timeout=60).json())


class _Books:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.bill = Bill()
        self.at_once = 0
        self._attempts: Counter[str] = Counter()
        self._window, self._taken = 0, 0
        self._storm_ends = 0.0

    def answer(self, body: bytes) -> tuple[str, bytes]:
        """Return what is done with a connection, and what is written."""
        self.bill.requests += 1
        if self._is_refused():
            self.bill.refused += 1
            return "write", _error(429, "Slow down")
        found = ROW.search(body)
        key = found[1].decode() if found is not None else "none"
        self._attempts[key] += 1
        kind = self._kind(key)
        if kind not in UNBILLED:
            self.bill.charged[key] = self.bill.charged.get(key, 0) + price_of(key)
            self.bill.answers[key] = self.bill.answers.get(key, 0) + 1
        return _play(kind, key, f"gen-{key}-{self._attempts[key]}")

    def look_up(self, path: str) -> bytes:
        """Answer a GET: the bill, or one generation."""
        if path.endswith("/bill"):
            return _response(json.dumps(asdict(self.bill)).encode())
        key = path.partition("id=gen-")[2].rpartition("-")[0]
        if key not in self.bill.charged:
            return _error(404, "Generation not found")
        cost = float(price_of(key) * _UNIT)
        return _response(wire.to_json({"data": {"id": f"gen-{key}", "total_cost": cost}}))

    def _is_refused(self) -> bool:
        plan, now = self.plan, time.monotonic()
        if plan.storm_after and self.bill.requests == plan.storm_after:
            self._storm_ends = now + plan.storm_seconds
        if now < self._storm_ends:
            return True
        if not plan.per_second:
            return False
        if int(now) != self._window:
            self._window, self._taken = int(now), 0
        self._taken += 1
        return self._taken > plan.per_second

    def _kind(self, key: str) -> str:
        if not self.plan.fault_rate:
            return "answer"
        chance = random.Random(  # noqa: S311 - it repeats itself
            f"{self.plan.seed} {key} {self._attempts[key]}"
        )
        return chance.choice(KINDS) if chance.random() < self.plan.fault_rate else "answer"


def price_of(key: str) -> int:
    """Return what an answer costs, in tenths of a millionth USD; another price for each row."""
    return 1000 + sum(key.encode()) * 7 % 997


def content_of(key: str) -> dict[str, Any]:
    """Return the object that an answer holds."""
    return {"name": f"row-{key}", "born": 1000 + len(key)}


def _play(  # noqa: PLR0911 - one line for each kind
    kind: str, key: str, identity: str
) -> tuple[str, bytes]:
    if kind in ("429", "500", "503", "400"):
        return "write", _error(int(kind), "A fault")
    if kind == "429 with a time":
        return "write", _error(429, "Wait", "retry-after-ms: 20\r\n")
    if kind == "a gateway's page":
        return "write", _response(b"<html>Bad gateway</html>", "502 Bad Gateway", "text/html")
    if kind == "reset":
        return "reset", b""
    if kind == "an error in the body":
        return "write", _response(wire.to_json(wire.error(502)), identity=identity)
    if kind == "no JSON":
        return "write", _response(b"\n\n{nothing", identity=identity)
    whole = _response(_body(kind, key, identity), identity=identity)
    return ("close", whole[: len(whole) - 100]) if kind == "half an answer" else ("write", whole)


def _body(kind: str, key: str, identity: str) -> bytes:
    usage = wire.usage(cost=float(price_of(key) * _UNIT))
    if kind == "no price":
        del usage["cost"]
    finish = "length" if kind == "truncated" else "stop"
    body = wire.body(json.dumps(content_of(key)), finish=finish, counts=usage)
    return b"\n         \n" + wire.to_json({**body, "id": identity})


def _error(status: int, message: str, headers: str = "") -> bytes:
    body = wire.to_json(wire.error(status, message))
    return _response(body, f"{status} Error", headers=headers)


def _response(
    body: bytes,
    status: str = "200 OK",
    kind: str = "application/json",
    *,
    identity: str = "",
    headers: str = "",
) -> bytes:
    if identity:
        headers += f"x-generation-id: {identity}\r\n"
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, books: _Books) -> None:
        self._books = books
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, rest = self._buffer.split(b"\r\n\r\n", 1)
            found = _LENGTH.search(head)
            length = int(found[1]) if found is not None else 0
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._respond(head, rest[:length])

    def _respond(self, head: bytes, body: bytes) -> None:
        books = self._books
        if head.startswith(b"GET"):
            self._transport.write(books.look_up(head.split()[1].decode()))
            return
        books.at_once += 1
        books.bill.most_at_once = max(books.bill.most_at_once, books.at_once)
        act, written = books.answer(body)
        if books.plan.think:
            asyncio.get_running_loop().call_later(books.plan.think, self._act, act, written)
        else:
            self._act(act, written)

    def _act(self, act: str, written: bytes) -> None:
        self._books.at_once -= 1
        if act == "reset":
            linger = struct.pack("ii", 1, 0)
            found: Any = self._transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
            return
        self._transport.write(written)
        if act == "close":
            self._transport.close()


async def _serve(plan: Plan) -> None:
    loop = asyncio.get_running_loop()
    books = _Books(plan)
    server = await loop.create_server(lambda: _Connection(books), "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/api/v1", flush=True)  # noqa: T201 - for who started it
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Plan(**json.loads(sys.argv[1]))))
