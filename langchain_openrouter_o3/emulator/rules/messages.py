"""Rules about the messages."""

from __future__ import annotations

from langchain_openrouter_o3.emulator.json_value import (
    JsonObject,
    list_at,
    object_at,
    objects_at,
    text_at,
)
from langchain_openrouter_o3.emulator.rules.tools import NAME
from langchain_openrouter_o3.emulator.wire.completion import is_altered, is_sealed, leads_to_one_of
from langchain_openrouter_o3.emulator.wire.responses import BadRequestError, ProviderError

_ROLES = frozenset({"assistant", "developer", "system", "tool", "user"})
_PARTS = frozenset({"file", "image_url", "input_audio", "text", "video_url"})
_LONGEST_TOOL_CALL_ID = 64


def messages_are_given(body: JsonObject) -> None:
    """There is at least one message, and each is an object."""
    messages = list_at(body, "messages")
    if not messages:
        raise BadRequestError('Input required: specify "prompt" or "messages"')
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadRequestError(f"messages.{index}: Invalid input: expected object")


def roles_are_known(body: JsonObject) -> None:
    """Every message has a role that exists."""
    for index, message in enumerate(objects_at(body, "messages")):
        if text_at(message, "role") not in _ROLES:
            raise BadRequestError(f"messages.{index}.role: Invalid input: unknown role")


def contents_are_given(body: JsonObject) -> None:
    """Every message says something; only the assistant's may say nothing."""
    for index, message in enumerate(objects_at(body, "messages")):
        content = message.get("content")
        silent = content is None and message["role"] == "assistant"
        if not silent and not isinstance(content, (str, list)):
            raise BadRequestError(
                f"messages.{index}.content: Invalid input: expected text or parts"
            )


def parts_are_known(body: JsonObject) -> None:
    """Every part of a content is of a kind that exists, and a text part has its text."""
    for index, message in enumerate(objects_at(body, "messages")):
        for number, part in enumerate(list_at(message, "content")):
            place = f"messages.{index}.content.{number}"
            kind = text_at(part, "type") if isinstance(part, dict) else ""
            if not isinstance(part, dict) or kind not in _PARTS:
                raise BadRequestError(f"{place}.type: Invalid input: unknown kind of part")
            if not isinstance(part.get(kind), (dict, str)):
                raise BadRequestError(f"{place}.{kind}: Invalid input: expected a value")


def lists_have_objects(body: JsonObject) -> None:
    """A message's calls and reasoning are lists of objects."""
    for index, message in enumerate(objects_at(body, "messages")):
        for name in ("tool_calls", "reasoning_details"):
            value = message.get(name)
            if value is not None and value != objects_at(message, name):
                raise BadRequestError(f"messages.{index}.{name}: Invalid input: expected objects")


def tool_calls_are_whole(body: JsonObject) -> None:
    """A call has an id, a name and arguments, and a tool message says whose result it is."""
    for index, message in enumerate(objects_at(body, "messages")):
        for number, call in enumerate(objects_at(message, "tool_calls")):
            function = object_at(call, "function")
            parts = (call.get("id"), function.get("name"), function.get("arguments"))
            if not all(isinstance(part, str) for part in parts):
                raise BadRequestError(f"messages.{index}.tool_calls.{number}: Invalid input")
        if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
            raise BadRequestError(f"messages.{index}.tool_call_id: Invalid input: expected string")


def tool_call_ids_are_short(body: JsonObject) -> None:
    """The id of a call is not too long; ids of other providers can be."""
    for index, message in enumerate(objects_at(body, "messages")):
        calls = enumerate(objects_at(message, "tool_calls"))
        named = [(f"tool_calls[{number}].id", text_at(call, "id")) for number, call in calls]
        for place, name in [*named, ("tool_call_id", text_at(message, "tool_call_id"))]:
            if len(name) > _LONGEST_TOOL_CALL_ID:
                param = f"messages[{index}].{place}"
                raise ProviderError(
                    f"Invalid '{param}': string too long. Expected a string with maximum length "
                    f"{_LONGEST_TOOL_CALL_ID}, but got a string with length {len(name)} instead.",
                    param=param,
                    code="string_above_max_length",
                )


def names_of_calls_are_valid(body: JsonObject) -> None:
    """The name of a call has only the characters of a function's name."""
    for index, message in enumerate(objects_at(body, "messages")):
        for number, call in enumerate(objects_at(message, "tool_calls")):
            if not NAME.fullmatch(text_at(object_at(call, "function"), "name")):
                param = f"messages[{index}].tool_calls[{number}].function.name"
                raise ProviderError(
                    f"Invalid '{param}': string does not match pattern. Expected a string that "
                    "matches the pattern '^[a-zA-Z0-9_-]+$'.",
                    param=param,
                    code="invalid_value",
                )


def tool_messages_answer_calls(body: JsonObject) -> None:
    """Each call is followed by its result, and each result follows its call.

    These are the sentences of OpenAI's Responses API, which serves all models here.
    """
    open_ids: list[str] = []
    for message in objects_at(body, "messages"):
        if message["role"] != "tool":
            _refuse_unanswered(open_ids)
            open_ids = [text_at(call, "id") for call in objects_at(message, "tool_calls")]
        elif text_at(message, "tool_call_id") in open_ids:
            open_ids.remove(text_at(message, "tool_call_id"))
        else:
            raise ProviderError(
                "No tool call found for function call output with call_id "
                f"{text_at(message, 'tool_call_id')}.",
                param="input",
            )
    _refuse_unanswered(open_ids)


def reasoning_is_given_once(body: JsonObject) -> None:
    """No reasoning item is there twice."""
    seen: set[str] = set()
    for message in objects_at(body, "messages"):
        for entry in objects_at(message, "reasoning_details"):
            name = text_at(entry, "id")
            if name.startswith("rs_") and name in seen:
                raise ProviderError(
                    f"Duplicate item found with id {name}. Remove duplicate items from your input "
                    "and try again.",
                    param="input",
                )
            seen.add(name)


def reasoning_is_unaltered(body: JsonObject) -> None:
    """Reasoning comes back as it was sent, in its place; that of others is let through."""
    for message in objects_at(body, "messages"):
        _check_reasoning(
            objects_at(message, "reasoning_details"),
            {text_at(call, "id") for call in objects_at(message, "tool_calls")},
        )


def _check_reasoning(entries: list[JsonObject], call_ids: set[str]) -> None:
    summary, sealed = "", ""
    for entry in entries:
        if "summary" in entry:
            summary += text_at(entry, "summary")
        elif is_sealed(entry):
            sealed = str(entry.get("id"))
            _refuse_altered(entry, summary)
            if not leads_to_one_of(entry, call_ids):
                raise _lonely(sealed)
            summary = ""
    if summary and sealed:
        raise _lonely(sealed)


def _refuse_altered(entry: JsonObject, summary: str) -> None:
    if is_altered(entry, summary):
        raise ProviderError(
            f"The encrypted content for item {entry.get('id')} could not be verified. Reason: "
            "Encrypted content could not be decrypted or parsed.",
            param=None,
            code="invalid_encrypted_content",
        )


def _lonely(name: str) -> ProviderError:
    return ProviderError(
        f"Item '{name}' of type 'reasoning' was provided without its required following item.",
        param="input",
    )


def _refuse_unanswered(ids: list[str]) -> None:
    if ids:
        raise ProviderError(f"No tool output found for function call {ids[0]}.", param="input")
