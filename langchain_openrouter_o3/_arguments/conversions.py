"""Arguments that need another form on the wire."""

from __future__ import annotations

from typing import Any

from langchain_openrouter_o3.settings import ProviderPreferences, Reasoning


def response_format_to_wire(value: Any, *, is_told: bool = True) -> dict[str, Any]:
    """Bring a response format into OpenRouter's form; see `output_schema`.

    Raises:
        OpenRouterInputError: It is none.
    """
    from langchain_openrouter_o3 import output_schema  # noqa: PLC0415 - not every call needs it

    return output_schema.response_format_to_wire(value, is_told=is_told)


def told_response_format_to_wire(value: Any) -> dict[str, Any]:
    """Do the same for a model's own format: what there is to warn of was said before."""
    return response_format_to_wire(value, is_told=False)


def reasoning_to_wire(value: Any) -> dict[str, Any]:
    """Write the reasoning map; a field that was assigned to may hold a dictionary."""
    return Reasoning.model_validate(value).to_wire()


def provider_to_wire(value: Any) -> dict[str, Any]:
    """Write the provider preferences; a field that was assigned to may hold a dictionary."""
    return ProviderPreferences.model_validate(value).to_wire()


def categories_to_text(value: list[str]) -> str:
    """Write a list as one header."""
    return ",".join(value)


def response_cache_to_headers(value: bool | int) -> dict[str, str]:  # noqa: FBT001 - what it is
    """Write whether answers are cached, and how long.

    Source: https://openrouter.ai/docs/guides/features/response-caching
    """
    if isinstance(value, bool):
        return {"x-openrouter-cache": str(value).lower()}
    return {"x-openrouter-cache": "true", "x-openrouter-cache-ttl": str(value)}


def clear_to_text(value: bool) -> str:  # noqa: FBT001 - what it is
    """Write whether this request clears its place in the cache; there is no other text."""
    return "true" if value else ""


def router_metadata_to_text(value: bool) -> str:  # noqa: FBT001 - what it is
    """Write whether the answer is to say how it was routed."""
    return "enabled" if value else "disabled"
