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

    from langchain_openrouter_o3.profiles import ModelFacts

_LEVELS_IN_ORDER = {"messages": 0, "tools": 0, "response_format": 2}
"""How deep keys are put in order where order counts: a model reads schemas in their own.

Messages and tools are written in one order before they come here.
"""

_LEVELS = 64
"""The same for everything else; no schema that people write is deeper."""


def build_body(
    parameters: Mapping[str, Any],
    messages: Sequence[BaseMessage],
    facts: ModelFacts | None,
    *,
    stream: bool,
) -> dict[str, Any]:
    """Build the JSON body of a request.

    Args:
        parameters: What goes into the body, by its keys.
        messages: The conversation.
        facts: Of the model, if it is known.
        stream: Whether the answer is to be streamed.

    Raises:
        OpenRouterInputError: Something cannot be sent.
    """
    wire = messages_to_wire(messages, image_inputs=facts is None or facts.image_inputs)
    body: dict[str, Any] = {"model": parameters["model"], "messages": wire}
    body |= {
        key: value if key in _LEVELS_IN_ORDER else _without_none(value, _LEVELS)
        for key, value in parameters.items()
        if value != []
    }
    check_parameters(body, facts)
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


def check_parameters(parameters: Mapping[str, Any], facts: ModelFacts | None) -> None:
    """Refuse what OpenRouter would refuse, with the remedy.

    Raises:
        OpenRouterInputError: A parameter's value cannot be accepted by the model.
    """
    limit = parameters.get("max_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise OpenRouterInputError(f"max_tokens={limit!r} is not a whole number of tokens.")
    if facts is not None and limit is not None and limit < facts.min_max_tokens:
        raise OpenRouterInputError(
            f"max_tokens={limit} is below {facts.min_max_tokens}, the least that OpenRouter "
            f"accepts for {facts.name}; it counts hidden reasoning too, so leave room for it."
        )
    if "tool_choice" in parameters and not parameters.get("tools"):
        raise OpenRouterInputError("tool_choice was given without tools; bind tools or drop it.")
    functions = [tool.get("function") for tool in parameters.get("tools", ())]
    names = [str(function.get("name")) for function in functions if is_object(function)]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise OpenRouterInputError(f"tools: {doubled} are bound more than once; keep one of each.")
    check_reasoning(parameters.get("reasoning"), facts)


def check_reasoning(reasoning: Mapping[str, Any] | None, facts: ModelFacts | None) -> None:
    """Refuse an effort that the model does not have.

    Raises:
        OpenRouterInputError: It would be an error upstream, or be ignored in silence.
    """
    if not reasoning or facts is None:
        return
    effort = reasoning.get("effort")
    if effort is not None and effort not in facts.efforts:
        raise OpenRouterInputError(
            f"reasoning effort {effort!r}: {facts.name} accepts {', '.join(facts.efforts)}."
        )
    if reasoning.get("enabled") is False:
        raise OpenRouterInputError(
            f"reasoning.enabled=False: {facts.name} always reasons; use effort='low', or "
            "exclude=True to leave the thoughts out of the answer."
        )


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
    text = json.dumps(value, ensure_ascii=False, default=str)
    return any("\ud800" <= character <= "\udfff" for character in text)
