"""The processes of a run: one server, and one worker for each contestant.

All of them end when their standard input does, so nothing stays behind a run that is killed.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import machine

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from benchmarks.contestants import Name
    from benchmarks.scenarios import Scenario

GRACE = 15.0
"""Seconds for importing, building and checking, beyond the time of a sample."""


class Trouble(NamedTuple):
    """Why there is no sample."""

    text: str
    wrong: bool = False


Reply = dict[str, Any] | Trouble


class _Process:
    """A child whose lines are read with a time limit."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=machine.ROOT,
            env=machine.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self, seconds: float) -> str:
        """Return the next line, empty when the process has ended.

        Raises:
            queue.Empty: None came in time.
        """
        return self._lines.get(timeout=seconds)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server:
    """The server, for the time of a `with` block."""

    def __init__(self, events_per_chunk: int, core: int | None) -> None:
        """Take the core that it stays on."""
        self._arguments = ["--events-per-chunk", str(events_per_chunk), *_core(core)]

    def __enter__(self) -> str:
        """Start it and return its origin."""
        self._process = _Process("benchmarks.server", *self._arguments)
        return f"http://127.0.0.1:{int(self._process.hear(GRACE))}"

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.close()


class Workers:
    """The workers of a run, started when they are first needed."""

    def __init__(self, origin: str, core: int | None, *, count_calls: bool = False) -> None:
        """Take where the server is, the core that the workers share, and what they measure."""
        self._origin = origin
        self._core = core
        self._count_calls = ["--count-calls"] if count_calls else []
        self._running: dict[Name, _Process] = {}

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all of them."""
        for name in list(self._running):
            self.stop(name)

    def stop(self, name: Name) -> None:
        """Stop a worker, if it runs."""
        process = self._running.pop(name, None)
        if process is not None:
            process.close()

    def sample(self, name: Name, scenario: Scenario) -> Reply:
        """Let a contestant take one sample."""
        if scenario.make.startswith("probe:"):
            return self._probe(name, scenario)
        if scenario.fresh:
            self.stop(name)
        if name not in self._running:
            arguments = (name, self._origin, *_core(self._core), *self._count_calls)
            self._running[name] = _Process("benchmarks.worker", *arguments)
        process = self._running[name]
        process.tell(scenario.name)
        try:
            reply = _read(process.hear(2 * scenario.seconds + GRACE), scenario)
        except queue.Empty:
            reply = _unfinished("?", scenario)
        if isinstance(reply, Trouble) or scenario.fresh:
            self.stop(name)
        return reply

    def _probe(self, name: Name, scenario: Scenario) -> Reply:
        code = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")
        what = scenario.make.removeprefix("probe:")
        arguments = [what, name, str(self._core), self._origin, scenario.answer]
        try:
            ended = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                cwd=machine.ROOT,
                env=machine.environment(),
                capture_output=True,
                text=True,
                timeout=scenario.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _unfinished("0", scenario)
        if ended.returncode:
            words = ended.stderr.strip().splitlines()[-1:]
            return Trouble(f"fails ({''.join(words)[:120]})", "WrongAnswerError" in str(words))
        sample: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return sample


def _core(core: int | None) -> list[str]:
    return [] if core is None else ["--core", str(core)]


def _read(line: str, scenario: Scenario) -> Reply:
    if not line:
        return Trouble("fails (its process ended)")
    reply: dict[str, Any] = json.loads(line)
    if "unfinished" in reply:
        return _unfinished("{} of {}".format(*reply["unfinished"]), scenario)
    if "wrong" in reply:
        return Trouble(f"wrong: {reply['wrong']}", wrong=True)
    if "failed" in reply:
        return Trouble(f"fails ({reply['failed']})")
    sample: dict[str, Any] = reply["sample"]
    return sample


def _unfinished(how_far: str, scenario: Scenario) -> Trouble:
    return Trouble(f"does not finish ({how_far} after {scenario.seconds:.0f} s)")
