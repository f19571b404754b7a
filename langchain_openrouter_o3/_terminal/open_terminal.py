"""The choice of a terminal: plain, or with rich."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from langchain_openrouter_o3._terminal.terminal import PlainTerminal, is_utf_8

if TYPE_CHECKING:
    from typing import TextIO

    from langchain_openrouter_o3._terminal.terminal import Terminal


def open_terminal(stream: TextIO) -> Terminal:
    """Choose how to write to a stream.

    With rich on a terminal that understands it, unless `NO_COLOR` (https://no-color.org) is set.
    """
    simple = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if simple or not stream.isatty() or not is_utf_8(stream):
        return PlainTerminal(stream)
    if importlib.util.find_spec("rich") is None:
        return PlainTerminal(stream)
    from langchain_openrouter_o3._terminal.rich_terminal import RichTerminal  # noqa: PLC0415 - an extra

    return RichTerminal(stream)
