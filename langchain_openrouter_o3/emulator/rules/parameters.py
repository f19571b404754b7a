"""Rules about the token limit and the reasoning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.chat_request import answering_model, token_limit
from langchain_openrouter_o3.emulator.errors import BadRequestError, ProviderError
from langchain_openrouter_o3.emulator.json_value import integer_at, object_at, text_at

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import JsonObject

# All that OpenRouter knows
# (https://openrouter.ai/docs/guides/best-practices/reasoning-tokens#reasoning-effort-level).
_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
_SUPPORTED_EFFORTS = ("low", "medium", "high")
# The floor of OpenAI's Responses API, which serves these models.
_SMALLEST_TOKEN_LIMIT = 16


def switches_are_booleans(body: JsonObject) -> None:
    """`stream` and its like are true or false."""
    for name in ("stream", "parallel_tool_calls", "include_reasoning"):
        if not isinstance(body.get(name), (bool, type(None))):
            raise BadRequestError(f"{name}: Invalid input: expected boolean")


def token_limits_are_integers(body: JsonObject) -> None:
    """A token limit is a number, in both spellings."""
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and integer_at(body, name) is None:
            raise BadRequestError(f"{name}: Invalid input: expected integer")


def effort_is_known(body: JsonObject) -> None:
    """An effort is a word that OpenRouter knows."""
    for effort in (object_at(body, "reasoning").get("effort"), body.get("reasoning_effort")):
        if effort is not None and effort not in _EFFORTS:
            expected = "|".join(f'"{known}"' for known in _EFFORTS)
            raise BadRequestError(f"Invalid reasoning effort: expected one of {expected}")


def reasoning_is_asked_once(body: JsonObject) -> None:
    """An effort excludes a budget, and a second, different effort."""
    reasoning = object_at(body, "reasoning")
    effort, other_effort = reasoning.get("effort"), body.get("reasoning_effort")
    if effort is None:
        return
    if reasoning.get("max_tokens") is not None:
        raise BadRequestError(_only_one_of("reasoning.effort", "reasoning.max_tokens"))
    if other_effort is not None and other_effort != effort:
        raise BadRequestError(_only_one_of("reasoning.effort", "reasoning_effort"))


def effort_is_supported(body: JsonObject) -> None:
    """The model has that effort; o-series models cannot be told not to reason.

    OpenRouter's list of models says `mandatory: false` for them, but OpenAI refuses.
    """
    _, model = answering_model(body)
    reasoning = object_at(body, "reasoning")
    effort = text_at(reasoning, "effort") or text_at(body, "reasoning_effort")
    if reasoning.get("enabled") is False:
        effort = "none"
    if model.reasons and effort and effort not in _SUPPORTED_EFFORTS:
        raise ProviderError(
            f"Unsupported value: '{effort}' is not supported with the "
            f"'{model.canonical_slug.removeprefix('openai/')}' model. Supported values are: "
            "'low', 'medium', and 'high'.",
            param="reasoning.effort",
            code="unsupported_value",
        )


def token_limit_is_large_enough(body: JsonObject) -> None:
    """A token limit is not below the provider's floor."""
    limit = token_limit(body)
    if limit is not None and limit < _SMALLEST_TOKEN_LIMIT:
        raise ProviderError(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{_SMALLEST_TOKEN_LIMIT}, but got {limit} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )


def _only_one_of(first: str, second: str) -> str:
    return f'Only one of "{first}" and "{second}" can be specified'
