"""What one numbered call does and meets: a pure function of the seed and the number."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from tests.soak.fault_kinds import CLOSED, DOOR_KINDS, KINDS, PASSING

Caller = Literal["thread", "task", "door"]
Shape = Literal["text", "tool", "object"]
Ending = Literal["whole", "close", "cancel", "give-up"]

CALLERS: tuple[Caller, ...] = ("thread", "task", "door")
TAG = re.compile(rb"tag-(\d+)\b")
_WORDS = (
    *("fleece", "grass", "ram", "sheep", "weide", "wolle"),
    *("grüße", "hügel", "naïve", "straße", "łąka", "牧羊", "🐑"),
)
_TEXT_PIECE = re.compile(r"\s*\S+|\s+$")
_ARGUMENT_PIECE = re.compile(r"\s*\w+|[^\w\s]+|\s+")
_PROMPTS = {"text": "echo {}", "tool": 'Call save_note with "{}"', "object": 'Write a note "{}"'}
_PATIENT = 120.0
_IMPATIENT = 0.3


@dataclass(frozen=True)
class Call:
    """One call, and the faults that its attempts meet.

    Attributes:
        number: Of the call; its tag.
        caller: A thread, a task on an event loop, or the one at the closed door.
        shape: What is asked for: a text, a tool call, or an object of a schema.
        stream: Whether the answer is streamed.
        said: What the answer says, tag included.
        max_retries: Attempts beyond the first.
        ending: Whether the caller takes the whole answer, closes the stream early, cancels its
            task, or has limits that will end the call.
        moment: After how many chunks it closes, or how many seconds it cancels.
        limits: Time limits in seconds, as arguments of the call.
        kinds: The fault of each attempt; None for a good answer.
    """

    number: int
    caller: Caller
    shape: Shape
    stream: bool
    said: str
    max_retries: int
    ending: Ending
    moment: float
    limits: dict[str, float] = field(hash=False)
    kinds: tuple[str | None, ...]

    @property
    def prompt(self) -> str:
        """What the caller asks."""
        return _PROMPTS[self.shape].format(self.said)

    @property
    def answer(self) -> str:
        """The whole answer: the text, or the arguments of the tool call."""
        if self.shape == "text":
            return self.said
        return json.dumps({"note": self.said}, ensure_ascii=False, separators=(",", ":"))

    def beginning(self, events: int) -> str:
        """Return what the first events with content bring."""
        if self.shape == "tool":  # two come first: one with the name, one that is empty
            return "".join(_ARGUMENT_PIECE.findall(self.answer)[: max(0, events - 2)])
        return "".join(_TEXT_PIECE.findall(self.answer)[:events])


def plan(seed: int, rate: float, number: int) -> Call:
    """Plan a call.

    Args:
        seed: Of the whole run.
        rate: The share of attempts that meet a fault.
        number: Of the call; callers of one sort take every third.
    """
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable is what is wanted
    slot, which = divmod(number, len(CALLERS))
    caller = CALLERS[which]
    if caller == "door":
        return _at_the_door(number, slot)
    shape: Shape = dice.choices(("text", "tool", "object"), (6, 3, 1))[0]
    stream = shape != "object" and dice.random() < 0.6
    retries = dice.choice((0, 1, 2, 3))
    kinds = (
        _scheduled(seed, rate, slot),
        *(dice.choice(PASSING) if dice.random() < rate else None for _ in range(retries)),
    )
    ending, moment, limits = _ending(dice, caller, kinds[0], stream=stream)
    words = " ".join(dice.choices(_WORDS, k=dice.randint(3, 16)))
    said = f"tag-{number} {words}"
    return Call(number, caller, shape, stream, said, retries, ending, moment, limits, kinds)


def _scheduled(seed: int, rate: float, slot: int) -> str | None:
    """Deal the kinds out in turn, so that each is met early and equally often."""
    turn = int(slot * rate)
    if int((slot + 1) * rate) == turn:
        return None
    return _deck(seed, turn // len(KINDS))[turn % len(KINDS)]


@lru_cache(maxsize=8)
def _deck(seed: int, number: int) -> list[str]:
    dice = random.Random(f"{seed}/deck/{number}")  # noqa: S311 - same
    return dice.sample(sorted(KINDS), len(KINDS))


def _ending(
    dice: random.Random, caller: Caller, kind: str | None, *, stream: bool
) -> tuple[Ending, float, dict[str, float]]:
    """Choose how the caller ends; an endless answer needs one who gives up."""
    lot = dice.random()
    names = ["idle_timeout", "total_timeout"]
    endless = KINDS[kind].endless if kind else None
    if caller == "task" and lot < (0.4 if endless else 0.1):
        limits = {dice.choice(names): _PATIENT} if dice.random() < 0.5 else {}
        return "cancel", dice.uniform(0, 0.06), limits
    if endless:
        names += ["timeout"] if endless == "silence" else []
        return "give-up", 0, {dice.choice(names): _IMPATIENT}
    if stream and lot < 0.25:
        return "close", dice.randint(1, 4), {}
    return "whole", 0, {dice.choice(names): _PATIENT} if lot > 0.8 else {}


def _at_the_door(number: int, slot: int) -> Call:
    """One call closes the port, the next finds it closed, and a third cannot even greet."""
    kind = DOOR_KINDS[slot % len(DOOR_KINDS)]
    # The port opens while the second call waits for its next attempt.
    retries = 6 if kind == CLOSED else 0
    said = f"tag-{number} knocks"
    return Call(number, "door", "text", False, said, retries, "whole", 0, {}, (kind,))  # noqa: FBT003 - the order is Call's
