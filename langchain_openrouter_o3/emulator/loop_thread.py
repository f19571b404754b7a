"""A thread with an event loop, in which everything of one emulator happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """A thread that runs an event loop from the first use until it is stopped."""

    def __init__(self) -> None:
        """Prepare it; nothing runs yet."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self.was_stopped = False

    @property
    def is_running(self) -> bool:
        """Whether the loop runs."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start work in the loop, and the loop if need be; return what will be its result.

        After a stop it is cancelled at once, as is all work that a stop meets.
        """
        with self._lock:
            if self.was_stopped:
                work.close()
                cancelled: Future[T] = Future()
                cancelled.cancel()
                return cancelled
            if self._thread is None:
                self._start()
            assert self._loop is not None  # noqa: S101 - it runs
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop with all of its tasks, and wait for the thread; safe to repeat."""
        with self._lock:
            if self._thread is None or self._loop is None:
                return
            self.was_stopped = True
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._over.set)
        # A finalizer may run in any thread.
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _start(self) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._over = asyncio.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(ready)),
            name="openrouter-emulator",
            # A test that forgets to stop its emulator must not keep the process alive.
            daemon=True,
        )
        self._thread.start()
        self._loop = ready.result()

    async def _run(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        ready.set_result(asyncio.get_running_loop())
        await self._over.wait()
