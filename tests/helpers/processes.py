"""Scripts and commands in processes of their own, forked from one that has imported everything.

Importing LangChain takes a second or more; these tests need dozens of fresh interpreters. The
first process does nothing but fork; what it becomes then is `__main__`, and ends as a script does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from typing_extensions import Self

from langchain_openrouter_o3.emulator import Emulator
from tests.conftest import KEY

# It reads jobs, forks for each, and says how the child ended; what follows is the child.
# A script that takes too long is aborted, and its stack is on stderr.
_FIRST_PROCESS = """
import asyncio, atexit, faulthandler, gc, importlib, json, os, pickle, signal, sys, threading, time
import anyio._backends._asyncio, httpcore, httpx  # what the client imports later
from langchain_openrouter_o3 import ChatOpenRouterO3
for _module in sys.argv[1:]:
    importlib.import_module(_module)
gc.collect()
gc.freeze()  # children leave these pages alone
for _job in sys.stdin:
    _job = json.loads(_job)
    _child = os.fork()
    if _child == 0:
        break
    _end = time.monotonic() + _job["seconds"]
    while (_ended := os.waitpid(_child, os.WNOHANG))[0] == 0:
        if time.monotonic() > _end:
            os.kill(_child, signal.SIGABRT)
            _end += 60
        time.sleep(0.002)
    print(os.waitstatus_to_exitcode(_ended[1]), flush=True)
else:
    sys.exit()
for _place, _path in ((1, _job["stdout"]), (2, _job["stderr"])):
    os.dup2(os.open(_path, os.O_WRONLY | os.O_APPEND), _place)
os.dup2(os.open(_job["stdin"], os.O_RDONLY), 0)
sys.stdin = open(0, encoding="utf-8", closefd=False)
os.environ.clear()
os.environ.update(_job["environment"])
faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
sys.argv = ["", *_job["arguments"]]
exec(_job["script"])
"""

# Prompts are tagged with a number, so that an answer to somebody else's prompt is seen.
_PRELUDE = """
atexit.register(time.sleep, 0.05)  # other work at exit, after the client's
model = ChatOpenRouterO3(base_url=sys.argv[1], max_retries=0)
STORY = "repeat 500 words"
TOLD = " ".join(f"word{number}" for number in range(1, 501))

def ask(number):
    text = model.invoke(f"What is {number}+1000000?").text
    assert str(number + 1000000) in text, (number, text)

async def aask(number):
    text = (await model.ainvoke(f"What is {number}+1000000?")).text
    assert str(number + 1000000) in text, (number, text)

def in_child(work, leave=os._exit):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        leave(0)
    return child

def reap(child):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, code
"""


class FirstProcess:
    """The process that others are forked from; warnings are errors there."""

    def __init__(self, *modules: str) -> None:
        """Start it; `modules` are imported once for all."""
        # Python advises against forking beside threads, which is what some scripts are about.
        warnings = ("-W", "error", "-W", "ignore:This process:DeprecationWarning")
        self._process = subprocess.Popen(
            [sys.executable, *warnings, "-c", _FIRST_PROCESS, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**_environment(), "PYTHONUTF8": "1"},
        )

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def run(
        self,
        script: str,
        *arguments: str,
        seconds: int,
        environment: dict[str, str],
        text: str = "",
        merged: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in a fork to its end.

        Args:
            script: Python.
            arguments: `sys.argv[1:]`.
            seconds: After these it is aborted, with its stack on stderr.
            environment: All of it.
            text: Its standard input.
            merged: Whether stderr goes where stdout goes.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder, name) for name in ("stdin", "stdout", "stderr")}
            for file in files.values():
                file.write_text(text if file.name == "stdin" else "", encoding="utf-8")
            places = {name: str(file) for name, file in files.items()}
            job = {
                "script": script,
                "arguments": arguments,
                "seconds": seconds,
                "environment": environment,
                **places,
                **({"stderr": places["stdout"]} if merged else {}),
            }
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
            code = int(stdout.readline())
            written = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
        return subprocess.CompletedProcess(script, code, written["stdout"], written["stderr"])


class Scripts:
    """Runs scripts about a model, one after the other, each in a fresh process."""

    def __init__(self) -> None:
        """Start the process that all scripts are forked from."""
        self._first = FirstProcess()

    def __enter__(self) -> Self:
        """Nothing more is to be started."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the first process."""
        self._first.close()

    def run(self, script: str, server: Emulator, *arguments: str, seconds: int = 20) -> str:
        """Run a script, which must end well and write nothing to stderr; return its output.

        A script that hangs is ended after so many seconds, with its stack on stderr.
        """
        done = self._first.run(
            _PRELUDE + textwrap.dedent(script),
            *(server.base_url, *arguments),
            seconds=seconds,
            environment={**_environment(), "OPENROUTER_API_KEY": KEY},
        )
        if (done.returncode, done.stderr) != (0, ""):
            raise AssertionError(f"exit code {done.returncode}\n{done.stderr}")
        return done.stdout


def _environment() -> dict[str, str]:
    """Leave a developer's own settings out."""
    own = ("OPENROUTER_", "LC_OUTPUT_VERSION")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def run_clean(script: str, *arguments: str, **environment: str) -> str:
    """Run a script in a process of its own, which must not write to stderr; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
