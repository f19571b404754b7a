"""OpenAI's o3-mini through OpenRouter, as a LangChain chat model.

Public: the chat model, its settings, its errors, the sums of costs, and (with the extra
`emulator`) the module `langchain_openrouter_o3.emulator`. Everything with a leading underscore
may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3.chat_models import ChatOpenRouterO3
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterAuthenticationError,
    OpenRouterConnectionError,
    OpenRouterContextOverflowError,
    OpenRouterCreditsError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterIdleTimeoutError,
    OpenRouterInputError,
    OpenRouterInvalidRequestError,
    OpenRouterMalformedResponseError,
    OpenRouterModerationError,
    OpenRouterNotFoundError,
    OpenRouterOutputError,
    OpenRouterPermissionError,
    OpenRouterRateLimitError,
    OpenRouterRefusalError,
    OpenRouterStreamCutError,
    OpenRouterTimeoutError,
    OpenRouterTotalTimeoutError,
    OpenRouterTruncatedError,
)
from langchain_openrouter_o3.settings import (
    MaxPrice,
    Percentiles,
    ProviderPreferences,
    Reasoning,
    SortConfig,
)

if TYPE_CHECKING:
    from langchain_openrouter_o3._http.gate import GateFigures
    from langchain_openrouter_o3.costs import CostTracker, ModelCosts, track_costs

__all__ = [
    "ChatOpenRouterO3",
    "CostTracker",
    "GateFigures",
    "MaxPrice",
    "ModelCosts",
    "OpenRouterAPIError",
    "OpenRouterAuthenticationError",
    "OpenRouterConnectionError",
    "OpenRouterContextOverflowError",
    "OpenRouterCreditsError",
    "OpenRouterEmptyResponseError",
    "OpenRouterError",
    "OpenRouterIdleTimeoutError",
    "OpenRouterInputError",
    "OpenRouterInvalidRequestError",
    "OpenRouterMalformedResponseError",
    "OpenRouterModerationError",
    "OpenRouterNotFoundError",
    "OpenRouterOutputError",
    "OpenRouterPermissionError",
    "OpenRouterRateLimitError",
    "OpenRouterRefusalError",
    "OpenRouterStreamCutError",
    "OpenRouterTimeoutError",
    "OpenRouterTotalTimeoutError",
    "OpenRouterTruncatedError",
    "Percentiles",
    "ProviderPreferences",
    "Reasoning",
    "SortConfig",
    "__version__",
    "gate_figures",
    "track_costs",
]


def gate_figures() -> list[GateFigures]:
    """Return how each rate gate of this process stands: limits, waits, refusals.

    Calls with the same base URL, key and model share one (`rate_gate=False` leaves them out).
    """
    from langchain_openrouter_o3._http.gate import GATES  # noqa: PLC0415 - with the first call

    return GATES.figures()


def __getattr__(name: str) -> Any:
    """Import the sums of costs on first use: they bring langchain-core's tracers along."""
    if name == "GateFigures":
        from langchain_openrouter_o3._http import gate  # noqa: PLC0415 - see above

        return gate.GateFigures
    if name not in ("CostTracker", "ModelCosts", "track_costs"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from langchain_openrouter_o3 import costs  # noqa: PLC0415 - see above

    return getattr(costs, name)
