"""OpenAI's o3-mini through OpenRouter, as a LangChain chat model.

Public: the chat model, its settings, its errors, the sums of costs, the figures of rate gates,
the modules `langchain_openrouter_o3.bulk` and `langchain_openrouter_o3.batch`, and (with the extra
`emulator`) the module `langchain_openrouter_o3.emulator`. Everything with a leading underscore
may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._version import __version__

if TYPE_CHECKING:
    from langchain_openrouter_o3._arguments.settings import (
        MaxPrice,
        Percentiles,
        ProviderPreferences,
        Reasoning,
        SortConfig,
    )
    from langchain_openrouter_o3._http.gate import GateFigures, gate_figures
    from langchain_openrouter_o3.chat_models import ChatOpenRouterO3
    from langchain_openrouter_o3.chat_models.costs import CostTracker, ModelCosts, track_costs
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


_MODULES = {
    "chat_models": ("ChatOpenRouterO3",),
    "chat_models.costs": ("CostTracker", "ModelCosts", "track_costs"),
    "_http.gate": ("GateFigures", "gate_figures"),
    "_arguments.settings": (
        "MaxPrice",
        "Percentiles",
        "ProviderPreferences",
        "Reasoning",
        "SortConfig",
    ),
    "errors": tuple(name for name in __all__ if name.startswith("OpenRouter")),
}


def __getattr__(name: str) -> Any:
    """Import on first use: the emulator and its pytest plugin need nothing of LangChain."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
