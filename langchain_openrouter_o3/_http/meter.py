"""What calls pay, told by the steps of their flow.

A meter in the context hears of every attempt, those of retries too, whatever runnable makes the
call, streamed or not. Threads and tasks that LangChain starts inherit it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextvars import ContextVar
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from langchain_openrouter_o3._http.steps import (
    Deliver,
    Pause,
    Reply,
    Request,
    Send,
    Sleep,
    Step,
    StepResult,
    TransportFailure,
)
from langchain_openrouter_o3.errors import OpenRouterError

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from langchain_openrouter_o3._http.retry import RetryPolicy

T = TypeVar("T")
_REFUSED, _FAILED = 400, 500


class Attempt(NamedTuple):
    """One request, as far as money is concerned.

    Attributes:
        cost: USD; None if the cost is unknown, and may not be 0.
        generation_id: OpenRouter's id, if it is known.
        usage: Tokens, if they are known.
    """

    cost: Decimal | None
    generation_id: str | None = None
    usage: UsageMetadata | None = None


class Meter(Protocol):
    """Hears of attempts."""

    def policy(self, policy: RetryPolicy) -> RetryPolicy:
        """Say how often and how long to try."""
        ...

    def admit(self, request: Request) -> float:
        """Allow a request (0), or say after how many seconds to ask again; may raise."""
        ...

    def enter(self, request: Request, attempt: Attempt) -> None:
        """Take note of an attempt that was admitted and has ended."""
        ...


METER: ContextVar[Meter | None] = ContextVar("openrouter_meter", default=None)


def metered(
    flow: Generator[Step[T], StepResult, None], meter: Meter
) -> Generator[Step[T], StepResult, None]:
    """Pass the steps of a flow on, and tell a meter what comes of them.

    Args:
        flow: Of one call.
        meter: Hears of each attempt once, however it ends.

    Yields:
        The steps of the flow, and waits before a request may be sent.

    Raises:
        OpenRouterError: As the flow; or the meter does not admit a request.
    """
    call = _Call(meter)
    result: StepResult = None
    try:
        while True:
            step = flow.send(result)
            if isinstance(step, Send):
                yield from _admitted(meter, step.request)
                call.begin(step.request)
            elif isinstance(step, Deliver):
                call.deliver(step.items)
            elif isinstance(step, Sleep):
                call.end(step.error)
            result = yield step
            if isinstance(step, Send):
                call.reply(result)
    except StopIteration:
        call.end()
    except OpenRouterError as error:
        call.end(error)
        raise
    finally:
        call.end()  # given up by the caller
        flow.close()


def _admitted(meter: Meter, request: Request) -> Generator[Step[Any], StepResult, None]:
    while (seconds := meter.admit(request)) > 0:
        yield Pause(seconds)


class _Call:
    """The attempts of one call."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._request: Request | None = None
        self._status: int | None = None
        self._unsent = False
        self._id: str | None = None
        self._facts: dict[str, Any] = {}
        self._usage: UsageMetadata | None = None

    def begin(self, request: Request) -> None:
        self._request = request
        self._status = self._id = self._usage = None
        self._unsent = False
        self._facts = {}

    def reply(self, result: StepResult) -> None:
        if isinstance(result, Reply):
            self._status = result.status
            self._id = result.headers.get("x-generation-id")
        self._unsent = isinstance(result, TransportFailure) and result.unsent

    def deliver(self, items: list[Any]) -> None:
        for item in items:
            self._read(getattr(item, "message", item))

    def end(self, error: OpenRouterError | None = None) -> None:
        request, self._request = self._request, None
        if request is None:
            return
        if error is not None and error.partial is not None:
            self._read(error.partial)
        generation_id = self._facts.get("id") or (error and error.generation_id) or self._id
        attempt = Attempt(self._cost(error), generation_id, self._usage)
        self._meter.enter(request, attempt)

    def _read(self, message: Any) -> None:
        if message.response_metadata.get("cost") is not None:
            self._facts = message.response_metadata
        if message.usage_metadata is not None:
            self._usage = message.usage_metadata

    def _cost(self, error: OpenRouterError | None) -> Decimal | None:
        cost = self._facts.get("cost")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool):
            return Decimal(str(cost))
        return Decimal(0) if self._is_refused(error) else None

    def _is_refused(self, error: OpenRouterError | None) -> bool:
        """Whether no provider can have worked for it; a gateway's page leaves that open."""
        if self._unsent or error is None or self._status is None:
            return self._unsent
        in_its_words = self._status < _FAILED or error.code is not None
        return self._status >= _REFUSED and in_its_words
