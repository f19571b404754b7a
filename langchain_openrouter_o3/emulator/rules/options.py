"""Rules about OpenRouter's own parameters: presets, tiers, caching and bookkeeping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.errors import BadRequestError
from langchain_openrouter_o3.emulator.json_value import list_at, object_at, text_at

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.json_value import Json, JsonObject

_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_LONGEST_SESSION = 256

_TYPES: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("preset", "prompt_cache_key", "session_id", "user"), (str, "string")),
    **dict.fromkeys(("modalities", "models", "plugins", "stop_server_tools_when"), (list, "array")),
    **dict.fromkeys(
        (
            "cache_control",
            "debug",
            "image_config",
            "metadata",
            "prediction",
            "prompt_cache_options",
            "trace",
        ),
        (dict, "object"),
    ),
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
        if not isinstance(body.get(name), (kind, type(None))):
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
