"""OpenAI's o3-mini through OpenRouter, as a LangChain chat model.

Public: the chat model, its settings, its errors, the sums of costs, and (with the extra
`emulator`) the module `langchain_openrouter_o3.emulator`. Everything with a leading underscore
may change.
"""

from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3.chat_models import ChatOpenRouterO3
from langchain_openrouter_o3.costs import CostTracker, ModelCosts, track_costs
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

__all__ = [
    "ChatOpenRouterO3",
    "CostTracker",
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
    "track_costs",
]
