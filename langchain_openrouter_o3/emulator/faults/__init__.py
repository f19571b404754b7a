"""Faults for `Emulator.play` and `Emulator.disturb`, each made by a function with a plain name.

Some replace the answer (`status`, `html`, `refuse`), the others disturb the real answer that the
rules give. `together` puts several on one answer; `at_random` deals them out to a share of all
requests.
"""

from langchain_openrouter_o3.emulator.fault import Fault, Together
from langchain_openrouter_o3.emulator.faults.bodies import compress, content_type, huge_event
from langchain_openrouter_o3.emulator.faults.breaks import close, end, refuse, reset
from langchain_openrouter_o3.emulator.faults.chance import at_random
from langchain_openrouter_o3.emulator.faults.errors import error_in_body, html, status
from langchain_openrouter_o3.emulator.faults.stream_errors import error_in_stream
from langchain_openrouter_o3.emulator.faults.waits import comments, pace, stall, trickle

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
