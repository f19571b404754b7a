"""Ctrl-C during a run: once to stop, twice to stop at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

Handler = Callable[[int, "FrameType | None"], Any]


@contextmanager
def interruptible(stop: Callable[[], object]) -> Generator[None]:
    """Let the first Ctrl-C stop a run within the block, and the second end it at once.

    Only where Python's own handler, or asyncio's, would be called: in the main thread, and not
    where a program handles the signal itself.

    Args:
        stop: Called by the first one, within the signal handler.
    """
    before = signal.getsignal(signal.SIGINT)
    if not _is_ours_to_handle(before):
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) in (handle, signal.default_int_handler):
            signal.signal(signal.SIGINT, before)


def _is_ours_to_handle(handler: Any) -> bool:
    if threading.current_thread() is not threading.main_thread():
        return False
    if handler is signal.default_int_handler:
        return True
    # Runner.run() of asyncio has a handler of its own, which cancels the main task. It is a
    # partial of a bound method.
    method = getattr(handler, "func", handler)
    return getattr(method, "__qualname__", "") == "Runner._on_sigint"


def say(text: str) -> None:
    """Write a line to the standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
