"""A second soak test: the server crashes and restarts, and callers give up, all the time.

`python -m tests.soak.crashes --seconds 600`. Threads and tasks talk to a rough server, plainly and
over TLS, while it is killed and started again; half of all calls are cancelled, or their streams
closed; the process forks under load, and its children call, too. Nothing may be lost, doubled,
crossed or left behind: an answer is the one of its own number, what came before a failure is its
beginning, every failure is typed and has a cause, and no request reaches the server twice whole.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterError
from langchain_openrouter_o3._http import shared_clients
from tests.soak.checks import complaints, measure, measure_quiet
from tests.soak.crashing_server import SILENT, WHOLE, answer_of, conduct_of

KEY = "sk-or-v1-soak"
IMPATIENT, PATIENT = 0.4, 60.0
ROUND_SECONDS = 15.0
_CHILD_SECONDS = 60.0


class Server:
    """The rough server in a process of its own, on ports that stay the same."""

    def __init__(self, seed: int, journal: Path) -> None:
        """Start it."""
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as two,
        ):
            self.ports = (one.getsockname()[1], two.getsockname()[1])
        self.base_urls = tuple(
            f"{scheme}://127.0.0.1:{port}/api/v1"
            for scheme, port in zip(("http", "https"), self.ports, strict=True)
        )
        self._command = [
            *(sys.executable, "-m", "tests.soak.crashing_server"),
            *(*map(str, self.ports), str(seed), str(journal)),
        ]
        self.crashes: list[tuple[float, float]] = []
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # asyncio complains of clients that have left
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def crash(self) -> None:
        """Kill it; its successor is ready, because it takes seconds to start."""
        successor = self._start()
        killed = time.monotonic()
        self.stop()
        self._process = successor
        self.crashes.append((killed, time.monotonic()))

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()

    def was_down(self, start: float, end: float) -> bool:
        """Whether it was down at any time between these."""
        return any(killed < end and start < back for killed, back in self.crashes)


class Book:
    """Hands out numbers, and judges how each call ended."""

    def __init__(self, seed: int) -> None:
        """Start empty."""
        self.seed = seed
        self.endings: Counter[str] = Counter()
        self.losses: list[str] = []
        self.unexplained: list[tuple[int, float, float, str]] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def number(self) -> int:
        """Return the number of a new call."""
        with self._lock:
            return next(self._numbers)

    def enter(self, number: int, start: float, came: str, ending: str, error: Any = None) -> None:
        """Judge a call.

        Args:
            number: Of the call.
            start: When it began.
            came: The text that was delivered.
            ending: "whole", "left" (the caller gave up) or "error".
            error: What was raised.
        """
        answer = answer_of(number)
        if not answer.startswith(came) or (ending == "whole" and came != answer):
            self.losses.append(f"wrong answer to {number}: {came!r}")
        if ending == "error":
            if not isinstance(error, OpenRouterError):
                self.losses.append(f"untyped error of {number}: {error!r}")
            elif error.partial is not None and not answer.startswith(str(error.partial.text)):
                self.losses.append(f"wrong partial of {number}: {error.partial.text!r}")
            elif error.partial is None and came:
                self.losses.append(f"lost partial of {number}: {came!r}")
            if conduct_of(self.seed, number) in WHOLE:
                self.unexplained.append((number, start, time.monotonic(), repr(error)))
            ending = type(error).__name__
        self.endings[ending] += 1


class Callers:
    """Threads and tasks that call until told to stop."""

    def __init__(self, server: Server, book: Book) -> None:
        """Share a server and a book."""
        self._server = server
        self._book = book
        self._goes_on = threading.Event()

    def play(self, seconds: float, threads: int, tasks: int, fork: bool) -> None:  # noqa: FBT001 - a plan
        """Call for some seconds; crash the server and fork meanwhile."""
        self._goes_on.set()
        workers = [threading.Thread(target=self._block, args=(n,)) for n in range(threads)]
        workers.append(threading.Thread(target=lambda: asyncio.run(self._loop(tasks))))
        for worker in workers:
            worker.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, seconds / 4))
            self._server.crash()
            if fork:
                self._fork()
        self._goes_on.clear()
        for worker in workers:
            worker.join()
        for base_url in self._server.base_urls:
            build(base_url).close()

    def _block(self, caller: int) -> None:
        models = [build(base_url) for base_url in self._server.base_urls]
        dice = random.Random(caller)  # noqa: S311 - repeatable is what is wanted
        while self._goes_on.is_set():
            self._call(dice.choice(models), dice)
        for model in models:
            model.close()

    def _call(self, model: ChatOpenRouterO3, dice: random.Random) -> None:
        number, start, came = self._book.number(), time.monotonic(), ""
        leaves = dice.random() < 0.5
        try:
            if dice.random() < 0.4:
                came = model.invoke(f"echo tag-{number} ", **self._limits(number)).text
            else:
                stream = model.stream(f"echo tag-{number} ", **self._limits(number))
                for chunk in stream:
                    came += chunk.text
                    if leaves and came:
                        break
                else:
                    leaves = False
                stream.close()  # type: ignore[attr-defined]
                if leaves:
                    self._book.enter(number, start, came, "left")
                    return
        except Exception as error:  # noqa: BLE001 - judged
            self._book.enter(number, start, came, "error", error)
        else:
            self._book.enter(number, start, came, "whole")

    async def _loop(self, tasks: int) -> None:
        models = [build(base_url) for base_url in self._server.base_urls]
        await asyncio.gather(*(self._task(models, number) for number in range(tasks)))
        for model in models:
            await model.aclose()

    async def _task(self, models: list[ChatOpenRouterO3], caller: int) -> None:
        dice = random.Random(1_000 + caller)  # noqa: S311 - same
        while self._goes_on.is_set():
            call = asyncio.create_task(self._acall(dice.choice(models), dice))
            if dice.random() < 0.5:
                await asyncio.sleep(dice.uniform(0, 0.05))
                call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call

    async def _acall(self, model: ChatOpenRouterO3, dice: random.Random) -> None:
        number, start, came = self._book.number(), time.monotonic(), ""
        try:
            if dice.random() < 0.4:
                came = (await model.ainvoke(f"echo tag-{number} ", **self._limits(number))).text
            else:
                async for chunk in model.astream(f"echo tag-{number} ", **self._limits(number)):
                    came += chunk.text
        except asyncio.CancelledError:
            self._book.enter(number, start, came, "left")
            raise
        except Exception as error:  # noqa: BLE001 - judged
            self._book.enter(number, start, came, "error", error)
        else:
            self._book.enter(number, start, came, "whole")

    def _limits(self, number: int) -> dict[str, Any]:
        silent = conduct_of(self._book.seed, number) in SILENT
        return {"total_timeout": IMPATIENT if silent else PATIENT}

    def _fork(self) -> None:
        """Let a child call, too; it tells by its exit status whether its answers were its own."""
        numbers = [self._book.number() for _ in range(6)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that is what is tested
            child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = self._child(numbers)
            os._exit(status)
        end = time.monotonic() + _CHILD_SECONDS
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(0.01)
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            self._book.losses.append("a forked child never ended")
        elif ended[1]:
            self._book.losses.append(f"a forked child failed: {ended[1]}")
        self._book.endings["forked"] += 1

    def _child(self, numbers: list[int]) -> int:
        for place, number in enumerate(numbers):
            model = build(self._server.base_urls[place % 2])
            try:
                prompt, limits = f"echo tag-{number} ", self._limits(number)
                call = model.invoke(prompt, **limits) if place < 4 else None
                text = (call or asyncio.run(model.ainvoke(prompt, **limits))).text
            except OpenRouterError:
                continue
            if text != answer_of(number):
                return 1
        return 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def build(base_url: str) -> ChatOpenRouterO3:
    """Make a model that never tries again."""
    return ChatOpenRouterO3(base_url=base_url, api_key=KEY, max_retries=0, timeout=PATIENT)


@contextlib.contextmanager
def trusting() -> Iterator[None]:
    """Trust the certificate that the server makes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    real, shared_clients.tls_context = shared_clients.tls_context, lambda: context  # type: ignore[assignment]
    try:
        yield
    finally:
        shared_clients.tls_context = real


def run(seconds: float, *, seed: int, threads: int, tasks: int, say: Callable[[str], None]) -> Book:
    """Run the test and return the book, with everything that was lost in it."""
    book = Book(seed)
    with tempfile.TemporaryDirectory() as folder, trusting(), complaints() as found:
        journal = Path(folder, "journal")
        server = Server(seed, journal)
        callers = Callers(server, book)
        try:
            callers.play(min(2.0, seconds), threads, tasks, fork=False)
            before = measure()
            rounds = max(1, round(seconds / ROUND_SECONDS))
            for number in range(1, rounds + 1):
                callers.play(seconds / rounds, threads, tasks, fork=hasattr(os, "fork"))
                after = measure_quiet(before)
                say(f"round {number}: {dict(book.endings)}, {len(server.crashes)} crashes, {after}")
                for name in ("files", "threads"):
                    if (more := getattr(after, name) - getattr(before, name)) > 0:
                        book.losses.append(f"{more} {name} left behind")
        finally:
            server.stop()
        seen = Counter(journal.read_text().split())
    book.losses += [
        f"{number} reached the server {count} times" for number, count in seen.items() if count > 1
    ]
    for number, start, end, error in book.unexplained:
        if server.was_down(start, end):
            continue
        if str(number) in seen:
            book.losses.append(f"{number} failed without a cause: {error}")
        else:  # a server that closed had the request in its buffers: nobody can tell that here
            book.endings["of these, unread by a server that closed"] += 1
    book.losses += [f"complaint: {each}" for each in found]
    return book


def main() -> int:
    """Do what the command line says; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser("python -m tests.soak.crashes", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to call")
    parser.add_argument("--threads", type=int, default=8, help="blocking callers")
    parser.add_argument("--tasks", type=int, default=60, help="tasks on an event loop")
    parser.add_argument("--seed", type=int, default=7, help="the same conduct of the server")
    options = vars(parser.parse_args())
    book = run(options.pop("seconds"), say=lambda line: print(line, flush=True), **options)  # noqa: T201 - a command line prints
    print(f"{sum(book.endings.values())} calls: {dict(book.endings)}")  # noqa: T201 - same
    print(f"{len(book.losses)} losses", *book.losses[:20], sep="\n")  # noqa: T201 - same
    return 1 if book.losses else 0


if __name__ == "__main__":
    sys.exit(main())
