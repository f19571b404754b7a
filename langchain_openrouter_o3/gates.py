"""How the rate gates of this process stand; what they do is in docs/bulk.md."""

from __future__ import annotations

from langchain_openrouter_o3._http.gate import GATES, GateFigures

__all__ = ["GateFigures", "gate_figures"]


def gate_figures() -> list[GateFigures]:
    """Return the limit, the waits and the refusals of each gate.

    Calls with the same base URL, key and model share one (`rate_gate=False` leaves them out).
    """
    return GATES.figures()
