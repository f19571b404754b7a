"""Answers for agents to receive, and the four ways to run an agent or a graph.

Each answer goes out as it is asked for: as one body, or as a stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from langchain_openrouter_o3.emulator import Canned, Emulator, ReceivedRequest
from tests.helpers import wire

STREAM = {"content-type": "text/event-stream"}
Config = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One answer of the model: a text, calls, or both."""

    text: str | None = None
    calls: tuple[wire.Json, ...] = ()
    said: wire.Json = field(default_factory=dict)

    def whole(self) -> Canned:
        calls: wire.Json = {"tool_calls": [*self.calls]} if self.calls else {}
        body = wire.body(self.text, finish=self._finish, **calls, **self.said)
        return Canned(pieces=wire.to_json(body))

    def streamed(self) -> Canned:
        text = self.text or ""
        cuts = [text[:5], text[5:11], text[11:]] if text else []
        events = [wire.chunk(piece) for piece in cuts if piece]
        for call in self.calls:
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            pieces = [arguments[:4], arguments[4:]]
            deltas = wire.tool_deltas(name, pieces, call["id"], call["index"])
            events += [wire.tool_chunk(delta) for delta in deltas]
        first = [wire.chunk(**self.said)] if self.said else []
        body = wire.sse(*first, *events, *wire.ending(self._finish))
        return Canned(headers=STREAM, pieces=body)

    def answer_to(self, request: ReceivedRequest) -> Canned:
        is_streamed = bool((request.body or {}).get("stream"))
        return self.streamed() if is_streamed else self.whole()

    @property
    def _finish(self) -> str:
        return "tool_calls" if self.calls else "stop"


def say(answer: Any, **said: Any) -> Turn:
    """Answer with a text, or with an object as text."""
    return Turn(answer if isinstance(answer, str) else json.dumps(answer), said=said)


def call(*calls: tuple[str, dict[str, Any]], **said: Any) -> Turn:
    """Call tools: each a name and its arguments. Ids are unlike those of other turns."""
    made = [
        wire.tool_call(name, json.dumps(arguments), identity_of(name, arguments, index), index)
        for index, (name, arguments) in enumerate(calls)
    ]
    return Turn(calls=tuple(made), said=said)


def identity_of(name: str, arguments: dict[str, Any], index: int = 0) -> str:
    """The id of a call, the same in every run."""
    letters = "".join(filter(str.isalnum, f"{name}{json.dumps(arguments)}"))
    return f"call_{letters[:40]}_{index}"


def play(emulator: Emulator, *turns: Turn) -> None:
    """Answer the next requests with these turns, one after the other."""
    left = list(turns)

    def choose(request: ReceivedRequest) -> Canned:
        if not left:
            return Canned(status=400, pieces=wire.to_json(wire.error(400, "The script is over.")))
        return left.pop(0).answer_to(request)

    emulator.disturb(choose)


def answer_by(emulator: Emulator, choose: Callable[[dict[str, Any]], Turn]) -> None:
    """Answer each request by what is in its body; for requests in no certain order."""
    emulator.disturb(lambda request: choose(request.body or {}).answer_to(request))


def bodies(emulator: Emulator) -> list[dict[str, Any]]:
    """What was sent so far."""
    return [request.body or {} for request in emulator.requests]


def tool_names(body: dict[str, Any]) -> list[str]:
    """The names of the functions in a request."""
    return [tool["function"]["name"] for tool in body.get("tools", [])]


@dataclass
class Run:
    """What a run of a graph gave, whichever way it was run."""

    state: dict[str, Any] = field(default_factory=dict)
    interrupts: list[Any] = field(default_factory=list)
    streamed: dict[str, str] = field(default_factory=dict)
    """The text of each message that was streamed, by its id."""

    @property
    def messages(self) -> list[Any]:
        return [*self.state["messages"]]

    @property
    def object(self) -> Any:
        return self.state.get("structured_response")

    def take(self, kind: str, piece: Any) -> None:
        if kind == "values":
            self.state = piece
        elif kind == "updates":
            self.interrupts += piece.get("__interrupt__", ())
        elif piece[0].type == "AIMessageChunk":
            message = piece[0]
            self.streamed[message.id] = self.streamed.get(message.id, "") + message.text


def check_streamed(run: Run) -> None:
    """What was streamed of a message is its text, unless LangChain has hidden some of it since."""
    for message in run.messages:
        if message.id in run.streamed and "[REDACTED" not in message.text:
            assert run.streamed[message.id] == message.text


KINDS: Any = ["messages", "updates", "values"]


def _whole(result: dict[str, Any]) -> Run:
    return Run(result, list(result.get("__interrupt__", ())))


def _collected(pieces: Iterable[tuple[str, Any]]) -> Run:
    run = Run()
    for kind, piece in pieces:
        run.take(kind, piece)
    check_streamed(run)
    return run


async def _gathered(pieces: AsyncIterator[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [piece async for piece in pieces]


def invoke(graph: Any, given: Any, config: Config | None = None) -> Run:
    return _whole(graph.invoke(given, config))


def ainvoke(graph: Any, given: Any, config: Config | None = None) -> Run:
    return _whole(asyncio.run(graph.ainvoke(given, config)))


def stream(graph: Any, given: Any, config: Config | None = None) -> Run:
    return _collected(graph.stream(given, config, stream_mode=KINDS))


def astream(graph: Any, given: Any, config: Config | None = None) -> Run:
    return _collected(asyncio.run(_gathered(graph.astream(given, config, stream_mode=KINDS))))


RUNS: dict[str, Callable[..., Run]] = {
    "invoke": invoke,
    "ainvoke": ainvoke,
    "stream": stream,
    "astream": astream,
}


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str = ""


class Bank(BaseModel):
    kind: Literal["bank"] = "bank"
    iban: str


class Order(BaseModel):
    """An order that can be enforced to the letter."""

    customer: str
    unit: str = "piece"
    items: list[str] = Field(default_factory=list)
    note: str | None = None
    paid_by: Card | Bank = Card()


class OpenOrder(Order):
    """An order with open keys, which no strict schema has."""

    labels: dict[str, str] = Field(default_factory=dict)


PAID: dict[str, Any] = {
    "customer": "Ann",
    "unit": "kg",
    "items": ["tea"],
    "note": None,
    "paid_by": {"kind": "bank", "iban": "DE00"},
}
# What is not strict may leave out what has a default.
SHORT: dict[str, Any] = {
    "customer": "Ann",
    "paid_by": {"kind": "bank", "iban": "DE00"},
    "labels": {"place": "Rome"},
}
# The class, what the model says, the object.
FORMS: dict[str, tuple[type[BaseModel], dict[str, Any], BaseModel]] = {
    "closed": (Order, PAID, Order(**PAID)),
    "open": (OpenOrder, SHORT, OpenOrder(**SHORT)),
}
WARNING = "ignore:.*OpenOrder"
