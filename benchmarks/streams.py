"""Streams: the cost of a chunk, the first token, protocol events, and the sum at the end."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import machine
from benchmarks.answers import find_answer
from benchmarks.calls import PROMPT, burst, warm_up
from benchmarks.checks import check_chunks, check_events, check_message, check_payloads
from benchmarks.contestants import refill
from benchmarks.samples import LOOP, PROGRESS, Clock, Sample, Task, count, median_lap

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.answers import Answer
    from benchmarks.contestants import Subject
    from benchmarks.scenarios import Scenario

FIRST_TOKENS = 30


class Source(NamedTuple):
    """Where the chunks of one contestant come from.

    Attributes:
        start: Begins a stream.
        astart: Begins a stream on an event loop.
        check: Checks all that came.
        prepare: Takes the number of streams that will be asked for.
    """

    start: Callable[[], Any]
    astart: Callable[[], Any]
    check: Callable[[list[Any]], None]
    prepare: Callable[[int], None]


def source(subject: Subject, answer: Answer) -> Source:
    """Return where a contestant's chunks come from."""
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer)
        expected = answer.payloads()
        return Source(
            bare.stream, bare.astream, lambda got: check_payloads(got, expected), lambda _: None
        )
    model = subject.model(answer)
    return Source(
        lambda: model.stream(PROMPT),
        lambda: model.astream(PROMPT),
        lambda got: check_chunks(got, answer),
        lambda streams: refill(model, streams),
    )


def stream(subject: Subject, scenario: Scenario) -> Task:
    """Read a stream and keep the chunks."""
    answer = find_answer(scenario.answer)
    if subject.name == "raw":
        from benchmarks.bare import RawSocket

        return Task(RawSocket(subject, answer).invoke, lambda _: None, scenario.units)
    chunks = source(subject, answer)
    return Task(
        lambda: list(chunks.start()), chunks.check, scenario.units, lambda: chunks.prepare(1)
    )


def astream(subject: Subject, scenario: Scenario) -> Task:
    """Read a stream on an event loop and keep the chunks."""
    chunks = source(subject, find_answer(scenario.answer))
    return Task(
        lambda: LOOP.run(_read(chunks)), chunks.check, scenario.units, lambda: chunks.prepare(1)
    )


def astreams(subject: Subject, scenario: Scenario) -> Task:
    """Read many streams at once, in a process that has read one before."""
    machine.allow_many_sockets()
    if subject.name == "raw":
        return burst(subject, scenario)
    chunks = source(subject, find_answer(scenario.answer))

    async def all_at_once() -> list[list[Any]]:
        reading = [count(_read(chunks)) for _ in range(scenario.units)]
        return list(await asyncio.gather(*reading))

    def check(streams: list[list[Any]]) -> None:
        for received in streams:
            chunks.check(received)

    warm_up(lambda: _read(chunks))
    return Task(
        lambda: LOOP.run(all_at_once()),
        check,
        1,
        lambda: chunks.prepare(scenario.units),
        total=scenario.units,
    )


async def _read(chunks: Source) -> list[Any]:
    return [chunk async for chunk in chunks.astart()]


def first_token(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Time from the call to the first text; the rest of the stream is read off the clock.

    A sample is the median of some streams: the first of them find another contestant's data in
    the processor's caches.
    """
    chunks = source(subject, find_answer(scenario.answer))

    def sample() -> Sample:
        chunks.prepare(FIRST_TOKENS)
        PROGRESS.start(FIRST_TOKENS)
        laps: list[tuple[float, float]] = []
        with Clock() as clock:
            for _ in range(FIRST_TOKENS):
                clock.lap()
                started = iter(chunks.start())
                received = [next(started)]
                while not _has_text(received[-1]):
                    received.append(next(started))
                laps.append(clock.lap())
                chunks.check([*received, *started])
                PROGRESS.done += 1
        return median_lap(laps)

    return sample


def _has_text(chunk: Any) -> bool:
    return bool(chunk["choices"][0]["delta"]["content"] if isinstance(chunk, dict) else chunk.text)


def events(subject: Subject, scenario: Scenario) -> Task:
    """Read the protocol events that langchain-core makes of a stream."""
    if subject.name == "httpx":
        return stream(subject, scenario)
    answer = find_answer(scenario.answer)
    model = subject.model(answer)
    warnings.filterwarnings("ignore", message=".*beta", category=Warning)
    return Task(
        lambda: list(model.stream_events(PROMPT, version="v3")),
        lambda got: check_events(got, answer),
        scenario.units,
        lambda: refill(model, 1),
    )


def merged(subject: Subject, scenario: Scenario) -> Task:
    """Let `invoke` stream and sum the chunks, as langchain-core does with `streaming=True`."""
    if subject.name == "httpx":
        return stream(subject, scenario)
    answer = find_answer(scenario.answer)
    model = subject.model(answer, streaming=True)
    return Task(
        lambda: model.invoke(PROMPT),
        lambda message: check_message(message, answer),
        scenario.units,
        lambda: refill(model, 1),
    )
