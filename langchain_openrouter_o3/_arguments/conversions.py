"""Arguments that need another form on the wire."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_openrouter_o3.settings import ProviderPreferences, Reasoning
from langchain_openrouter_o3.tools import tools_to_wire


def response_format_to_wire(value: Any, *, is_told: bool = True) -> dict[str, Any]:
    """Bring a response format into OpenRouter's form; see `output_schema`.

    Raises:
        OpenRouterInputError: It is none.
    """
    from langchain_openrouter_o3 import output_schema  # noqa: PLC0415 - not every call needs it

    return output_schema.response_format_to_wire(value, is_told=is_told)


def _reasoning_to_wire(value: Any) -> dict[str, Any]:
    return Reasoning.model_validate(value).to_wire()


def _effort_to_wire(value: Any) -> str:
    return str(Reasoning.model_validate({"effort": value}).effort)


def _provider_to_wire(value: Any) -> dict[str, Any]:
    return ProviderPreferences.model_validate(value).to_wire()


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "reasoning": _reasoning_to_wire,
    "reasoning_effort": _effort_to_wire,
    "provider": _provider_to_wire,
    "response_format": response_format_to_wire,
    "tools": tools_to_wire,
}
# What the constructor brought was warned of there.
FIELD_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    **CONVERSIONS,
    "response_format": partial(response_format_to_wire, is_told=False),
}
