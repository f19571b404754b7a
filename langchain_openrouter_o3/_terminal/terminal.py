"""Where the output goes: a stream of plain text, or a terminal that can do more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

# An answer must not move the cursor, rename the window or fill the clipboard.
_SHOWN_CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    **dict.fromkeys(range(0x7F, 0xA0), 0xFFFD),
    ord("\r"): None,
}


def visible(text: str) -> str:
    """Show control characters as pictures instead of letting a terminal obey them."""
    return text.translate(_SHOWN_CONTROLS)


def one_line(text: str) -> str:
    """Put a text on one line."""
    return visible(" ".join(text.split()))


def aligned(rows: list[list[str]]) -> list[str]:
    """Lay a table out: the first column to the left, the numbers of the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


Style = Literal["plain", "bold", "dim", "code", "error"]

# Above the first line there is nothing to keep a distance from.
_TOP = 2


class Terminal(ABC):
    """One output stream; use it in a `with` block, which leaves the cursor on a new line.

    All output ends what moves (`wait`, `grow`). Pieces of text (`put`, `say`) and whole lines
    can be mixed: a line starts on a line of its own.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream
        self._saying: Style | None = None
        self._newlines = _TOP
        self.watched = stream.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the line, and what moves."""
        self.end_line()

    @property
    def is_unicode(self) -> bool:
        """Whether every character can be written."""
        return is_utf_8(self._stream)

    # --- What the two kinds do differently ---

    @abstractmethod
    def wait(self, label: str) -> None:
        """Show that something goes on, until the next output."""

    @abstractmethod
    def grow(self, text: str) -> None:
        """Show the present state of something, in the place of its last state."""

    @abstractmethod
    def markdown(self, text: str) -> None:
        """Show a piece of Markdown that grows until the next other output."""

    @abstractmethod
    def _flow(self, text: str, style: Style) -> None:
        """Show a piece of running text."""

    @abstractmethod
    def _stop(self, *, keep: bool) -> None:
        """End what moves and what runs."""

    @abstractmethod
    def _emit(self, text: str, style: Style) -> None:
        """Write to the stream at once."""

    # --- What they share ---

    def put(self, text: str, style: Style = "plain") -> None:
        """Show a piece of text as it is."""
        self.settle()
        self._out(visible(text) if self.watched else text, style)

    def say(self, text: str, style: Style = "plain") -> None:
        """Show a piece of running text; a terminal breaks its lines between words."""
        if not text:
            return
        if self._saying not in (None, style):
            self.gap()
        self._saying = style
        self._flow(text, style)

    def settle(self, *, keep: bool = False) -> None:
        """End what moves and what runs; `keep` leaves what has grown."""
        self._stop(keep=keep)
        self._saying = None

    def line(self, text: str = "", style: Style = "plain") -> None:
        """Show a line of its own."""
        self.end_line()
        self.put(f"{text}\n", style)

    def note(self, text: str) -> None:
        """Show a remark."""
        self.end_line()
        self.say(text, "dim")
        self.end_line()

    def end_line(self) -> None:
        """Go to a new line, unless this line is empty."""
        self.settle()
        if self._newlines == 0:
            self._out("\n", "plain")

    def gap(self) -> None:
        """Leave one line empty, unless one is."""
        self.end_line()
        if self._newlines < _TOP:
            self._out("\n", "plain")

    def heading(self, title: str, subtitle: str) -> None:
        """Begin a chapter."""
        self.gap()
        self.put(title, "bold")
        self.put(f"  {subtitle}\n", "dim")

    def code(self, source: str) -> None:
        """Show source code."""
        self.gap()
        for line in source.splitlines():
            self.put("  | " if line else "  |", "dim")
            self.put(f"{line}\n", "code")
        self.gap()

    def fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Show names with their values."""
        named = list(pairs)
        width = max(len(name) for name, _ in named)
        self.end_line()
        for name, value in named:
            self.put(f"{name:{width}}  ", "dim")
            self.put(f"{value}\n")

    def table(self, rows: list[list[str]], *, total: bool) -> None:
        """Show a table whose first row is its head, and whose last may be the total."""
        head, *body = aligned(rows)
        self.gap()
        self.line(head, "dim")
        for number, line in enumerate(body, start=1):
            self.line(line, "bold" if total and number == len(body) else "plain")

    def _out(self, text: str, style: Style) -> None:
        if text:
            self._emit(text, style)
            ending = len(text) - len(text.rstrip("\n"))
            self._newlines = ending + (self._newlines if ending == len(text) else 0)


class PlainTerminal(Terminal):
    """Plain text without a single control character."""

    def wait(self, label: str) -> None:
        """Say once to a person that something goes on."""
        if self.watched:
            self.line(f"{label} ...")

    def grow(self, text: str) -> None:
        """Do nothing: what was written stays written."""

    def markdown(self, text: str) -> None:
        """Show it as it is."""
        self.put(text)

    def _flow(self, text: str, style: Style) -> None:
        self._out(visible(text) if self.watched else text, style)

    def _stop(self, *, keep: bool) -> None:
        """Do nothing: nothing moves."""

    def _emit(self, text: str, style: Style) -> None:  # noqa: ARG002 - the interface's
        self._stream.write(text)
        self._stream.flush()


def is_utf_8(stream: TextIO) -> bool:
    """Whether a stream takes every character."""
    return stream.encoding.lower().replace("-", "") == "utf8"
