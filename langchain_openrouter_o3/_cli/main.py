"""The command line's entry: which subcommand it is, and how it ends."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_openrouter_o3 import OpenRouterError, OpenRouterInputError
from langchain_openrouter_o3._cli.options import SUBCOMMANDS, BadArgumentError
from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "openrouter-o3"
_WITHOUT_SUBCOMMAND = "prompt"

_FAILED, _BAD_ARGUMENTS = 1, 2
# As a shell reports programs that SIGINT and SIGPIPE have ended.
_INTERRUPTED, _UNREAD = 130, 141


def main(arguments: Sequence[str] | None = None, *, command: str | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; those of the process by default.
        command: What was typed before them, for texts that a person pastes; by default, what
            called this process.

    Returns:
        0, or 1 when the request failed, 2 for bad arguments, 130 after Ctrl-C, 141 when
        the output is closed.

    Raises:
        SystemExit: By argparse: after `--help` and `--version`, and for bad arguments.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return _exit_code(lambda: _run(words, command or typed_command(sys.orig_argv, sys.argv)))


def typed_command(original: Sequence[str], arguments: Sequence[str]) -> str:
    """Return the words that called this program, without its arguments, ready to be pasted.

    Args:
        original: As `sys.orig_argv`: with the interpreter and its options.
        arguments: As `sys.argv`.
    """
    script = arguments[0]
    if Path(script).stem != NAME:
        return shlex.join(original[: len(original) - len(arguments) + 1])
    on_path = shutil.which(NAME)
    is_found = on_path is not None and Path(on_path).resolve() == Path(script).resolve()
    return NAME if is_found else shlex.quote(script)


def _run(words: list[str], command: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    name = _WITHOUT_SUBCOMMAND
    if words and words[0] in SUBCOMMANDS:
        name, words = words[0], words[1:]
        command = f"{command} {name}"
    import_module(f"{__package__}.{name}_command").run(words, command)


def _exit_code(action: Callable[[], None]) -> int:
    """Do something, and turn its end into an exit code and at most one line about why."""
    try:
        try:
            return _reported(action)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes the standard output once more when it ends, and would complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return _UNREAD


def _reported(action: Callable[[], None]) -> int:
    try:
        action()
    except (OpenRouterInputError, BadArgumentError) as error:
        code, text = _BAD_ARGUMENTS, str(error)
    except OpenRouterError as error:
        code, text = _FAILED, str(error)
    else:
        return 0
    with open_terminal(sys.stderr) as terminal:
        terminal.line(f"error: {one_line(text)}", "error")
    return code
