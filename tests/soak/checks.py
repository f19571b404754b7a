"""What is checked of the calls of a run, and the traces that they leave."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage

from langchain_openrouter_o3 import OpenRouterError, OpenRouterTimeoutError
from tests.soak.asking import Heard, Note, raw_arguments
from tests.soak.fault_kinds import KINDS
from tests.soak.oracle import Promise, arrived, promise
from tests.soak.plan import Call

PATIENCE = 5.0
_STATM = Path("/proc/self/statm")


class Traces(NamedTuple):
    """What a process has.

    Attributes:
        files: Open file descriptors; 0 where they cannot be counted.
        threads: Living threads.
        memory: Bytes of Python's objects, as tracemalloc counts them; 0 while it is off.
        resident: Resident bytes of the process; 0 where they cannot be read.
    """

    files: int
    threads: int
    memory: int
    resident: int


def count_files() -> int:
    """Count the open file descriptors; 0 where they cannot be counted."""
    return len([*Path("/dev/fd").iterdir()]) if os.name == "posix" else 0


def measure() -> Traces:
    """Count, after a collection."""
    gc.collect()
    pages = int(_STATM.read_text().split()[1]) if _STATM.exists() else 0
    resident = pages * os.sysconf("SC_PAGE_SIZE") if pages else 0
    return Traces(
        count_files(), threading.active_count(), tracemalloc.get_traced_memory()[0], resident
    )


def measure_quiet(before: Traces) -> Traces:
    """Count as soon as files and threads are those of before, at the latest after some seconds."""
    end = time.monotonic() + PATIENCE
    now = measure()
    while (now.files > before.files or now.threads > before.threads) and time.monotonic() < end:
        time.sleep(0.05)
        now = measure()
    return now


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect warnings, logged warnings, and errors that nobody could catch.

    Warnings are errors here: one that is raised in a destructor arrives as such an error, one
    that is raised in a call ends it.
    """
    found: list[str] = []
    handler = _Collector(found)
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = lambda each: found.append(f"{each.err_msg}: {each.exc_value!r}")
    threading.excepthook = lambda each: found.append(f"{each.thread}: {each.exc_value!r}")
    logging.getLogger().addHandler(handler)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield found
        finally:
            gc.collect()
            sys.unraisablehook, threading.excepthook = hooks
            logging.getLogger().removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: Any) -> None:
        self._found.append(f"{record.name}: {self.format(record)}")


Loss = tuple[str, str]
"""What kind of loss, and what was seen."""

WRONG_ANSWER = "wrong answers"
DOUBLED = "doubled answers"
UNTYPED = "untyped errors"
LOST_PARTIAL = "lost partials"
WRONG_ENDING = "wrong endings"
WRONG_ATTEMPTS = "wrong numbers of attempts"
LEFT_BEHIND = "left behind"
COMPLAINT = "warnings and logged errors"
LOSSES = (
    WRONG_ANSWER,
    DOUBLED,
    UNTYPED,
    LOST_PARTIAL,
    WRONG_ENDING,
    WRONG_ATTEMPTS,
    LEFT_BEHIND,
    COMPLAINT,
)


def check(call: Call, heard: Heard) -> list[Loss]:
    """Return what is wrong with the end of a call; mostly nothing."""
    promised = promise(call)
    found = [*_check_words(call, heard)]
    if heard.ended == "answer":
        found += _check_answer(call, heard, promised)
    elif heard.ended == "error":
        found += _check_error(call, heard, promised)
    elif call.ending != {"closed": "close", "cancelled": "cancel"}[heard.ended]:
        found.append((WRONG_ENDING, f"{heard.ended}, which nobody had asked for"))
    return [(kind, f"{text}; {promised}; {heard}; {call}") for kind, text in found]


def check_attempts(call: Call, seen: int) -> list[Loss]:
    """Compare the attempts that the server counted with what the policy allows."""
    wanted = promise(call).attempts
    # Whoever cancels or has little time may leave before any attempt.
    is_exact = call.ending not in {"cancel", "give-up"}
    if seen == wanted or (seen < wanted and not is_exact):
        return []
    return [(WRONG_ATTEMPTS, f"{seen} attempts instead of {wanted}; {call}")]


def _check_words(call: Call, heard: Heard) -> Iterator[Loss]:
    """What came is the beginning of this call's own answer, in the right place."""
    got, nothing = _sorted(call, heard.text, heard.arguments)
    if nothing or not call.answer.startswith(got):
        yield WRONG_ANSWER, "not the beginning of the answer"
    if len(heard.ids) > 1:
        yield WRONG_ANSWER, "pieces of several answers"


def _check_answer(call: Call, heard: Heard, promised: Promise) -> Iterator[Loss]:
    if promised.failure is not None:
        yield WRONG_ENDING, "an answer instead of an error"
    got, _ = _sorted(call, heard.text, heard.arguments)
    if got != call.answer:
        yield WRONG_ANSWER, "not the whole answer"
    if heard.lasts != 1:
        yield DOUBLED, f"{heard.lasts} last messages"
    said = {"note": call.said}
    if call.shape == "tool" and not call.stream and heard.calls != [said]:
        yield WRONG_ANSWER, "not the tool call"
    if call.shape == "object" and heard.object != Note(note=call.said):
        yield WRONG_ANSWER, "not the object"
    wants_usage = not call.stream or promised.kind is None or _has_usage(promised.kind)
    if heard.usage != wants_usage:
        yield WRONG_ANSWER, f"usage: {heard.usage}"


def _check_error(call: Call, heard: Heard, promised: Promise) -> Iterator[Loss]:
    error, failure = heard.error, promised.failure
    if not isinstance(error, OpenRouterError):
        yield UNTYPED, type(error).__name__
        return
    if failure is None:
        yield WRONG_ENDING, "an error instead of an answer"
        return
    # Which of several time limits ends a call is for the clock to decide.
    is_time = failure.raises is OpenRouterTimeoutError and call.ending in {"give-up", "cancel"}
    is_any = failure.raises is OpenRouterError
    if type(error) is not failure.raises and not (is_any or (is_time and _is_time(error))):
        yield WRONG_ENDING, f"{type(error).__name__} instead of {failure.raises.__name__}"
    got, nothing = _sorted(call, *_partial(error.partial))
    wanted = arrived(call, failure)
    if nothing or (wanted is not None and got != wanted):
        yield LOST_PARTIAL, f"partial: {got!r} instead of {wanted!r}"
    delivered, _ = _sorted(call, heard.text, heard.arguments)
    if call.stream and delivered != got and failure.arrived != "half":
        yield LOST_PARTIAL, f"delivered: {delivered!r}, partial: {got!r}"


def _sorted(call: Call, text: str, arguments: str) -> tuple[str, str]:
    """Return what belongs to the answer, and what must be empty."""
    return (arguments, text) if call.shape == "tool" else (text, arguments)


def _partial(message: AIMessage | None) -> tuple[str, str]:
    return ("", "") if message is None else (message.text, raw_arguments(message))


def _is_time(error: Any) -> bool:
    return isinstance(error, OpenRouterTimeoutError)


def _has_usage(kind: str) -> bool:
    return kind not in KINDS or KINDS[kind].usage
