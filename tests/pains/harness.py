"""What plays a case: one client, one emulator, and what can be seen from outside."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage
from typing_extensions import Self

from langchain_openrouter_o3.emulator import Canned, Emulator, ReceivedRequest
from tests.conftest import KEY
from tests.helpers import factories, wire
from tests.pains.peers.clients import Client

Verdict = Literal["safe", "hurt", "n.a."]

EVERY_MODE = ("invoke", "ainvoke", "stream", "astream")
STREAMED = ("stream", "astream")
WHOLE = ("invoke", "ainvoke")
LIMIT = 30.0
"""Seconds for an attempt that should end by itself, on a slow machine."""
LONGEST = 90
"""Characters of an error's words in the table."""


@dataclass(frozen=True)
class Observation:
    """What a client did in a case, and whether that is the pain."""

    verdict: Verdict
    seen: str


def safe_if(condition: object, seen: object) -> Observation:
    """Judge an observation."""
    return Observation("safe" if condition else "hurt", tidy(str(seen)))


def not_applicable(reason: str) -> Observation:
    """Say why a case says nothing about a client."""
    return Observation("n.a.", reason)


def tidy(text: str) -> str:
    """Remove from a text what differs from run to run, and the key."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text.replace(KEY, "<key>"))
    return re.sub(r" at 0x[0-9a-f]+", "", " ".join(text.split()))


def shorten(words: str) -> str:
    """Cut words that are too long for the table."""
    return words if len(words) <= LONGEST else f"{words[:LONGEST].rstrip()}…"


@dataclass
class Outcome:
    """How an attempt ended: with a value, with an error, or not within its limit."""

    value: Any = None
    error: Exception | None = None
    finished: bool = False
    limit: float = LIMIT

    @property
    def succeeded(self) -> bool:
        """Whether there is a value."""
        return self.finished and self.error is None

    def __str__(self) -> str:
        """Tell it in a few words."""
        if not self.finished:
            return f"still trying after {self.limit:g} s"
        if self.error is None:
            return f"returned {self.value!r}"
        return f"raised {type(self.error).__name__}: {shorten(tidy(str(self.error)))}"

    @property
    def kind(self) -> str:
        """Tell only the kind of an error, or that there was none."""
        if self.error is None:
            return "succeeded" if self.finished else str(self)
        return f"raised {type(self.error).__name__}"

    @property
    def refusal(self) -> str:
        """Tell an error by the provider's own words in its body, if they are there."""
        body: Any = getattr(self.error, "body", None)
        body = json.loads(body) if isinstance(body, str) else body
        if not isinstance(body, dict):
            return str(self)
        raw = body.get("error", body).get("metadata", {}).get("raw")
        return f"HTTP 400: {shorten(json.loads(raw)['error']['message'])}" if raw else str(self)


def attempt(act: Callable[[], Any], limit: float = LIMIT) -> Outcome:
    """Do something in a thread that is left alone after so many seconds."""
    outcome = Outcome(limit=limit)

    def work() -> None:
        try:
            outcome.value = act()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is what is measured
            outcome.error = error
        outcome.finished = True

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return outcome if outcome.finished else Outcome(limit=limit)


@dataclass
class Harness:
    """One case's means: they are LangChain's public API and the server's view."""

    client: Client
    emulator: Emulator
    mode: str = "invoke"
    warned: list[warnings.WarningMessage] = field(default_factory=list)
    disturbed: bool = False  # whether the next case needs a server of its own

    def model(self, **options: Any) -> Any:
        """Make a model with its defaults, but for the options."""
        return self.client.build(self.emulator.base_url, **options)

    def play(self, *answers: Canned) -> None:
        """Queue answers; afterwards the emulator's rules answer."""
        self.emulator.play(*answers)

    def attempt(self, act: Callable[[], Any], limit: float = LIMIT) -> Outcome:
        """Do something and tell how it ended."""
        outcome = attempt(act, limit)
        self.disturbed |= not outcome.finished
        return outcome

    def reply(self, body: wire.Json) -> None:
        """Queue an answer in the form that the mode asks for."""
        self.play(factories.answer(self.mode, body))

    def ask(
        self, *, streaming: bool | None = None, limit: float = LIMIT, **options: Any
    ) -> Outcome:
        """Ask "Hello" in the case's mode, or streamed or not; the value is the message."""
        return self.attempt(lambda: self.hear(self.model(**options), streaming=streaming), limit)

    def hear(self, model: Any, *, streaming: bool | None = None) -> AIMessage:
        """Ask "Hello" and return the whole message."""
        streams = "stream" in self.mode if streaming is None else streaming
        message: AIMessage
        if self.mode.startswith("a"):
            message = asyncio.run(_ahear(model) if streams else model.ainvoke("Hello"))
        else:
            message = factories.sum_up(model.stream("Hello")) if streams else model.invoke("Hello")
        return message

    @property
    def requests(self) -> list[ReceivedRequest]:
        """What reached the server."""
        return self.emulator.requests

    @property
    def count(self) -> str:
        """Tell how many requests reached the server."""
        return "1 request" if len(self.requests) == 1 else f"{len(self.requests)} requests"

    def sent(self, position: int = -1) -> dict[str, Any]:
        """Return the body of a request."""
        return factories.sent(self.emulator, position)

    def warnings_about(self, word: str) -> bool:
        """Tell whether a warning with a word was given."""
        return any(word in str(warning.message) for warning in self.warned)


async def _ahear(model: Any) -> AIMessage:
    return factories.sum_up([chunk async for chunk in model.astream("Hello")])


def text_of(outcome: Outcome) -> str | None:
    """Return the text of a message, or None if there is none."""
    return outcome.value.text if outcome.succeeded else None


def said(outcome: Outcome) -> str:
    """Tell an outcome that is a message by its text alone."""
    return f"returned {text_of(outcome)!r}" if outcome.succeeded else str(outcome)


CASES: dict[str, Callable[[Harness], Observation]] = {}
MODES: dict[str, tuple[str, ...]] = {}
"""How each case is played; the peers are measured in the first of its modes."""


def case(
    pain: str, modes: tuple[str, ...] = ("invoke",)
) -> Callable[[Callable[[Harness], Observation]], Callable[[Harness], Observation]]:
    """Register the case of a pain."""

    def register(play: Callable[[Harness], Observation]) -> Callable[[Harness], Observation]:
        assert pain not in CASES, pain
        CASES[pain], MODES[pain] = play, modes
        return play

    return register


class CaseRunner:
    """Plays cases one after the other, on one emulator as long as that is undisturbed."""

    def __init__(self) -> None:
        self._emulator = Emulator()

    def __enter__(self) -> Self:
        """Start."""
        self._emulator.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self._emulator.stop()

    def play(self, pain: str, client: Client, mode: str | None = None) -> Observation:
        """Play a case against a client."""
        self._emulator.reset()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            harness = Harness(client, self._emulator, mode or MODES[pain][0], warned)
            observation = CASES[pain](harness)
        if harness.disturbed:  # nothing of it must reach the next case
            self._emulator.stop()
            self._emulator = Emulator()
            self._emulator.start()
        return observation
