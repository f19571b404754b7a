"""One call: a request, and how long and how often it may be tried."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from langchain_openrouter_o3._arguments.checks import (
    COMPLETIONS_PATH,
    check_parameters,
    check_retries,
    check_stop,
    warn_of_hours,
    warn_withheld,
)
from langchain_openrouter_o3._arguments.foreign_names import check_body_keys
from langchain_openrouter_o3._arguments.headers import request_headers
from langchain_openrouter_o3._arguments.parameters import (
    arguments_of,
    default_parameters,
    merge_parameters,
    read_call,
    under_keys,
    withheld_from,
)
from langchain_openrouter_o3._http.driver import TRANSPORT_OVERRIDE
from langchain_openrouter_o3._http.exchange import exchange
from langchain_openrouter_o3._http.gate import GATES, Gate
from langchain_openrouter_o3._http.meter import METER, metered
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import Request
from langchain_openrouter_o3._http.time_limits import (
    TimeLimits,
    check_limit,
    clients_timeout,
    default_timeout,
    to_timeout,
)
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.request import build_body, encode_body
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import model_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_openrouter_o3._arguments.fields import ModelFields
    from langchain_openrouter_o3._http.driver import AsyncPerformer, Performer
    from langchain_openrouter_o3._http.exchange import Reader, Sources
    from langchain_openrouter_o3._http.pool_reference import PoolReference
    from langchain_openrouter_o3._http.steps import Step, StepResult

T = TypeVar("T")

_ROUTING = ("models", "provider", "service_tier")
"""Keys of the body by which a call meets other limits than the model's."""


class Call(NamedTuple):
    """One call, ready to be sent."""

    request: Request
    policy: RetryPolicy
    stop: tuple[str, ...]
    timeout: Any
    limits: TimeLimits
    base_url: str
    gate: Gate | None = None

    def flow(
        self, kind: Callable[..., Reader[T]], sources: Sources
    ) -> Generator[Step[T], StepResult, None]:
        """Return the flow of this call; `kind` makes the reader of each attempt's answer."""
        meter = METER.get()
        policy, gate = self.policy, self.gate
        if TRANSPORT_OVERRIDE.get() is not None:  # one answer for each request, and nobody to spare
            policy, gate = RetryPolicy(0), None
        flow = exchange(
            self.request,
            policy if meter is None else meter.policy(policy),
            lambda reply: kind(reply.headers, self.stop, self.request.headers.conceal),
            sources,
            self.limits,
            gate=gate,
        )
        return flow if meter is None else metered(flow, meter)

    def performer(self, own: Any, pools: PoolReference) -> Performer:
        """Return what performs this call with blocking I/O.

        Args:
            own: The caller's own client, if there is one.
            pools: Of the model.
        """
        if (substitute := TRANSPORT_OVERRIDE.get()) is not None:
            return substitute.performer(self.request)
        from langchain_openrouter_o3._http import pool_manager  # noqa: PLC0415 - imports httpx

        phases = self.timeout.as_dict()
        return pool_manager.POOLS.performer(self.base_url, pools, own, phases)

    async def async_performer(self, own: Any, pools: PoolReference) -> AsyncPerformer:
        """Return what performs this call on the running event loop; see `performer`."""
        if (substitute := TRANSPORT_OVERRIDE.get()) is not None:
            return substitute.async_performer(self.request)
        from langchain_openrouter_o3._http import pool_manager  # noqa: PLC0415 - imports httpx

        phases = self.timeout.as_dict()
        return await pool_manager.POOLS.async_performer(self.base_url, pools, own, phases)


def build_call(  # noqa: PLR0913 - a hook's arguments and where they come from
    model: ModelFields,
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
    body, slug = _build_body(model, messages, arguments, stream=stream)
    headers = request_headers(model, arguments, own, stream=stream)
    base_url = model.base_url
    retries = arguments.get("max_retries")
    request = Request(f"{base_url}{COMPLETIONS_PATH}", headers, encode_body(body), slug)
    return Call(
        request=request,
        policy=RetryPolicy(check_retries(model.max_retries if retries is None else retries)),
        stop=tuple(check_stop(arguments.get("stop")) or check_stop(model.stop) or ()),
        timeout=_timeout(model, kwargs, own),
        limits=_check_limits(model, kwargs),
        base_url=base_url,
        gate=_gate(model, base_url, request, body),
    )


def _build_body(
    model: ModelFields,
    messages: Sequence[BaseMessage],
    arguments: Mapping[str, Any],
    *,
    stream: bool,
) -> tuple[dict[str, Any], str]:
    """Make the body of a call, and the slug that it asks for."""
    call = arguments_of("body", arguments)
    parameters = merge_parameters(default_parameters(model), call)
    slug = str(parameters["model"])
    facts = model_facts(slug)
    withheld = withheld_from(parameters, known=facts is not None)
    sent = {name: value for name, value in parameters.items() if name not in withheld}
    keys = under_keys(sent)
    check_parameters(keys, facts)
    image_inputs = facts is None or facts.image_inputs
    body = build_body(keys, messages, image_inputs=image_inputs, stream=stream)
    body |= _extra_body(model, arguments)
    # What the constructor brought was named there, unless the call has changed the model.
    asked = [name for name in withheld if slug != model.model or call.get(name) is not None]
    if asked:
        warn_withheld(slug, asked)
    return body, slug


def _extra_body(model: ModelFields, arguments: Mapping[str, Any]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for extra in (model.extra_body or {}, arguments.get("extra_body") or {}):
        if not is_object(extra):
            raise OpenRouterInputError("extra_body is a dictionary of keys of the body.")
        joined |= extra
    check_body_keys(joined)
    return joined


def _gate(
    model: ModelFields, base_url: str, request: Request, body: Mapping[str, Any]
) -> Gate | None:
    """Return the gate of all calls that go where this one goes.

    A call's own headers tell nothing: one with an id in them would have a gate of its own.
    """
    if not model.rate_gate:
        return None
    who = request.headers.get("authorization")
    where = [body[name] for name in _ROUTING if name in body]
    if where or model.default_headers:
        headers = model.default_headers or {}
        who = repr((who, where, sorted((name.lower(), headers[name]) for name in headers)))
    return GATES.of(base_url, who, request.model)


def _timeout(model: ModelFields, kwargs: Mapping[str, Any], own: object | None) -> Any:
    """Make the time-out: the call's, the model's if it names one, that of the caller's client."""
    default = default_timeout()
    is_named = model.timeout is not default and (
        "timeout" in model.model_fields_set or model.timeout != default
    )
    if not is_named and "timeout" not in kwargs and (found := clients_timeout(own)) is not None:
        kwargs = {"timeout": found}
    return _checked(model, kwargs, "timeout", to_timeout)


def _checked(
    model: ModelFields, kwargs: Mapping[str, Any], name: str, check: Callable[[Any], T]
) -> T:
    """Check a time limit of a call or, if it brings none, of the model."""
    try:
        value = check(kwargs[name] if name in kwargs else getattr(model, name))
    except ValueError as error:
        raise OpenRouterInputError(str(error)) from None
    if name in kwargs:
        warn_of_hours(name, value)  # what the constructor brought was warned of there
    return value


def _check_limits(model: ModelFields, kwargs: Mapping[str, Any]) -> TimeLimits:
    names = ("idle_timeout", "total_timeout")
    idle, total = (_checked(model, kwargs, name, partial(check_limit, name=name)) for name in names)
    return TimeLimits(idle, total)
