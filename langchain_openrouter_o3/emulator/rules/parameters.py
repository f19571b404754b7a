"""Rules about parameters: the model, types and words, metadata, reasoning and the token limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.json_value import (
    JsonObject,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.wire.catalogue import find_model
from langchain_openrouter_o3.emulator.wire.chat_request import (
    answering_model,
    candidate_slugs,
    prompt_texts,
    token_limit,
)
from langchain_openrouter_o3.emulator.wire.completion import count_prompt_tokens
from langchain_openrouter_o3.emulator.wire.responses import ApiError, BadRequestError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_openrouter_o3.emulator.json_value import Json

_PROVIDERS = frozenset({"azure", "openai"})
_PART_MODALITIES = {
    "image_url": ("image", "image"),
    "input_audio": ("audio", "input audio"),
    "video_url": ("video", "video"),
}


def model_is_known(body: JsonObject) -> None:
    """At least one of the models exists; the first that does answers."""
    slugs = candidate_slugs(body)
    if not slugs:
        raise BadRequestError("No models provided")
    if not any(find_model(slug) for slug in slugs):
        raise BadRequestError(f"{slugs[0]} is not a valid model ID")


def input_is_supported(body: JsonObject) -> None:
    """The model takes every kind of input in the messages; routing fails otherwise."""
    _, model = answering_model(body)
    for kind in _kinds_of_parts(body):
        modality, words = _PART_MODALITIES.get(kind, ("text", ""))
        if modality not in model.inputs:
            raise ApiError(404, f"No endpoints found that support {words} input")


def context_is_long_enough(body: JsonObject) -> None:
    """The prompt fits into the model's context."""
    _, model = answering_model(body)
    tokens = count_prompt_tokens(prompt_texts(body))
    if tokens > model.context_length:
        raise BadRequestError(
            f"This endpoint's maximum context length is {model.context_length} tokens. However, "
            f"you requested about {tokens} tokens ({tokens} of text input). Please reduce the "
            "length of the messages, or let the context-compression plugin do so.",
            {"provider_name": None, "error_type": "context_length_exceeded"},
        )


def provider_is_allowed(body: JsonObject) -> None:
    """Of the providers that serve these models, the request allows one."""
    wish = object_at(body, "provider")
    only, order, ignored = (_provider_names(wish, key) for key in ("only", "order", "ignore"))
    found = _PROVIDERS - ignored
    for allowed in (only, order if wish.get("allow_fallbacks") is False else None):
        found &= allowed or found
    if not found:
        raise ApiError(404, "No allowed providers are available for the selected model.")


def _provider_names(wish: JsonObject, key: str) -> set[str]:
    """Return the slugs; what follows a slash is a variant, such as a region."""
    return {str(each).lower().partition("/")[0] for each in list_at(wish, key)}


MODEL_RULES = (input_is_supported, context_is_long_enough)
"""What one model refuses and another one may take."""


def _kinds_of_parts(body: JsonObject) -> Iterator[str]:
    for message in objects_at(body, "messages"):
        for part in objects_at(message, "content"):
            yield str(part.get("type"))


# --- Types and words ---


_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_LONGEST_SESSION = 256

_NUMBER = ((int, float), "number")
_INTEGER = (int, "integer")
_BOOLEAN = (bool, "boolean")
_STRING = (str, "string")
_ARRAY = (list, "array")
_OBJECT = (dict, "object")
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("preset", "prompt_cache_key", "route", "session_id", "user"), _STRING),
    **dict.fromkeys(("modalities", "models", "plugins", "stop_server_tools_when"), _ARRAY),
    **dict.fromkeys(("tools", "provider.order", "provider.only", "provider.ignore"), _ARRAY),
    **dict.fromkeys(("cache_control", "debug", "image_config", "logit_bias"), _OBJECT),
    **dict.fromkeys(("metadata", "prediction", "prompt_cache_options", "provider"), _OBJECT),
    **dict.fromkeys(("reasoning", "response_format", "stream_options", "trace"), _OBJECT),
    **dict.fromkeys(("temperature", "top_p", "min_p", "top_a", "repetition_penalty"), _NUMBER),
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "reasoning.max_tokens"), _NUMBER),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), _INTEGER),
    **dict.fromkeys(("seed", "top_k", "top_logprobs"), _INTEGER),
    **dict.fromkeys(("stream", "parallel_tool_calls", "include_reasoning", "logprobs"), _BOOLEAN),
    **dict.fromkeys(("reasoning.enabled", "reasoning.exclude"), _BOOLEAN),
    **dict.fromkeys(("provider.allow_fallbacks", "provider.require_parameters"), _BOOLEAN),
    "stop": ((str, list), "string or array"),
}
_TIERS = ("auto", "default", "fast", "flex", "priority", "scale", "ultrafast")
_MODALITIES = ("text", "image", "audio")
_WORDS = {
    ("cache_control", "type"): ("ephemeral",),
    ("cache_control", "ttl"): ("5m", "1h", None),
    ("prediction", "type"): ("content",),
    ("prompt_cache_options", "mode"): ("explicit",),
}
_CONDITIONS = {
    "finish_reason_is": "reason",
    "has_tool_call": "tool_name",
    "max_cost": "max_cost_in_dollars",
    "max_tokens_used": "max_tokens",
    "step_count_is": "step_count",
}


def types_are_right(body: JsonObject) -> None:
    """Every option is of its JSON type."""
    for name, (kind, word) in _TYPES.items():
        parent, _, key = name.rpartition(".")
        value = (object_at(body, parent) if parent else body).get(key)
        if value is not None and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            raise BadRequestError(f"{name}: Invalid input: expected {word}")


def words_are_known(body: JsonObject) -> None:
    """Every option that is one of some words is one of them."""
    if body.get("service_tier") not in (*_TIERS, None):
        raise BadRequestError(f"service_tier: Invalid option: expected one of {'|'.join(_TIERS)}")
    for modality in list_at(body, "modalities"):
        if modality not in _MODALITIES:
            raise BadRequestError("modalities: Invalid option: expected one of text|image|audio")
    for (name, key), words in _WORDS.items():
        if body.get(name) is not None and object_at(body, name).get(key) not in words:
            raise BadRequestError(f"{name}.{key}: Invalid option: expected one of {words}")


def conditions_are_known(body: JsonObject) -> None:
    """There is a condition that ends the loop of server tools, and each says what it needs."""
    name = "stop_server_tools_when"
    if body.get(name) is None:
        return
    conditions = list_at(body, name)
    if not conditions or not all(_is_condition(each) for each in conditions):
        raise BadRequestError(f"{name}: Invalid input: expected conditions of a known type")


def _is_condition(value: Json) -> bool:
    if not isinstance(value, dict):
        return False
    needed = _CONDITIONS.get(text_at(value, "type"))
    return needed is not None and needed in value


def metadata_is_small(body: JsonObject) -> None:
    """Metadata are few pairs of short texts."""
    pairs = object_at(body, "metadata")
    if len(pairs) > _MOST_PAIRS:
        raise BadRequestError(f"metadata: Too big: expected at most {_MOST_PAIRS} pairs")
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise BadRequestError("metadata: Invalid input: expected string")
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise BadRequestError(
                f"metadata: Too big: expected keys of at most {_LONGEST_KEY} and values of at "
                f"most {_LONGEST_VALUE} characters"
            )


def session_id_is_short(body: JsonObject) -> None:
    """A session's id has at most 256 characters."""
    if len(str(body.get("session_id") or "")) > _LONGEST_SESSION:
        raise BadRequestError(
            f"session_id: Too big: expected string to have <={_LONGEST_SESSION} characters"
        )


# All that OpenRouter knows
# (https://openrouter.ai/docs/guides/best-practices/reasoning-tokens#reasoning-effort-level).
# --- Reasoning and the token limit ---


_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
_SUPPORTED_EFFORTS = ("low", "medium", "high")
# The floor of OpenAI's Responses API, which serves these models.
_SMALLEST_TOKEN_LIMIT = 16


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
