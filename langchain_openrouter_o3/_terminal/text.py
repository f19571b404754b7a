"""Making text safe and fit to be shown."""

from __future__ import annotations

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
