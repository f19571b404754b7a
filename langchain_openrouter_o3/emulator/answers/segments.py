"""Taking apart a prompt that describes several things."""

from __future__ import annotations

import re
from itertools import pairwise

from langchain_openrouter_o3.emulator.answers.clues import Clues

_BORDER = re.compile(r"\n|;|(?<=\w)\.\s")


def segments(clues: Clues) -> list[Clues]:
    """Return one part per thing that a prompt lists, or nothing if it lists none.

    A list has lines, semicolons or sentences, or else a new name begins each of its things.
    """
    pieces = [piece for piece in _BORDER.split(clues.text) if _tells(Clues(piece))]
    if not _is_list(pieces):
        # A name after a preposition belongs to the thing before it: `born in London`.
        starts = sorted(each.start for each in clues.names if not (each.before or each.opens))
        pieces = [clues.text[start:end] for start, end in pairwise([*starts, len(clues.text)])]
    return [Clues(piece, clues.ignored) for piece in pieces] if _is_list(pieces) else []


def _is_list(pieces: list[str]) -> bool:
    return len(pieces) > 1


def _tells(clues: Clues) -> bool:
    has_name = any(not each.opens for each in clues.names)
    return has_name or bool(clues.numbers) or bool(clues.quotations)
