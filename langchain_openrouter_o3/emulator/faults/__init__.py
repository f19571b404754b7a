"""Faults for `Emulator.play` and `Emulator.disturb`, each made by a function with a plain name.

Some replace the answer (`status`, `html`, `refuse`), the others disturb the real answer that the
rules give. `together` puts several on one answer; `at_random` deals them out to a share of all
requests.
"""

import random
from collections.abc import Sequence

from langchain_openrouter_o3.emulator.faults.bodies import (
    compress,
    content_type,
    error_in_body,
    error_in_stream,
    html,
    huge_event,
    status,
)
from langchain_openrouter_o3.emulator.faults.interruptions import (
    close,
    comments,
    end,
    pace,
    refuse,
    reset,
    stall,
    trickle,
)
from langchain_openrouter_o3.emulator.faults.position import check_count
from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest
from langchain_openrouter_o3.emulator.wire.sending import Fault, Together

__all__ = [
    "Fault",
    "at_random",
    "close",
    "comments",
    "compress",
    "content_type",
    "end",
    "error_in_body",
    "error_in_stream",
    "html",
    "huge_event",
    "pace",
    "refuse",
    "reset",
    "stall",
    "status",
    "together",
    "trickle",
]


def together(*faults: Fault) -> Fault:
    """Return several faults as one.

    Args:
        faults: Each disturbs what the one before it has left, so `compress` comes after those that
            look for events. One that replaces the answer, or never ends it, stands alone or first.

    Raises:
        ValueError: There are none.
    """
    if not faults:
        raise ValueError("together needs a fault")
    return Together(faults)


class AtRandom:
    """A chooser for `Emulator.disturb` that gives a share of the requests a random fault.

    The choices depend on the seed and on the order in which the requests arrive, so that a retry
    of a request may fare better.
    """

    def __init__(self, faults: Sequence[Fault], rate: float, seed: int) -> None:
        """Prepare the choice; see `at_random`."""
        self._faults = tuple(faults)
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 - repeatable is what is wanted

    def __call__(self, request: ReceivedRequest) -> Fault | None:
        """Return the fault for the next request, or None."""
        del request
        # Both numbers are drawn each time: another rate disturbs the same requests and more.
        lot, which = self._random.random(), self._random.randrange(len(self._faults))
        return self._faults[which] if lot < self._rate else None


def at_random(*faults: Fault, rate: float, seed: int = 0) -> AtRandom:
    """Return a chooser for `Emulator.disturb`.

    Args:
        faults: What to choose from, with equal chances.
        rate: The share of the requests that get a fault, 0 to 1.
        seed: The seed of the choice.

    Raises:
        ValueError: An argument makes no sense.
    """
    if not faults:
        raise ValueError("there is no fault to choose from")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is a share from 0 to 1, not {rate!r}")
    check_count("seed", seed, 0)
    return AtRandom(faults, rate, seed)
