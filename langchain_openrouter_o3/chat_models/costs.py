"""What answers cost, summed per model: a callback handler, and a context manager around it.

OpenRouter says with each answer what it charged. Only that is added up, nothing is estimated:
an answer that came without its price is counted as unpriced.

Source: https://openrouter.ai/docs/use-cases/usage-accounting
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeGuard
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from langchain_openrouter_o3._http.driver import RequestDeferred
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.usage import is_hit
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterTimeoutError


@dataclass(frozen=True)
class ModelCosts:
    """What the answers of one model cost.

    Attributes:
        cost: USD that OpenRouter charged.
        upstream_cost: USD that providers charged to your own keys (BYOK).
        usage: Tokens of all answers but the cached ones; None before the first.
        answers: Answers that came with a price, failed ones among them.
        cached_answers: Answers from LangChain's cache or OpenRouter's: free, and their tokens not
            counted.
        unpriced_answers: Answers that came without a price, such as one that broke off or was
            closed early; OpenRouter's activity page knows what they cost.
    """

    cost: float = 0.0
    upstream_cost: float = 0.0
    usage: UsageMetadata | None = None
    answers: int = 0
    cached_answers: int = 0
    unpriced_answers: int = 0

    def plus(self, message: AIMessage | None) -> ModelCosts:
        """Return the costs with one more answer; None is one of which nothing came."""
        facts: dict[str, Any] = message.response_metadata if message is not None else {}
        usage = message.usage_metadata if message is not None else None
        # langchain-core marks what comes from its cache so.
        if is_hit(facts) or (usage is not None and "total_cost" in usage):
            return replace(self, cached_answers=self.cached_answers + 1)
        counted = replace(self, usage=add_usage(self.usage, usage)) if usage else self
        cost = facts.get("cost")
        if not _is_price(cost):
            return replace(counted, unpriced_answers=self.unpriced_answers + 1)
        return replace(
            counted,
            cost=_sum((self.cost, cost)),
            upstream_cost=_sum((self.upstream_cost, _charged_upstream(facts))),
            answers=self.answers + 1,
        )


class CostTracker(BaseCallbackHandler):
    """Sums costs and tokens per model, over threads and tasks, streamed or not.

    Give it to any runnable as a callback, or use `track_costs`.

    Example:
        ```python
        costs = CostTracker()
        model.invoke("Hello", config={"callbacks": [costs]})
        print(costs.cost, costs.by_model["openai/o3-mini"].usage)
        ```
    """

    run_inline = True  # on the event loop itself: a few additions need no thread

    def __init__(self, outer: CostTracker | None = None) -> None:
        """Start at zero.

        Args:
            outer: A tracker that counts everything, too.
        """
        super().__init__()
        self._outer = outer
        self._lock = threading.Lock()
        self._costs: dict[str, ModelCosts] = {}
        self._asked: dict[UUID, str] = {}

    def __repr__(self) -> str:
        """Show the sums."""
        return f"CostTracker(cost={self.cost}, by_model={self.by_model})"

    @property
    def by_model(self) -> dict[str, ModelCosts]:
        """The costs by the name of the model that answered; a snapshot."""
        with self._lock:
            return dict(self._costs)

    @property
    def cost(self) -> float:
        """USD that OpenRouter charged for everything."""
        return _sum(costs.cost for costs in self.by_model.values())

    @property
    def unfinished(self) -> int:
        """Answers under way; a stream that was abandoned stays among them."""
        with self._lock:
            return len(self._asked)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note which model is asked; langchain-core calls this."""
        if self._outer is not None:
            self._outer.on_chat_model_start(
                serialized, messages, run_id=run_id, metadata=metadata, **kwargs
            )
        with self._lock:
            self._asked[run_id] = str((metadata or {}).get("ls_model_name"))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a complete answer; langchain-core calls this."""
        if self._outer is not None:
            self._outer.on_llm_end(response, run_id=run_id, **kwargs)
        self._count(run_id, _message_of(response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Count what had come of an answer that failed: it may be billed."""
        if self._outer is not None:
            self._outer.on_llm_error(error, run_id=run_id, **kwargs)
        if isinstance(error, OpenRouterError):
            came = error.partial
        else:  # the caller closed the stream, perhaps after its last chunk
            came = _message_of(kwargs.get("response"))
        if came is not None or _may_be_billed(error):
            self._count(run_id, came)
        else:
            with self._lock:
                self._asked.pop(run_id, None)

    def _count(self, run_id: UUID, message: AIMessage | None) -> None:
        with self._lock:
            asked = self._asked.pop(run_id, None)
            if asked is None:
                return  # counted before: this tracker hears of a run on two ways
            metadata = message.response_metadata if message is not None else {}
            name = str(metadata.get("model_name", asked))
            self._costs[name] = self._costs.get(name, ModelCosts()).plus(message)


TRACKER: ContextVar[CostTracker | None] = ContextVar("openrouter_costs", default=None)
register_configure_hook(TRACKER, inheritable=True)


@contextmanager
def track_costs() -> Generator[CostTracker]:
    """Sum what the answers cost that are asked for within the block.

    Tasks and LangChain's own threads (`batch`, parallel branches) are included. A plain thread
    does not inherit the context: give it the tracker as a callback. Blocks may be nested.

    Yields:
        The tracker, which can be read at any time.

    Example:
        ```python
        with track_costs() as costs:
            model.invoke("Hello")
        print(costs.cost)
        ```
    """
    tracker = CostTracker(outer=TRACKER.get())
    token = TRACKER.set(tracker)
    try:
        yield tracker
    finally:
        TRACKER.reset(token)


def _message_of(response: LLMResult | None) -> AIMessage | None:
    """Find the answer in a result; OpenRouter gives one a request."""
    for generation in (response.generations or [[]])[0] if response is not None else ():
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
            return generation.message
    return None


def _is_price(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _sum(prices: Iterable[float]) -> float:
    """Add up the decimal numbers that OpenRouter wrote: sums of money must not drift."""
    return float(sum((Decimal(str(price)) for price in prices), Decimal(0)))


def _charged_upstream(facts: dict[str, Any]) -> float:
    details = facts.get("cost_details")
    charged = details.get("upstream_inference_cost") if is_object(details) else None
    return charged if facts.get("is_byok") and _is_price(charged) else 0.0


def _may_be_billed(error: BaseException) -> bool:
    """Whether the provider may have worked for an answer of which nothing came."""
    if isinstance(error, OpenRouterTimeoutError):
        return error.status_code is None  # the client's own limit
    # Otherwise it was cancelled, or closed by the caller; a collected request was not sent.
    return not isinstance(error, (OpenRouterError, RequestDeferred))
