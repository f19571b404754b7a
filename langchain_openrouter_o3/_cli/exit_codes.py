"""How a command ends: an exit code, and at most one line about why."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.terminal import one_line
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED, BAD_ARGUMENTS = 1, 2
# As a shell reports programs that SIGINT and SIGPIPE have ended.
INTERRUPTED, UNREAD = 130, 141


class BadArgumentError(Exception):
    """The command cannot be carried out as it is; the text says what to change."""


def exit_code(action: Callable[[], None]) -> int:
    """Do something, and turn its end into an exit code.

    Args:
        action: Its errors become one line on the standard error.

    Returns:
        The code for the shell.
    """
    try:
        try:
            return _reported(action)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes the standard output once more when it ends, and would complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return UNREAD


def _reported(action: Callable[[], None]) -> int:
    try:
        action()
    except (OpenRouterInputError, BadArgumentError) as error:
        code, text = BAD_ARGUMENTS, str(error)
    except OpenRouterError as error:
        code, text = FAILED, str(error)
    else:
        return 0
    with open_terminal(sys.stderr) as terminal:
        terminal.line(f"error: {one_line(text)}", "error")
    return code
