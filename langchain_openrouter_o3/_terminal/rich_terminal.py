"""A terminal with colours, a sign of life and text that grows, by rich."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.segment import SegmentLines
from rich.spinner import Spinner
from rich.text import Text

from langchain_openrouter_o3._terminal.markdown import MarkdownBlocks, render_lines
from langchain_openrouter_o3._terminal.terminal import Style, Terminal, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

_PARTS = re.compile(r"(\s*)(\S+)")


class WordWrap:
    """Breaks lines between words.

    The last word is held back until white space shows that it is whole.
    """

    def __init__(self, width: Callable[[], int], measure: Callable[[str], int]) -> None:
        """Start at the left edge.

        Args:
            width: Columns of the terminal, asked for every word: people resize windows.
            measure: Columns of a text.
        """
        self._width = width
        self._measure = measure
        self._column = 0
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece; return what can be shown now."""
        self._held += text
        whole = len(self._held)
        while whole and not self._held[whole - 1].isspace():
            whole -= 1
        ready = self._held[:whole].rstrip()
        self._held = self._held[len(ready) :]
        return self._placed(ready)

    def finish(self) -> str:
        """Return the rest, and start again at the left edge."""
        rest = self._placed(self._held.rstrip())
        self._held, self._column = "", 0
        return rest

    def _placed(self, text: str) -> str:
        return "".join(self._place(space, word) for space, word in _PARTS.findall(text))

    def _place(self, space: str, word: str) -> str:
        lines = space.count("\n")
        length = self._measure(word)
        if lines:
            space = "\n" * lines
        elif space and self._column + len(space) + length > self._width():
            space = "\n"
        self._column = length if "\n" in space else self._column + len(space) + length
        return space + word


_STYLES: dict[Style, str] = {
    "plain": "",
    "bold": "bold",
    "dim": "dim",
    "code": "cyan",
    "error": "red",
}
_SPINNER = "dots"
_FRAMES_PER_SECOND = 10


class RichTerminal(Terminal):
    """Text is printed once and scrolls away as usual; only the bottom ever moves."""

    def __init__(self, stream: TextIO) -> None:
        """Take over a terminal."""
        super().__init__(stream)
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._wrap = WordWrap(lambda: self._console.width, cell_len)
        self._live: Live | None = None
        self._grown = ""
        self._blocks: MarkdownBlocks | None = None

    def wait(self, label: str) -> None:
        """Show a spinner and the seconds that have passed."""
        self.end_line()
        started = time.monotonic()
        spinner = Spinner(_SPINNER, style="cyan")

        def frame() -> Spinner:
            spinner.update(text=Text(f"{label} {time.monotonic() - started:.0f} s", "dim"))
            return spinner

        self._move(frame)

    def grow(self, text: str) -> None:
        """Show the end of a growing text at the bottom of the screen."""
        if not self._grown:
            self.end_line()
            self._grown = text
            self._move(self._tail)
        self._grown = text

    def _tail(self) -> Text:
        lines = visible(self._grown).splitlines()[1 - self._console.height :]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")

    def markdown(self, text: str) -> None:
        """Show finished blocks where they stay, and the end of the rest below them."""
        if self._blocks is None:
            self.settle()
            self._blocks = MarkdownBlocks()
            self._move(self._unfinished)
        self._print(self._blocks.feed(visible(text)))

    def _unfinished(self) -> SegmentLines:
        rest = self._blocks.rest if self._blocks is not None else ""
        lines = render_lines(rest, self._console)
        return SegmentLines(lines[1 - self._console.height :], new_lines=True)

    def _print(self, markdown: str) -> None:
        """Print blocks above what moves, with a line between them and others."""
        if markdown.strip():
            if not self._newlines:
                self._console.print()
            lines = render_lines(markdown, self._console)
            self._console.print(SegmentLines(lines, new_lines=True))
            self._newlines = 0

    def _move(self, frame: Callable[[], RenderableType]) -> None:
        self._live = Live(
            console=self._console,
            get_renderable=frame,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def _freeze(self, *, keep: bool = False) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.transient = not (keep and self._grown)
            live.stop()
            self._grown = ""

    def _stop(self, *, keep: bool) -> None:
        self._freeze(keep=keep)
        if self._blocks is not None:
            blocks, self._blocks = self._blocks, None
            self._print(blocks.finish())
            self._newlines = 1
        self._out(self._wrap.finish(), self._saying or "plain")

    def _flow(self, text: str, style: Style) -> None:
        self._freeze()
        self._out(self._wrap.feed(visible(text)), style)

    def _emit(self, text: str, style: Style) -> None:
        if _STYLES[style]:
            self._console.print(Text(text, _STYLES[style]), end="", soft_wrap=True)
        else:
            # Past rich, which would turn tabs into spaces.
            self._stream.write(text)
            self._stream.flush()
