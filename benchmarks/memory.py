"""Memory, as `tracemalloc` counts it: all of Python's own allocations, none of OpenSSL's."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

from benchmarks.answers import find_answer
from benchmarks.calls import PROMPT, TURNS
from benchmarks.checks import check_message, expect
from benchmarks.conversation import langchain_history, wire_history
from benchmarks.samples import PROGRESS, Sample
from benchmarks.streams import source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from benchmarks.contestants import Subject
    from benchmarks.scenarios import Scenario

OPEN_STREAMS = 20
PADDING = 200_000
"""Characters added to each of the 50 tool results, which makes a history of 10 MB."""


class Traced:
    """Bytes that a `with` block allocated: `kept` is still there at its end."""

    def __enter__(self) -> Self:
        """Start counting."""
        gc.collect()
        tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop counting."""
        self.peak = tracemalloc.get_traced_memory()[1] - self._before
        gc.collect()
        self.kept = tracemalloc.get_traced_memory()[0] - self._before
        tracemalloc.stop()


def idle_instance(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Bytes of one more model."""
    build = subject.builder(find_answer(scenario.answer))
    build()

    def sample() -> Sample:
        with Traced() as traced:
            models = [build() for _ in range(scenario.units)]
        return Sample(value=traced.kept / len(models))

    return sample


def open_stream(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Bytes of one more stream whose first chunk has come; bare httpx and all included."""
    chunks = source(subject, find_answer(scenario.answer))
    chunks.check(list(chunks.start()))

    def sample() -> Sample:
        with Traced() as traced:
            streams = [chunks.start() for _ in range(OPEN_STREAMS)]
            for stream in streams:
                next(stream)
        for stream in streams:
            stream.close()
        return Sample(value=traced.kept / OPEN_STREAMS)

    return sample


def thousand_chunks(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Bytes that 1,000 received chunks take while the caller keeps them."""
    chunks = source(subject, find_answer(scenario.answer))
    chunks.check(list(chunks.start()))

    def sample() -> Sample:
        with Traced() as traced:
            received = list(chunks.start())
        chunks.check(received)
        return Sample(value=traced.kept * 1_000 / scenario.units)

    return sample


def stream_dropped(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Peak bytes of a large stream whose chunks the caller lets go."""

    def consume(started: Any) -> int:
        return sum(_length(chunk) for chunk in started)

    return _peak(subject, scenario, consume)


def stream_collected(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Peak bytes of a large stream whose chunks the caller keeps."""

    def consume(started: Any) -> int:
        kept = list(started)
        return sum(_length(chunk) for chunk in kept)

    return _peak(subject, scenario, consume)


def _peak(
    subject: Subject, scenario: Scenario, consume: Callable[[Any], int]
) -> Callable[[], Sample]:
    answer = find_answer(scenario.answer)
    chunks = source(subject, answer)

    def sample() -> Sample:
        PROGRESS.start(len(answer.pieces))
        with Traced() as traced:
            length = consume(_counted(chunks.start()))
        expect("length", length, len(answer.said))
        return Sample(value=traced.peak)

    return sample


def _counted(started: Any) -> Iterator[Any]:
    for chunk in started:
        PROGRESS.done += 1
        yield chunk


def _length(chunk: Any) -> int:
    text = chunk["choices"][0]["delta"]["content"] if isinstance(chunk, dict) else chunk.text
    return len(text)


def history_copies(subject: Subject, scenario: Scenario) -> Callable[[], Sample]:
    """Peak bytes of a call with a history of 10 MB, as multiples of that history.

    If the scenario's answer is a busy one, the call is repeated after each failure.
    """
    answer = find_answer(scenario.answer)
    size = TURNS * PADDING
    attempts = answer.size + 1 if answer.kind == "busy" else 1
    if subject.name == "httpx":
        from benchmarks.bare import Bare

        bare = Bare(subject, answer, wire_history(TURNS, PADDING))

        def call() -> None:
            expect("status", bare.send(attempts), 200)

    else:
        options = {"max_retries": attempts - 1} if subject.name == "ours" else {}
        model = subject.model(answer, **options)
        history = langchain_history(TURNS, PADDING)

        def call() -> None:
            check_message(model.invoke(history), answer)

        if answer.kind != "busy":
            model.invoke(PROMPT)

    def sample() -> Sample:
        PROGRESS.start(attempts)
        with Traced() as traced:
            call()
        return Sample(value=traced.peak / size)

    return sample
