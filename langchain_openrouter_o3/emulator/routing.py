"""What OpenRouter tells of how it routed a request, if a header asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_openrouter_o3.emulator.json_value import JsonObject

_LEVELS = {"enabled": True, "disabled": False}


def is_told(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for it.

    Raises:
        ApiError: The header has no value that OpenRouter knows.
    """
    level = headers.get("x-openrouter-metadata", "disabled")
    if level not in _LEVELS:
        raise BadRequestError("x-openrouter-metadata: Invalid input: expected enabled or disabled")
    return _LEVELS[level]


def routing(requested: str, model: str, status: int = 200) -> JsonObject:
    """Return the `openrouter_metadata` of an answer, or of a refusal.

    Args:
        requested: The slug that was asked for.
        model: The slug of the model that answered; empty if none was found.
        status: Of the answer.
    """
    attempt: JsonObject = {"provider": "OpenAI", "model": model, "status": status}
    endpoint: JsonObject = {"provider": "OpenAI", "model": model, "selected": True}
    found = 1 if model else 0
    return {
        "requested": requested,
        "strategy": "direct",
        "region": None,
        "summary": f"available={found}" + (", selected=OpenAI" if model else ""),
        "attempt": found,
        "is_byok": False,
        "endpoints": {"total": found, "available": [endpoint] if model else []},
        "attempts": [attempt] if model else [],
    }
