"""What an answer took: tokens, seconds and money, as OpenRouter reports them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

_Number = TypeVar("_Number", int, float)

_HEAD = ["", "input", "cached", "output", "reasoning", "seconds", "USD"]
_UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class Usage:
    """What one step took. None is what was not reported: nothing is estimated.

    Attributes:
        name: Of the step.
        input: Tokens of the prompts.
        cached: How many of these came from the cache.
        output: Tokens of the answers.
        reasoning: How many of these were hidden reasoning.
        seconds: From the first request to the end of the last answer.
        cost: USD, as OpenRouter charged it.
    """

    name: str
    input: int | None
    cached: int | None
    output: int | None
    reasoning: int | None
    seconds: float | None
    cost: float | None

    def cells(self) -> list[str]:
        """Return a row of the table."""
        counts = (self.input, self.cached, self.output, self.reasoning)
        tokens = [_UNKNOWN if count is None else str(count) for count in counts]
        seconds = _UNKNOWN if self.seconds is None else f"{self.seconds:.2f}"
        cost = _UNKNOWN if self.cost is None else f"{self.cost:.6f}"
        return [self.name, *tokens, seconds, cost]


class Meter(BaseCallbackHandler):
    """Listens to a model and adds up what its answers take."""

    def __init__(self) -> None:
        self._answers: list[AIMessage] = []
        self._times: list[float] = []

    def read(self, name: str) -> Usage:
        """Return what all took since the last reading."""
        usages: list[Any] = [answer.usage_metadata or {} for answer in self._answers]
        incoming = [usage.get("input_token_details", {}) for usage in usages]
        outgoing = [usage.get("output_token_details", {}) for usage in usages]
        usage = Usage(
            name=name,
            input=_sum(usage.get("input_tokens") for usage in usages),
            cached=_sum(details.get("cache_read") for details in incoming),
            output=_sum(usage.get("output_tokens") for usage in usages),
            reasoning=_sum(details.get("reasoning") for details in outgoing),
            seconds=self._times[-1] - self._times[0] if self._answers else None,
            cost=_sum(answer.response_metadata.get("cost") for answer in self._answers),
        )
        self._answers.clear()
        self._times.clear()
        return usage

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], **kwargs: Any
    ) -> None:
        """Take note of a request."""
        del serialized, messages, kwargs
        self._times.append(time.monotonic())

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Take note of an answer, streamed or not."""
        del kwargs
        self._times.append(time.monotonic())
        for generation in response.generations[0]:
            if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                self._answers.append(generation.message)


def table_rows(usages: Sequence[Usage]) -> list[list[str]]:
    """Return the cells of a table, with a total if there is more than one step."""
    rows = [_HEAD, *(usage.cells() for usage in usages)]
    return rows if len(usages) == 1 else [*rows, _total(usages).cells()]


def _total(usages: Sequence[Usage]) -> Usage:
    return Usage(
        name="total",
        input=_sum(usage.input for usage in usages),
        cached=_sum(usage.cached for usage in usages),
        output=_sum(usage.output for usage in usages),
        reasoning=_sum(usage.reasoning for usage in usages),
        seconds=_sum(usage.seconds for usage in usages),
        cost=_sum(usage.cost for usage in usages),
    )


def _sum(values: Iterable[_Number | None]) -> _Number | None:
    """Add up; a sum with an unknown part, or of nothing at all, is unknown."""
    total: _Number | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
