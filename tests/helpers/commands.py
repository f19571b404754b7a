"""Running the real command, with pipes or on a terminal of its own; a stream like a terminal."""

from __future__ import annotations

import atexit
import fcntl
import functools
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from typing_extensions import Self

from tests.helpers.processes import FirstProcess

COMMAND = [sys.executable, "-W", "error", "-m", "langchain_openrouter_o3"]
# A test that hangs ends; a slow machine does not fail.
SECONDS = 120
# A new session gets its terminal by asking for it; and background jobs inherit a deaf Ctrl-C.
_ON_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@functools.cache
def _first_process() -> FirstProcess:
    inside = ("emulator", "_cli.prompt_command", "_cli.bulk_command")
    process = FirstProcess(*(f"langchain_openrouter_o3.{name}" for name in inside), "uvicorn")
    atexit.register(process.close)
    return process


def run(*arguments: str, text: str = "", merged: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a forked process, in the environment of the test."""
    if not hasattr(os, "fork"):
        return run_anew(*arguments, text=text, merged=merged)
    script = "from langchain_openrouter_o3._cli.main import main; sys.exit(main())"
    environment = dict(os.environ)
    return _first_process().run(
        script, *arguments, seconds=SECONDS, environment=environment, text=text, merged=merged
    )


def run_anew(
    *arguments: str, text: str = "", merged: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a new interpreter, whose start takes a second or more."""
    return subprocess.run(
        [*COMMAND, *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something in another process."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class OnTerminal:
    """The command on a pseudo-terminal."""

    def __init__(self, *arguments: str, columns: int = 60, **streams: Any) -> None:
        """Start it; `streams` (stdout, stderr) go elsewhere than to the terminal."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._output = bytearray()
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *COMMAND, *arguments],
            stdin=slave,
            start_new_session=True,
            # Not inherited: readline, once imported, puts COLUMNS into C's environment alone.
            env=dict(os.environ),
            **{"stdout": slave, "stderr": slave, **streams},
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        """Use it in a `with` block, which ends it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def output(self) -> str:
        """Everything that it wrote so far."""
        return self._output.decode().replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """What a person can read of it, the past frames of what moves included."""
        return _ESCAPES.sub("", self.output)

    def wait_for(self, text: str) -> None:
        """Wait until something was written."""
        with self._news:
            seen = self._news.wait_for(lambda: text in self.text, SECONDS)
        assert seen, self.output

    def press(self, key: bytes) -> None:
        """Type on the terminal."""
        os.write(self._master, key)

    def code(self) -> int:
        """Wait for the end; return the exit code."""
        code = self._process.wait(SECONDS)
        self._reader.join()
        return code

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # how Linux says that the other side is closed
                piece = b""
            with self._news:
                self._output += piece
                self._news.notify_all()
            if not piece:
                return


class Screen(io.StringIO):
    """A stream that says what it is."""

    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal = terminal
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding
