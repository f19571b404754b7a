"""What a process has open, and what Python complains of."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
import tracemalloc
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

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
