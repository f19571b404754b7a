"""A performer that plays the steps of an exchange from a script, and short ways to read with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_openrouter_o3._http.driver import AsyncDriver, SyncDriver
from langchain_openrouter_o3._http.exchange import Reader, Sources, exchange
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import (
    IOStep,
    Reply,
    Request,
    Send,
    Sleep,
    StepResult,
    TransportFailure,
)
from langchain_openrouter_o3._wire.readers import ChunkReader, MessageReader

T = TypeVar("T")

REQUEST = Request("https://openrouter.test/api/v1/chat/completions", RequestHeaders({}), b"{}")
SOURCES = Sources(jitter=lambda: 0.0, clock=lambda: 1_785_000_000.0)
STREAM_HEADERS = {"content-type": "text/event-stream"}
Piece = bytes | TransportFailure


@dataclass
class Response:
    """What one attempt gets: a status, headers, and the pieces of a body."""

    pieces: Sequence[Piece] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Attempt = Response | TransportFailure


class ScriptedPerformer:
    """Carries out steps by playing one attempt after the other; it counts what was asked."""

    def __init__(self, *attempts: Attempt) -> None:
        self._attempts = list(attempts)
        self._pieces: list[Piece] = []
        self.sent = 0
        self.received = 0
        self.slept: list[float] = []
        self.closed = 0

    def perform(self, step: IOStep) -> StepResult:
        if isinstance(step, Sleep):
            self.slept.append(step.seconds)
            return None
        if isinstance(step, Send):
            self.sent += 1
            attempt = self._attempts.pop(0)
            if isinstance(attempt, TransportFailure):
                return attempt
            self._pieces = list(attempt.pieces)
            return Reply(attempt.status, attempt.headers)
        self.received += 1
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed += 1

    @property
    def unread(self) -> int:
        """How many pieces of the current answer were never asked for."""
        return len(self._pieces)


class AsyncScriptedPerformer:
    """The same on an event loop."""

    def __init__(self, *attempts: Attempt) -> None:
        self.performer = ScriptedPerformer(*attempts)

    async def perform(self, step: IOStep) -> StepResult:
        return self.performer.perform(step)

    async def close(self) -> None:
        self.performer.close()


def flow_of(
    new_reader: Callable[[Reply], Reader[T]], policy: RetryPolicy | None = None
) -> Generator[Any, StepResult, None]:
    """An exchange without chance and without a clock."""
    return exchange(REQUEST, policy or RetryPolicy(), new_reader, SOURCES)


def play(
    new_reader: Callable[[Reply], Reader[T]],
    performer: ScriptedPerformer,
    policy: RetryPolicy | None = None,
) -> Generator[T, None, None]:
    """Drive an exchange with a scripted performer."""
    with closing(SyncDriver(flow_of(new_reader, policy), performer)) as received:
        for items in received:
            yield from items


async def aplay(
    new_reader: Callable[[Reply], Reader[T]],
    performer: AsyncScriptedPerformer,
    policy: RetryPolicy | None = None,
) -> AsyncGenerator[T, None]:
    """Drive an exchange with a scripted performer, asynchronously."""
    async with aclosing(AsyncDriver(flow_of(new_reader, policy), performer)) as received:
        async for items in received:
            for item in items:
                yield item


def read_message(
    *pieces: bytes, stop: Sequence[str] = (), headers: dict[str, str] | None = None
) -> AIMessage:
    """Read the message of a 200 answer; no retries."""
    performer = ScriptedPerformer(Response(pieces, headers=headers or {}))
    read = play(
        lambda reply: MessageReader(reply.headers, stop), performer, RetryPolicy(max_retries=0)
    )
    (message,) = read
    return message


def read_chunks(
    *pieces: bytes, stop: Sequence[str] = (), headers: dict[str, str] | None = None
) -> list[AIMessageChunk]:
    """Read the chunks of a 200 answer; no retries."""
    performer = ScriptedPerformer(Response(pieces, headers=headers or {}))
    read = play(
        lambda reply: ChunkReader(reply.headers, stop), performer, RetryPolicy(max_retries=0)
    )
    chunks: list[Any] = [generation.message for generation in read]
    return chunks


def add_up(chunks: Sequence[AIMessageChunk]) -> AIMessageChunk:
    """Sum chunks one by one, as LangChain does."""
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total
