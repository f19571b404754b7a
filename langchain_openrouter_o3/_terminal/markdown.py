"""Markdown that grows: what cannot change any more is told from what still can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from rich.markdown import Markdown
from rich.segment import Segment

if TYPE_CHECKING:
    from rich.console import Console

# A reader shall see all that was written: HTML, definitions of links and addresses of images stay
# text, and so does the backslash of LaTeX.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["strikethrough", "table"])
    .disable(["reference", "image", "escape"])
)


class MarkdownBlocks:
    """Cuts a growing text into finished blocks (paragraphs, lists, fences) and the rest.

    A block is finished when a whole line of the next one has come.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rest = ""

    def feed(self, text: str) -> str:
        """Take a piece; return the blocks that are finished now."""
        self.rest += text
        if "\n" not in text:
            return ""
        lines = self.rest.split("\n")
        tokens = _PARSER.parse("\n".join(lines[:-1]))
        starts = [token.map[0] for token in tokens if token.level == 0 and token.map is not None]
        if not starts or not starts[-1]:
            return ""
        self.rest = "\n".join(lines[starts[-1] :])
        return "\n".join(lines[: starts[-1]])

    def finish(self) -> str:
        """Return the rest, and begin again."""
        rest, self.rest = self.rest, ""
        return rest


def render_lines(text: str, console: Console) -> list[list[Segment]]:
    """Render Markdown by rich; its lines are kept, and links show their addresses.

    Args:
        text: The Markdown.
        console: Where it is going to be shown.

    Returns:
        Lines without the blanks that rich appends.
    """
    markdown = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    markdown.parsed = _PARSER.parse(text)
    for token in markdown.parsed:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return [_without_blanks(line) for line in console.render_lines(markdown, pad=False)]


def _without_blanks(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].text.strip(" ") and not _is_coloured(line[-1]):
        line = line[:-1]
    if line and not _is_coloured(line[-1]):
        line = [*line[:-1], Segment(line[-1].text.rstrip(" "), line[-1].style)]
    return line


def _is_coloured(segment: Segment) -> bool:
    return segment.style is not None and segment.style.bgcolor is not None
