"""Markdown that grows: what cannot change any more is told from what still can."""

from __future__ import annotations

from markdown_it import MarkdownIt
from rich.markdown import Markdown

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


def rendered(text: str) -> Markdown:
    """Prepare Markdown for rich; its lines are kept, and links show their addresses."""
    markdown = Markdown(text, code_theme="ansi_dark", hyperlinks=False)
    markdown.parsed = _PARSER.parse(text)
    for token in markdown.parsed:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return markdown
