"""LangChain's results around a message: what tracers read beside it, and the id of the run.

Tracers (OpenTelemetry's and Sentry's for LangChain among them) look for the finish reason and the
id in `generation_info`, and for the model and the counts in `llm_output`. langchain-core copies
both into `response_metadata`. So `generation_info` repeats what is there, and `llm_output` is
made after core has looked: whole and streamed answers keep the same metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from langchain_core.messages import AIMessage, BaseMessage

_TOLD = ("finish_reason", "model_name", "id")
_COUNTS = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "total_tokens",
}
_DETAILS = {
    "prompt_tokens_details": ("input_token_details", {"cached_tokens": "cache_read"}),
    "completion_tokens_details": ("output_token_details", {"reasoning_tokens": "reasoning"}),
}
CACHE_MARK = "total_cost"
"""Key that langchain-core adds to the usage of an answer from its cache."""


def generation_info(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what tracers look for in a generation; None if there is nothing."""
    return {key: metadata[key] for key in _TOLD if key in metadata} or None


def message_to_result(message: AIMessage) -> ChatResult:
    """Wrap a message into the result that a chat model's hook returns."""
    info = generation_info(message.response_metadata)
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])


def run_id_of(run_id: UUID) -> str:
    """Return the message id of a run, as langchain-core writes it."""
    return f"{LC_ID_PREFIX}-{run_id}"


def finish_result(result: ChatResult, run_id: UUID | None) -> ChatResult:
    """Complete the result that langchain-core made of an answer, or found in its cache.

    A message from the cache has the id of the run that made it. LangGraph would take the second
    one for a new version of the first, so it gets the id of its own run.

    Args:
        result: Of one answer.
        run_id: Of the call, if it is traced at all.
    """
    result.generations = [
        _generation_of_run(generation, run_id, position)
        for position, generation in enumerate(result.generations)
    ]
    message: Any = result.generations[0].message
    result.llm_output = llm_output(message)
    return result


def llm_output(message: AIMessage) -> dict[str, Any] | None:
    """Return what tracers look for beside the generations; None for an answer from the cache.

    An answer from the cache cost no tokens, so there is nothing to count again.
    """
    usage: Any = message.usage_metadata
    if usage is not None and CACHE_MARK in usage:
        return None
    metadata = message.response_metadata
    output = {key: metadata[key] for key in ("model_name", "id") if key in metadata}
    return {**output, "token_usage": _token_usage(usage)} if usage is not None else output


def combine_llm_outputs(outputs: Iterable[dict[str, Any] | None]) -> dict[str, Any]:
    """Combine what several answers of one call give: the counts add up."""
    combined: dict[str, Any] = {}
    for output in outputs:
        if output is None:
            continue
        usage = _add(combined.get("token_usage"), output.get("token_usage"))
        combined |= {"model_name": output["model_name"]} if "model_name" in output else {}
        combined |= {"token_usage": usage} if usage is not None else {}
    return combined


def _generation_of_run(
    generation: ChatGeneration, run_id: UUID | None, position: int
) -> ChatGeneration:
    message = generation.message
    update = _lost_refusal(message)
    if run_id is not None and not (message.id or "").startswith(run_id_of(run_id)):
        update["id"] = f"{run_id_of(run_id)}-{position}"
    changes: dict[str, Any] = {"message": message.model_copy(update=update)} if update else {}
    if generation.generation_info is None:
        changes["generation_info"] = generation_info(message.response_metadata)
    return generation.model_copy(update=changes) if changes else generation


def _lost_refusal(message: BaseMessage) -> dict[str, Any]:
    """Give back the refusal block, which core leaves out of messages made of protocol events."""
    content, refusal = message.content, message.additional_kwargs.get("refusal")
    if isinstance(content, str) or not refusal:
        return {}
    if any(is_object(block) and block.get("type") == "refusal" for block in content):
        return {}
    return {"content": [*content, {"type": "refusal", "refusal": refusal}]}


def _token_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    counts: dict[str, Any] = {name: usage[key] for name, key in _COUNTS.items()}
    for name, (field, names) in _DETAILS.items():
        details: Mapping[str, Any] = usage.get(field) or {}
        known = {each: details[key] for each, key in names.items() if key in details}
        if known:
            counts[name] = known
    return counts


def _add(left: Any, right: Any) -> Any:
    """Add counts, key by key and at any depth; None is nothing."""
    if left is None or right is None:
        return right if left is None else left
    if is_object(left) and is_object(right):
        return {key: _add(left.get(key), right.get(key)) for key in {**left, **right}}
    return left + right
