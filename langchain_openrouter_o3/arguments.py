"""Arguments of the constructor and of calls: reading, checking, and making a request of them."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import TypeIs

from langchain_openrouter_o3._http.deadlines import TimeLimits
from langchain_openrouter_o3._http.exchange import Request, exchange
from langchain_openrouter_o3._http.request_headers import RequestHeaders
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.timeouts import check_limit, plain_timeout, to_timeout
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._warn import warn_caller
from langchain_openrouter_o3._wire.request import (
    ALIASES,
    BODY_PARAMETERS,
    CALL_OPTIONS,
    build_body,
    build_headers,
    canonical_names,
    check_headers,
    encode_body,
    merge_parameters,
)
from langchain_openrouter_o3.errors import (
    OpenRouterAuthenticationError,
    OpenRouterError,
    OpenRouterInputError,
)
from langchain_openrouter_o3.settings import ProviderPreferences, Reasoning
from langchain_openrouter_o3.tools import tool_choice_to_wire, tools_to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_openrouter_o3._http.exchange import Reader, Sources, Step, StepResult
    from langchain_openrouter_o3._http.performer import AsyncPerformer, SyncPerformer
    from langchain_openrouter_o3._http.pool_reference import PoolReference
    from langchain_openrouter_o3.chat_models import ChatOpenRouterO3

T = TypeVar("T")

MAX_HOST_LABEL = 63
"""Characters between two dots of a host name (RFC 1035, section 2.3.4)."""

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
HIDDEN = "**********"
"""What stands for a value that nobody may see."""
# The short spellings of reasoning parameters, and the keys of the map that each of them sets.
_SHORT_REASONING = {
    "reasoning_effort": ("effort", "max_tokens"),
    "include_reasoning": ("exclude",),
}
# What langchain-core itself passes to a model's hooks beside the parameters.
_CORE_ARGUMENTS = ("stream", "ls_structured_output_format", "structured_output_format")
_CALL_ARGUMENTS = frozenset({*BODY_PARAMETERS, *CALL_OPTIONS, *_CORE_ARGUMENTS, "n"})


class Call(NamedTuple):
    """One call, ready to be sent."""

    request: Request
    policy: RetryPolicy
    stop: tuple[str, ...]
    timeout: Any
    limits: TimeLimits
    base_url: str

    def flow(
        self, kind: Callable[..., Reader[T]], sources: Sources
    ) -> Generator[Step[T], StepResult, None]:
        """Return the flow of this call; `kind` makes the reader of each attempt's answer."""
        return exchange(
            self.request,
            self.policy,
            lambda reply: kind(reply.headers, self.stop),
            sources,
            self.limits,
        )

    def performer(self, own: Any, pools: PoolReference) -> SyncPerformer:
        """Return what performs this call with blocking I/O.

        Args:
            own: The caller's own client, if there is one.
            pools: Of the model.
        """
        from langchain_openrouter_o3._http import pool_manager  # noqa: PLC0415 - imports httpx

        phases = self.timeout.as_dict()
        return pool_manager.POOLS.performer(self.base_url, pools, own, phases)

    async def async_performer(self, own: Any, pools: PoolReference) -> AsyncPerformer:
        """Return what performs this call on the running event loop; see `performer`."""
        from langchain_openrouter_o3._http import pool_manager  # noqa: PLC0415 - imports httpx

        phases = self.timeout.as_dict()
        return await pool_manager.POOLS.async_performer(self.base_url, pools, own, phases)


def build_call(  # noqa: PLR0913 - a hook's arguments and where they come from
    model: ChatOpenRouterO3,
    messages: Sequence[BaseMessage],
    stop: list[str] | None,
    kwargs: Mapping[str, Any],
    *,
    own: object | None,
    stream: bool,
) -> Call:
    """Make a request of a model's fields, a conversation and a call's arguments.

    Args:
        model: Whose fields are the defaults.
        messages: The conversation.
        stop: LangChain's own stop argument.
        kwargs: The call's other arguments, under any of their names.
        own: The caller's HTTP client for this kind of call, if there is one.
        stream: Whether the answer is to be streamed.

    Raises:
        OpenRouterInputError: Something cannot be sent.
        OpenRouterAuthenticationError: There is no key.
    """
    arguments = read_call({**kwargs, "stop": stop} if stop is not None else kwargs)
    for name in _CORE_ARGUMENTS:
        arguments.pop(name, None)
    options = {name: arguments.pop(name, None) for name in CALL_OPTIONS}
    parameters = merge_parameters(default_parameters(model), arguments)
    body, withheld = build_body(parameters, messages, stream=stream)
    extra: Any = options["extra_body"] or {}
    if not is_object(extra):
        raise OpenRouterInputError("extra_body is a dictionary of keys of the body.")
    body |= {**(model.extra_body or {}), **extra}
    # What the constructor brought was named there, unless the call has changed the model.
    changed = parameters["model"] != model.model
    asked = [name for name in withheld if changed or arguments.get(name) is not None]
    if asked:
        warn_withheld(str(parameters["model"]), asked)
    retries = _check_retries(options["max_retries"])
    return Call(
        request=Request(
            url=f"{model.base_url}/chat/completions",
            headers=_build_headers(model, options["default_headers"], own, stream=stream),
            body=encode_body(body),
            model=str(parameters["model"]),
        ),
        policy=RetryPolicy(max_retries=model.max_retries if retries is None else retries),
        stop=tuple(check_stop(options["stop"]) or model.stop or ()),
        timeout=_check_call_timeout(model, kwargs, options["timeout"]),
        limits=_check_call_limits(model, kwargs),
        base_url=model.base_url,
    )


def read_constructor(data: Any, fields: Collection[str]) -> Any:
    """Bring a constructor's arguments under their first names and hide the key.

    Raises:
        OpenRouterInputError: A name is unknown, or one argument came twice.
    """
    if not is_object(data):
        return data  # an instance, or something that pydantic refuses itself
    values = canonical_names(data, fields)
    if isinstance(values.get("api_key"), str):
        values["api_key"] = SecretStr(values["api_key"])
    for name in ("api_key", "base_url"):
        if name in values and values[name] is None:
            del values[name]  # None means "not given": the environment or the default decides
    return values


def key_from_environment() -> SecretStr | None:
    """Read the key from `OPENROUTER_API_KEY`; a blank one is none."""
    key = os.environ.get("OPENROUTER_API_KEY", "").strip()
    return SecretStr(key) if key else None


def base_url_from_environment() -> str:
    """Read the base URL from `OPENROUTER_API_BASE`; OpenRouter's own if that is blank."""
    return os.environ.get("OPENROUTER_API_BASE", "").strip() or DEFAULT_BASE_URL


def without_inputs(title: str, error: ValidationError) -> ValidationError:
    """Rebuild a validation error without the arguments, among which is the key."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("argument", "{text}", {"text": item["msg"]}),
            loc=item["loc"],
            input=None,
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def refused(title: str, text: str) -> ValidationError:
    """Make the validation error of an argument that this package refuses itself."""
    kind = PydanticCustomError("argument", "{text}", {"text": text})
    details = [InitErrorDetails(type=kind, input=None)]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def read_call(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a call's arguments under their first names and check their values.

    Raises:
        OpenRouterInputError: A name is unknown, or a value cannot be sent.
    """
    arguments = canonical_names(kwargs, _CALL_ARGUMENTS)
    check_n(arguments.pop("n", None))
    slug = arguments.get("model")
    if slug is not None and not (isinstance(slug, str) and slug):
        raise OpenRouterInputError(f"model={slug!r} is no name of a model.")
    for name, convert in _CONVERSIONS.items():
        if arguments.get(name) is not None:
            try:
                arguments[name] = convert(arguments[name])
            except ValidationError as error:
                raise OpenRouterInputError(f"{name}: {error}") from None
    if arguments.get("tool_choice") is not None and arguments.get("tools"):
        arguments["tool_choice"] = tool_choice_to_wire(arguments["tool_choice"], arguments["tools"])
    return arguments


def default_parameters(model: ChatOpenRouterO3) -> dict[str, Any]:
    """Collect the body parameters that are set on a model, as they go out."""
    values = {name: getattr(model, name) for name in _MODEL_FIELDS}
    for name, convert in _FIELD_CONVERSIONS.items():
        if values.get(name) is not None:
            values[name] = convert(values[name])
    return {name: value for name, value in values.items() if value is not None}


def serializable_attributes(model: ChatOpenRouterO3) -> dict[str, Any]:
    """Collect the fields that need another form to survive LangChain's serialisation."""
    attributes = {
        name: value
        for name, value in default_parameters(model).items()
        if name in ("reasoning", "provider", "response_format")
    }
    if model.timeout is not None:
        attributes["timeout"] = plain_timeout(model.timeout)
    return attributes


def response_format_to_wire(value: Any, *, is_told: bool = True) -> dict[str, Any]:
    """Bring a response format into OpenRouter's form; see `output_schema`.

    Raises:
        OpenRouterInputError: It is none.
    """
    from langchain_openrouter_o3 import output_schema  # noqa: PLC0415 - not every call needs it

    return output_schema.response_format_to_wire(value, is_told=is_told)


def attribution(model: ChatOpenRouterO3) -> dict[str, str]:
    """Collect the headers that tell OpenRouter which app asks; only what is set.

    Source: https://openrouter.ai/docs/app-attribution
    """
    headers = {
        "http-referer": model.app_url,
        "x-title": model.app_title,
        "x-openrouter-categories": ",".join(model.app_categories or ()),
    }
    return {name: value for name, value in headers.items() if value}


def first_name(name: str) -> str:
    """Return the first name of an argument."""
    return ALIASES.get(name, name)


def later_wins(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Join bound arguments with later ones, which win under any of their names.

    Args:
        earlier: As they were bound.
        later: As they were bound after that, or given to a call. What contradicts itself in
            here stays, and is refused when it is sent.
    """
    named = {first_name(name) for name in later}
    kept = {name: value for name, value in earlier.items() if first_name(name) not in named}
    return {**_without_overridden_reasoning(kept, named), **later}


def _without_overridden_reasoning(kept: dict[str, Any], named: Collection[str]) -> dict[str, Any]:
    """Take out what a later spelling of the reasoning parameters says anew."""
    if "reasoning" in named:
        return {name: value for name, value in kept.items() if name not in _SHORT_REASONING}
    lost = {key for name in named for key in _SHORT_REASONING.get(name, ())}
    reasoning = kept.get("reasoning")
    if isinstance(reasoning, Reasoning):
        reasoning = reasoning.to_wire()
    if lost and is_object(reasoning):
        rest = {key: value for key, value in reasoning.items() if key not in lost}
        return {**kept, "reasoning": rest}
    return kept


def is_header_argument(name: str) -> bool:
    """Whether an argument holds headers, any of which may be a credential."""
    return first_name(name) == "default_headers"


def masked_headers(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as others may see them: the names of headers without their values."""
    return {
        name: _masked(value) if value and is_header_argument(name) else value
        for name, value in kwargs.items()
    }


def _masked(headers: Any) -> Any:
    return dict.fromkeys(headers, HIDDEN) if _is_mapping(headers) else HIDDEN


def _is_mapping(value: Any) -> TypeIs[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def without_headers(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are not headers."""
    return {name: value for name, value in kwargs.items() if not is_header_argument(name)}


def headers_digest(defaults: Any, kwargs: Mapping[str, Any]) -> str | None:
    """Return what keeps calls with different headers apart and tells nothing of them.

    Args:
        defaults: The model's own headers.
        kwargs: The call's arguments, among which may be more headers.

    Returns:
        A hash of all headers; None if there are none.
    """
    given = (defaults, *(value for name, value in kwargs.items() if is_header_argument(name)))
    headers: dict[str, Any] = {}
    for each in given:
        # What is not a mapping is refused when it is sent.
        pairs = each if _is_mapping(each) else {"": each}
        headers |= {str(name).lower(): value for name, value in pairs.items()} if each else {}
    if not headers:
        return None
    written = json.dumps(sorted(headers.items()), default=repr)
    return hashlib.sha256(written.encode()).hexdigest()


def check_api_key(key: SecretStr | None) -> SecretStr | None:
    """Strip a key and refuse one that no header can carry, without repeating it.

    Raises:
        ValueError: It is empty, or has white space or other than printable ASCII inside.
    """
    if key is None:
        return None
    value = key.get_secret_value().strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(
            "api_key is empty or has characters that an HTTP header cannot carry (white space "
            "inside, control or non-ASCII characters); copy it again from openrouter.ai/keys"
        )
    return SecretStr(value)


@lru_cache(maxsize=64)
def check_base_url(url: str) -> str:
    """Check that a base URL is one, and return it without the slash at its end.

    Raises:
        ValueError: It has no http(s) scheme or no host, or carries credentials or a query.
    """
    parts = urlsplit(url.strip())
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not carry credentials; pass api_key or default_headers")
    _ = parts.port  # raises ValueError itself when it is no number below 65536
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be an http(s) URL such as https://openrouter.ai/api/v1")
    labels = parts.hostname.removesuffix(".").split(".")
    if not all(0 < len(label) <= MAX_HOST_LABEL for label in labels):
        raise ValueError(
            "base_url: a part of its host name is empty, or longer than "
            f"{MAX_HOST_LABEL} characters"
        )
    if parts.query or parts.fragment:
        raise ValueError("base_url must not have a query or fragment")
    return url.strip().rstrip("/")


def check_client(value: Any, field: str) -> Any:
    """Check that one's own client is httpx's or httpx2's, and of the right kind.

    Raises:
        ValueError: It is something else.
    """
    if value is None:
        return None
    name = "Client" if field == "http_client" else "AsyncClient"
    loaded = (sys.modules.get(each) for each in ("httpx", "httpx2"))
    libraries = [library for library in loaded if library is not None]
    if not isinstance(value, tuple(getattr(library, name) for library in libraries)):
        module = type(value).__module__
        raise ValueError(  # noqa: TRY004 - pydantic reports only ValueError
            f"{field} must be an httpx.{name} or httpx2.{name}, not {module}.{type(value).__name__}"
        )
    return value


def check_stop(value: Any) -> list[str] | None:
    """Bring stop sequences into a list.

    Raises:
        OpenRouterInputError: One is not a string, or is empty and would stop everything.
    """
    if value is None:
        return None
    sequences: list[Any] | None = [value] if isinstance(value, str) else value
    if not isinstance(sequences, (list, tuple)) or not all(
        isinstance(sequence, str) and sequence for sequence in sequences
    ):
        raise OpenRouterInputError("stop takes non-empty strings.")
    return [str(sequence) for sequence in sequences]


def check_n(value: int | None) -> int | None:
    """Refuse more than one answer: OpenRouter ignores `n` and gives one.

    Raises:
        OpenRouterInputError: It is not 1.
    """
    if value not in (None, 1):
        raise OpenRouterInputError(
            f"n={value}: OpenRouter gives one answer a request; use batch() for more."
        )
    return value


def warn_withheld(model: str, names: Sequence[str]) -> None:
    """Name the parameters that are not sent because the model does not have them."""
    warn_caller(
        f"{model} does not support {', '.join(names)}; not sent. (extra_body sends anything.)"
    )


def _check_retries(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise OpenRouterInputError(f"max_retries={value!r} is not a number of attempts from 0.")
    return value


def _check_call_timeout(model: ChatOpenRouterO3, kwargs: Mapping[str, Any], value: Any) -> Any:
    try:
        return to_timeout(value if "timeout" in kwargs else model.timeout)
    except ValueError as error:
        raise OpenRouterInputError(str(error)) from None


def _check_call_limits(model: ChatOpenRouterO3, kwargs: Mapping[str, Any]) -> TimeLimits:
    try:
        idle, total = (
            check_limit(kwargs.get(name, getattr(model, name)), name)
            for name in ("idle_timeout", "total_timeout")
        )
    except ValueError as error:
        raise OpenRouterInputError(str(error)) from None
    return TimeLimits(idle, total)


def _build_headers(
    model: ChatOpenRouterO3, extra: Mapping[str, str] | None, own: object | None, *, stream: bool
) -> RequestHeaders:
    try:
        return _merge_headers(model, extra, own, stream=stream)
    except OpenRouterError as error:
        raise error.with_traceback(None)  # noqa: B904 - the same, without frames that hold secrets


def _merge_headers(
    model: ChatOpenRouterO3, extra: Any, own: object | None, *, stream: bool
) -> RequestHeaders:
    if extra and not _is_mapping(extra):
        raise OpenRouterInputError(
            "extra_headers is a dictionary of headers; those of a model that was written down are "
            "not written, bind them again."
        )
    callers: dict[str, Any] = {**(model.default_headers or {}), **(extra or {})}
    check_headers(callers, "extra_headers")
    if model.api_key is None and own is None and not _carries_credentials(callers):
        raise OpenRouterAuthenticationError(
            "No API key: set OPENROUTER_API_KEY or pass api_key=. Keys are made at "
            "https://openrouter.ai/keys."
        )
    key = model.api_key.get_secret_value() if model.api_key is not None else None
    return RequestHeaders(build_headers(key, attribution(model), callers, stream=stream))


def _carries_credentials(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "authorization" for name in headers)


def _reasoning_to_wire(value: Any) -> dict[str, Any]:
    return Reasoning.model_validate(value).to_wire()


def _effort_to_wire(value: Any) -> str:
    return str(Reasoning.model_validate({"effort": value}).effort)


def _provider_to_wire(value: Any) -> dict[str, Any]:
    return ProviderPreferences.model_validate(value).to_wire()


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "reasoning": _reasoning_to_wire,
    "reasoning_effort": _effort_to_wire,
    "provider": _provider_to_wire,
    "response_format": response_format_to_wire,
    "tools": tools_to_wire,
}
# What the constructor brought was warned of there.
_FIELD_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    **_CONVERSIONS,
    "response_format": partial(response_format_to_wire, is_told=False),
}
_MODEL_FIELDS = tuple(sorted(BODY_PARAMETERS - {"tools", "tool_choice"}))
