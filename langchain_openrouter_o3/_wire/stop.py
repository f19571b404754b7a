"""Stop sequences, enforced by the client because o3-mini has no such parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class StopScanner:
    """Lets text pass up to the first stop sequence, also when it arrives split.

    Attributes:
        matched: The sequence that ended the text, or None.
        held: Text that may be the beginning of a sequence.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        """Take the sequences; without any, everything passes."""
        self.matched: str | None = None
        self._sequences = tuple(sequences)
        self.held: str = ""

    def feed(self, text: str) -> str:
        """Take more text and return what is certain to come before any stop sequence."""
        if not self._sequences or self.matched is not None:
            return text if self.matched is None else ""
        text = f"{self.held}{text}"
        # The sequence that is complete first wins, so that the result does not depend on how
        # the text was split.
        found = [
            (position + len(sequence), position, sequence)
            for sequence in self._sequences
            if (position := text.find(sequence)) >= 0
        ]
        if found:
            _, start, self.matched = min(found)
            self.held = ""
            return text[:start]
        keep = self._undecided(text)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return the text that was held back, at the end of the answer."""
        held, self.held = self.held, ""
        return held

    def _undecided(self, text: str) -> int:
        """Count the characters at the end that may be the beginning of a stop sequence."""
        longest = max(len(sequence) for sequence in self._sequences) - 1
        for size in range(min(longest, len(text)), 0, -1):
            end = text[-size:]
            if any(sequence.startswith(end) for sequence in self._sequences):
                return size
        return 0
