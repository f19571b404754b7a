"""The body of a request: what goes out, and what is refused before it does.

Source: https://openrouter.ai/docs/api-reference/parameters
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import encode, in_order, is_array, is_object
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_core.messages import BaseMessage

_LEVELS_IN_ORDER = {"messages": 0, "tools": 0, "response_format": 2}
"""How deep keys are put in order where order counts: a model reads schemas in their own.

Messages and tools are written in one order before they come here.
"""

_LEVELS = 64
"""The same for everything else; no schema that people write is deeper."""


def build_body(
    parameters: Mapping[str, Any],
    messages: Sequence[BaseMessage],
    *,
    image_inputs: bool,
    stream: bool,
) -> dict[str, Any]:
    """Build the JSON body of a request.

    Args:
        parameters: What goes into the body, by its keys.
        messages: The conversation.
        image_inputs: Whether the model takes images.
        stream: Whether the answer is to be streamed.

    Raises:
        OpenRouterInputError: Something cannot be sent.
    """
    wire = messages_to_wire(messages, image_inputs=image_inputs)
    body: dict[str, Any] = {"model": parameters["model"], "messages": wire}
    body |= {
        key: value if key in _LEVELS_IN_ORDER else _without_none(value, _LEVELS)
        for key, value in parameters.items()
        if value != []
    }
    _check_json_mode(body)
    if stream:
        body["stream"] = True
    return body


def _in_stable_order(body: Mapping[str, Any]) -> dict[str, Any]:
    """Order keys by what they are and not by how they were said.

    OpenRouter's cache of answers takes another order of keys for another request.
    """
    ordered = {key: body[key] for key in ("model", "messages") if key in body}
    for key in sorted(body.keys() - ordered.keys(), key=str):
        value = body[key]
        is_deep = isinstance(value, (dict, list))
        levels = _LEVELS_IN_ORDER.get(key, _LEVELS)
        ordered[key] = in_order(value, levels) if is_deep else value
    return ordered


def _without_none(value: Any, levels: int) -> Any:
    if levels == 0:
        return value
    if is_object(value):
        kept = {key: item for key, item in value.items() if item is not None}
        return {key: _without_none(item, levels - 1) for key, item in kept.items()}
    return [_without_none(item, levels - 1) for item in value] if is_array(value) else value


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Encode the body once, as UTF-8 JSON; equal bodies give equal bytes.

    Raises:
        OpenRouterInputError: It holds NaN, a lone surrogate or something that is not JSON.
    """
    try:
        return encode(_in_stable_order(body))
    except UnicodeEncodeError:
        broken = next((key for key, value in _parts(body) if _has_surrogate(value)), "the request")
        raise OpenRouterInputError(
            f"{broken} contains half a surrogate pair, which is not text; remove it."
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise OpenRouterInputError(f"The request cannot be written as JSON: {error}.") from error


def _check_json_mode(body: Mapping[str, Any]) -> None:
    form = body.get("response_format")
    if not is_object(form) or form.get("type") != "json_object":
        return
    contents = (message.get("content") for message in body["messages"])
    if not any("json" in json.dumps(content).lower() for content in contents):
        raise OpenRouterInputError(
            "response_format json_object: OpenAI requires the word 'json' in a message; say in "
            "the prompt that the answer is JSON."
        )


def _parts(body: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for index, message in enumerate(body["messages"]):
        yield f"messages[{index}]", message
    yield from body.items()


def _has_surrogate(value: Any) -> bool:
    try:
        encode(json.dumps(value, ensure_ascii=False, default=str))
    except UnicodeEncodeError:
        return True
    return False
