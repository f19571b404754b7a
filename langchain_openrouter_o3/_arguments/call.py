"""One call: a request, and how long and how often it may be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from langchain_openrouter_o3._arguments.checks import check_retries, check_stop, warn_withheld
from langchain_openrouter_o3._arguments.headers import request_headers
from langchain_openrouter_o3._arguments.parameters import (
    CORE_ARGUMENTS,
    default_parameters,
    read_call,
)
from langchain_openrouter_o3._http.deadlines import TimeLimits
from langchain_openrouter_o3._http.exchange import Request, exchange
from langchain_openrouter_o3._http.gate import GATES, Gate
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.timeouts import check_limit, to_timeout
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._meter import METER, metered
from langchain_openrouter_o3._wire.request import (
    CALL_OPTIONS,
    build_body,
    encode_body,
    merge_parameters,
)
from langchain_openrouter_o3.errors import OpenRouterInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_openrouter_o3._arguments.fields import ModelFields
    from langchain_openrouter_o3._http.exchange import Reader, Sources, Step, StepResult
    from langchain_openrouter_o3._http.performer import AsyncPerformer, SyncPerformer
    from langchain_openrouter_o3._http.pool_reference import PoolReference

T = TypeVar("T")


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
        flow = exchange(
            self.request,
            self.policy if meter is None else meter.policy(self.policy),
            lambda reply: kind(reply.headers, self.stop),
            sources,
            self.limits,
            gate=self.gate,
        )
        return flow if meter is None else metered(flow, meter)

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
    for name in CORE_ARGUMENTS:
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
    retries = check_retries(options["max_retries"])
    headers = request_headers(model, options["default_headers"], own, stream=stream)
    slug = str(parameters["model"])
    return Call(
        request=Request(
            url=f"{model.base_url}/chat/completions",
            headers=headers,
            body=encode_body(body),
            model=slug,
        ),
        policy=RetryPolicy(max_retries=model.max_retries if retries is None else retries),
        stop=tuple(check_stop(options["stop"]) or model.stop or ()),
        timeout=_check_call_timeout(model, kwargs, options["timeout"]),
        limits=_check_call_limits(model, kwargs),
        base_url=model.base_url,
        gate=GATES.of(model.base_url, headers.get("authorization"), slug)
        if model.rate_gate
        else None,
    )


def _check_call_timeout(model: ModelFields, kwargs: Mapping[str, Any], value: Any) -> Any:
    try:
        return to_timeout(value if "timeout" in kwargs else model.timeout)
    except ValueError as error:
        raise OpenRouterInputError(str(error)) from None


def _check_call_limits(model: ModelFields, kwargs: Mapping[str, Any]) -> TimeLimits:
    try:
        idle, total = (
            check_limit(kwargs.get(name, getattr(model, name)), name)
            for name in ("idle_timeout", "total_timeout")
        )
    except ValueError as error:
        raise OpenRouterInputError(str(error)) from None
    return TimeLimits(idle, total)
