"""What a fault is: something that replaces an answer, or disturbs the one that the rules give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from langchain_openrouter_o3.emulator.steps import Step


class Fault(ABC):
    """What happens to one answer. A fault is immutable and may be played any number of times."""

    needs_answer: ClassVar[bool] = True
    """Whether the rules have to answer first; a fault that replaces the answer says no."""

    @abstractmethod
    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Return what is to be done instead of the real answer.

        Args:
            answer: The steps of the real answer; none for a fault that replaces it.

        Returns:
            Steps that end with `End`, `HangUp` or `RepeatForever`.
        """


@dataclass(frozen=True)
class Together(Fault):
    """Several faults on one answer, each disturbing what the one before it has left."""

    faults: tuple[Fault, ...]

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Pass the answer through all of them."""
        for fault in self.faults:
            answer = fault.script(answer)
        return answer
