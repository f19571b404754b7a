"""One answer: on a terminal, as an object, as JSON; and what it took."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration

from langchain_openrouter_o3._cli.connection import THINKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_core.outputs import LLMResult

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._terminal.terminal import Terminal

CUT = "The answer was cut by the token limit, which counts hidden reasoning: raise --max-tokens."
# OpenRouter's reason, and OpenAI's own.
_TOKEN_LIMIT = ("length", "max_output_tokens")


def show_answer(
    model: ChatOpenRouterO3,
    messages: Sequence[BaseMessage],
    meter: Meter,
    stdout: Terminal,
    stderr: Terminal,
) -> AIMessage:
    """Stream an answer.

    Args:
        model: Who answers.
        messages: The conversation.
        meter: Listens to the model.
        stdout: Where the answer goes, and nothing else.
        stderr: Where a person sees a sign of life and the reasoning.

    Returns:
        The whole message.

    Raises:
        OpenRouterError: The request failed; what had come is on stdout.
    """
    stream = cast("Generator[AIMessageChunk]", model.stream(list(messages)))
    stderr.wait(THINKING)
    with closing(stream):
        for chunk in stream:
            thought = chunk.additional_kwargs.get("reasoning_content")
            if thought and stderr.watched:
                stdout.settle()
                stderr.say(thought, "dim")
            if chunk.text:
                make_room(stderr)
                stdout.markdown(chunk.text)
    make_room(stderr)
    stdout.end_line()
    tell_of_end(meter.last, stderr)
    return meter.last


def tell_of_end(message: AIMessage, stderr: Terminal) -> None:
    """Remark why an answer is not what a reader expects: it was cut, or refused."""
    facts = message.response_metadata
    if any(facts.get(key) in _TOKEN_LIMIT for key in ("finish_reason", "native_finish_reason")):
        stderr.note(CUT)
    if refusal := message.additional_kwargs.get("refusal"):
        stderr.note(f"The model refused: {refusal}")


def make_room(stderr: Terminal) -> None:
    """Leave a line empty for the eye, but not in a file."""
    if stderr.watched:
        stderr.gap()


def show_object(
    model: ChatOpenRouterO3,
    messages: Sequence[BaseMessage],
    schema: dict[str, Any],
    stdout: Terminal,
    stderr: Terminal,
) -> None:
    """Extract an object, and write it as one JSON document.

    Args:
        model: Who answers.
        messages: What to extract from.
        schema: JSON schema of the object.
        stdout: Where the JSON goes, and nothing else.
        stderr: Where a person sees the object grow.

    Raises:
        OpenRouterError: The request failed or gave no such object; what had come stays.
    """
    reader = model.with_structured_output(schema)
    stream = cast("Generator[Any]", reader.stream(list(messages)))
    found: Any = None
    complete = False
    stderr.wait(THINKING)
    try:
        with closing(stream):
            for found in stream:
                stderr.grow(json.dumps(found, indent=2, ensure_ascii=False))
        complete = True
    finally:
        stderr.settle(keep=not complete)
    write_json(found, stdout)


def show_record(
    model: ChatOpenRouterO3,
    messages: Sequence[BaseMessage],
    schema: dict[str, Any] | None,
    meter: Meter,
    terminals: tuple[Terminal, Terminal],
) -> None:
    """Write everything about one answer as one JSON document.

    Args:
        model: Who answers.
        messages: The conversation.
        schema: JSON schema of the object to extract, if one is asked for.
        meter: Listens to the model.
        terminals: Where the JSON goes, and where a person sees a sign of life.

    Raises:
        OpenRouterError: The request failed or gave no such object.
    """
    stdout, stderr = terminals
    stderr.wait(THINKING)
    found: Any = None
    if schema is None:
        model.invoke(list(messages))
    else:
        found = model.with_structured_output(schema).invoke(list(messages))
    stderr.settle()
    message = meter.last
    facts = message.response_metadata
    record = {
        "id": facts.get("id"),
        "model": facts.get("model_name"),
        "text": message.text,
        "object": found,
        "finish_reason": facts.get("finish_reason"),
        "usage": message.usage_metadata,
        "cost": facts.get("cost"),
    }
    write_json(record, stdout)
    tell_of_end(message, stderr)


def write_json(value: Any, stdout: Terminal) -> None:
    """Write one JSON document, with escapes only where the encoding needs them."""
    stdout.line(json.dumps(value, indent=2, ensure_ascii=not stdout.is_unicode))


# --- What it took: tokens, seconds and money, as OpenRouter reports them ---

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
        """Start with nothing."""
        self._answers: list[AIMessage] = []
        self._times: list[float] = []

    @property
    def last(self) -> AIMessage:
        """The newest answer since the last reading."""
        return self._answers[-1]

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
            cost=_sum(_price(answer.response_metadata.get("cost")) for answer in self._answers),
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


def _price(value: Any) -> float | None:
    """Read a price; what is no number is unknown."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else None


def _sum(values: Iterable[_Number | None]) -> _Number | None:
    """Add up; a sum with an unknown part, or of nothing at all, is unknown."""
    total: _Number | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
