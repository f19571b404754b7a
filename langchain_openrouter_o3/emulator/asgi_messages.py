"""ASGI messages of the emulator's own, by which a fault breaks a connection or closes the port."""

from __future__ import annotations

from starlette.types import Message

OWN_MESSAGES = "emulator."
"""How the type of each begins."""

# Close the connection without finishing the answer.
HANG_UP: Message = {"type": "emulator.hang_up", "reset": False}
RESET: Message = {"type": "emulator.hang_up", "reset": True}


def close_port(seconds: float) -> Message:
    """Return the message that refuses connections for so many seconds."""
    return {"type": "emulator.close_port", "seconds": seconds}
