"""Rules about the model, and what it can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator.catalogue import find_model
from langchain_openrouter_o3.emulator.chat_request import (
    answering_model,
    candidate_slugs,
    prompt_texts,
)
from langchain_openrouter_o3.emulator.errors import ApiError, BadRequestError
from langchain_openrouter_o3.emulator.json_value import JsonObject, objects_at
from langchain_openrouter_o3.emulator.tokens import count_prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODALITIES = {
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
        modality, words = _MODALITIES.get(kind, ("text", ""))
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


MODEL_RULES = (input_is_supported, context_is_long_enough)
"""What one model refuses and another one may take."""


def _kinds_of_parts(body: JsonObject) -> Iterator[str]:
    for message in objects_at(body, "messages"):
        for part in objects_at(message, "content"):
            yield str(part.get("type"))
