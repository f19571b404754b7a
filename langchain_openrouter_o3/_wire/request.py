"""The request body and headers: which parameters go out, under which name, and which do not.

Source: https://openrouter.ai/docs/api-reference/parameters
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._arguments.foreign_names import unknown_argument
from langchain_openrouter_o3._json import encode, is_array, is_object
from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3._wire.messages import messages_to_wire
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import MODEL_PARAMETERS, ModelFacts, model_facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from langchain_core.messages import BaseMessage

ALIASES = {
    "extra_headers": "default_headers",
    "max_completion_tokens": "max_tokens",
    "model_kwargs": "extra_body",
    "model_name": "model",
    "openrouter_api_base": "base_url",
    "openrouter_api_key": "api_key",
    "openrouter_provider": "provider",
    "stop_sequences": "stop",
}
"""Other names of parameters, as LangChain's other packages spell them."""

BODY_PARAMETERS = frozenset(
    {
        "include_reasoning",
        "max_tokens",
        "model",
        "models",
        "plugins",
        "provider",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "route",
        "seed",
        "service_tier",
        "session_id",
        "structured_outputs",
        "tool_choice",
        "tools",
        "trace",
        "user",
        *MODEL_PARAMETERS,
    }
)
"""What can be set on the model, per call or by `.bind(…)`, and goes into the body."""

CALL_OPTIONS = frozenset(
    {
        "default_headers",
        "extra_body",
        "idle_timeout",
        "max_retries",
        "stop",
        "timeout",
        "total_timeout",
    }
)
"""What can be set per call and does not go into the body under its own name."""

_OPEN_PARAMETERS = frozenset({"logit_bias", "plugins", "trace"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HEADER_VALUE = re.compile(r"(?!\s)[\x20-\x7e\t\x80-\xff]*(?<!\s)")


def canonical_names(arguments: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Bring arguments under their first names.

    Args:
        arguments: By any of their names.
        known: First names that exist.

    Raises:
        OpenRouterInputError: A name is unknown (the text says what to write instead), or one
            parameter came under two names.
    """
    canonical: dict[str, Any] = {}
    for name, value in arguments.items():
        first = ALIASES.get(name, name)
        if first not in known:
            raise unknown_argument(name, known, ALIASES)
        if first in canonical:
            raise OpenRouterInputError(f"{first!r} was given twice, also as {name!r}; drop one.")
        canonical[first] = value
    return canonical


def merge_parameters(defaults: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Let a call win over the model's own parameters; None takes a parameter out.

    Raises:
        OpenRouterInputError: Both spellings of the effort came in one place.
    """
    merged = {**defaults, **call}
    if merged.get("model") is None and "model" in defaults:
        merged["model"] = defaults["model"]  # there is always a model
    merged["reasoning"] = _merge_reasoning(defaults, call)
    del_names = ("reasoning_effort", "include_reasoning")
    return {
        name: _without_none(value) if name in _OPEN_PARAMETERS else value
        for name, value in merged.items()
        if value is not None and name not in del_names
    }


def _without_none(value: Any) -> Any:
    if is_object(value):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if is_array(value) else value


def build_body(
    parameters: Mapping[str, Any], messages: Sequence[BaseMessage], *, stream: bool
) -> tuple[dict[str, Any], list[str]]:
    """Build the JSON body of a request.

    Args:
        parameters: First names and values, merged.
        messages: The conversation.
        stream: Whether the answer is to be streamed.

    Returns:
        The body, and the names of parameters withheld because the model has no such thing.

    Raises:
        OpenRouterInputError: Something cannot be sent.
    """
    facts = model_facts(parameters["model"])
    withheld = [name for name in parameters if facts is not None and name in MODEL_PARAMETERS]
    wire = messages_to_wire(messages, image_inputs=facts is None or facts.image_inputs)
    body: dict[str, Any] = {"model": parameters["model"], "messages": wire}
    body |= {
        name: value
        for name, value in sorted(parameters.items())
        if name not in withheld and value != []
    }
    check_parameters(body, facts)
    _check_json_mode(body)
    if stream:
        body["stream"] = True
    return body, sorted(withheld)


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
    """Encode the body once, as UTF-8 JSON.

    Raises:
        OpenRouterInputError: It holds NaN, a lone surrogate or something that is not JSON.
    """
    try:
        return encode(body)
    except UnicodeEncodeError:
        broken = next((key for key, value in _parts(body) if _has_surrogate(value)), "the request")
        raise OpenRouterInputError(
            f"{broken} contains half a surrogate pair, which is not text; remove it."
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise OpenRouterInputError(f"The request cannot be written as JSON: {error}.") from error


def build_headers(
    api_key: str | None,
    attribution: Mapping[str, str | None],
    extra: Mapping[str, str],
    *,
    stream: bool,
) -> dict[str, str]:
    """Build the request headers; the caller's own win, whatever their case.

    Args:
        api_key: The key, if there is one.
        attribution: Headers that tell OpenRouter which app asks; None is not sent.
        extra: The caller's headers.
        stream: Whether the answer is to be streamed.
    """
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": f"langchain-openrouter-o3/{__version__}",
    }
    if api_key is not None:
        headers["authorization"] = f"Bearer {api_key}"
    headers |= {name.lower(): value for name, value in attribution.items() if value is not None}
    return headers | {name.lower(): value for name, value in extra.items()}


def check_headers(headers: Mapping[str, Any], argument: str) -> None:
    """Refuse headers that HTTP cannot carry, injected line breaks, and framing headers.

    A wrong length would make what is left of a request the beginning of somebody else's.

    Raises:
        OpenRouterInputError: A name or value is not a header's; the value is not repeated.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise OpenRouterInputError(f"{argument}: {name!r} is not a header name.")
        if name.lower() in _FRAMING_HEADERS:
            raise OpenRouterInputError(
                f"{argument}: {name!r} frames the request or its connection, which is the "
                "transport's to do; leave it out."
            )
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise OpenRouterInputError(
                f"{argument}: the value of {name!r} is not text that a header can carry."
            )


def _merge_reasoning(defaults: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make one `reasoning` map of all spellings; a call's replaces the model's.

    OpenRouter answers 400 when the effort comes twice (LibreChat issue 6076).
    """
    base = read_reasoning(defaults, "the model")
    if "reasoning" in call:
        base = None
    override = read_reasoning(call, "the call")
    if override is None:
        forgotten = "reasoning_effort" in call  # None takes the effort out
        return {k: v for k, v in (base or {}).items() if not (forgotten and k == "effort")} or None
    kept = {
        key: value
        for key, value in (base or {}).items()
        if not (override.keys() & {"effort", "max_tokens"} and key in ("effort", "max_tokens"))
    }
    return {**kept, **override}


def read_reasoning(arguments: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Read `reasoning`, `reasoning_effort` and `include_reasoning` of one place as one map.

    Raises:
        OpenRouterInputError: They contradict each other.
    """
    reasoning = dict(arguments.get("reasoning") or {})
    effort = arguments.get("reasoning_effort")
    if effort is not None:
        if reasoning.keys() & {"effort", "max_tokens"} and reasoning.get("effort") != effort:
            raise OpenRouterInputError(
                f"reasoning_effort and reasoning both set the effort on {where}; drop one."
            )
        reasoning["effort"] = effort
    include = arguments.get("include_reasoning")
    if include is not None:
        if reasoning.get("exclude") is include:
            raise OpenRouterInputError(
                f"include_reasoning contradicts reasoning.exclude on {where}; drop one."
            )
        reasoning["exclude"] = not include
    return reasoning or None


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
