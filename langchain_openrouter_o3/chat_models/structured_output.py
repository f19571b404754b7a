"""Structured output: from the answer to an object.

Source: https://openrouter.ai/docs/features/structured-outputs
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from typing import Any, Literal, get_args

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableConfig
from typing_extensions import Self, override

from langchain_openrouter_o3._json import decode, is_object
from langchain_openrouter_o3._wire.finish_reasons import is_filtered, is_truncated, reasons_of
from langchain_openrouter_o3._wire.output_schema import OutputSchema, SchemaMismatchError
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY
from langchain_openrouter_o3.chat_models.partial_objects import OPENING_FENCE, PartialObjectStream
from langchain_openrouter_o3.errors import (
    OpenRouterInputError,
    OpenRouterOutputError,
    OpenRouterRefusalError,
    OpenRouterTruncatedError,
)

Method = Literal["json_schema", "function_calling", "json_mode"]

_MAX_QUOTE = 300


class StructuredOutputParser(BaseTransformOutputParser[Any]):
    """Turns an AI message into the wanted object, or says why that is impossible.

    Attributes:
        target: What to make.
        method: Where in the message it is.
        include_raw: Whether to return `raw`, `parsed` and `parsing_error` instead.
    """

    target: OutputSchema
    method: Method
    include_raw: bool = False

    @property
    @override
    def OutputType(self) -> Any:
        """The caller's class, or a dictionary with its JSON schema."""
        return dict[str, Any] if self.include_raw else self.target.output_type

    @override
    def parse(self, text: str) -> Any:
        """Parse bare text as the final answer."""
        return self.parse_message(AIMessage(content=text))

    @override
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Parse a model's result."""
        del partial
        generation = result[0]
        if not isinstance(generation, ChatGeneration):
            return self.parse(generation.text)
        message = generation.message
        if not self.include_raw:
            return self.parse_message(message)
        outcome: dict[str, Any] = {"raw": message, "parsed": None, "parsing_error": None}
        try:
            outcome["parsed"] = self.parse_message(message)
        except OpenRouterOutputError as error:
            outcome["parsing_error"] = error
        return outcome

    def parse_message(self, message: BaseMessage) -> Any:
        """Parse a whole message. Half an object is never repaired.

        Raises:
            OpenRouterRefusalError: The model refused, or a filter stopped it.
            OpenRouterTruncatedError: A token limit cut the answer.
            OpenRouterOutputError: The object is missing, doubled or invalid.
        """
        _refuse_unfinished(message)
        try:
            if self._is_by_call:
                return self.target.make_of_value(self._call_arguments(message))
            return self.target.make(_json_text(message))
        except SchemaMismatchError as mismatch:
            cause = mismatch.__cause__
            raise self._mismatch_error(message, cause) from cause

    @property
    def _is_by_call(self) -> bool:
        """Whether the object is the arguments of a tool call."""
        return self.method == "function_calling"

    def _mismatch_error(
        self, message: BaseMessage, cause: BaseException | None
    ) -> OpenRouterOutputError:
        name = self.target.name
        try:
            value = None if self._is_by_call else decode(_json_text(message))
        except (ValueError, RecursionError) as error:
            return _error(message, f"The answer is not JSON ({error}).")
        if not self._is_by_call and not is_object(value):
            return _error(message, f"The answer is no object, as {name} needs.")
        return _error(message, f"The answer does not fit {name}: {cause}")

    def _call_arguments(self, message: BaseMessage) -> Any:
        name = self.target.name
        if not isinstance(message, AIMessage):
            raise _error(message, f"A {type(message).__name__} makes no tool calls.")
        for call in message.invalid_tool_calls:
            if call["name"] == name:
                raw = message.additional_kwargs.get(ARGUMENTS_KEY)
                written = call["args"]  # in a stream made unparseable
                if is_object(raw) and call["id"] in raw:
                    written = raw[call["id"]]
                raise _error(message, f"The arguments of {name} are not valid: {written}")
        calls = [call for call in message.tool_calls if call["name"] == name]
        if len(calls) != 1:
            found = f"{len(calls)} calls of" if calls else "no call of"
            raise _error(message, f"The answer has {found} {name} where one was wanted.")
        return calls[0]["args"]

    def _partial_objects(self) -> PartialObjectStream:
        call = self.target.name if self._is_by_call else None
        return PartialObjectStream(
            self.target, self.parse_message, call=call, include_raw=self.include_raw
        )

    @override
    def transform(
        self,
        input: Iterator[str | BaseMessage],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Make objects of chunks; the chunks' iterator is closed when this one is."""
        chunks = _Closable(input)
        # Core's generator reads its input to the end for the trace, also when it is closed; that
        # would be waited for and paid. So it is neither delegated to nor dropped before the input.
        objects = super().transform(chunks, config, **kwargs)
        try:
            for item in objects:  # noqa: UP028
                yield item
        finally:
            chunks.close()

    @override
    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:
        stream = self._partial_objects()
        for chunk in input:
            yield from stream.feed(chunk)
        yield from stream.finish()

    @override
    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:
        stream = self._partial_objects()
        async for chunk in input:
            for item in stream.feed(chunk):
                yield item
        for item in stream.finish():
            yield item


class _Closable:
    """An iterator of chunks that is at its end when it has been closed."""

    def __init__(self, chunks: Iterable[Any]) -> None:
        self._chunks = iter(chunks)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return next(self._chunks)

    def close(self) -> None:
        chunks, self._chunks = self._chunks, iter(())
        if isinstance(chunks, Generator):
            chunks.close()


def build_parser(
    target: OutputSchema, method: Method, *, include_raw: bool
) -> StructuredOutputParser:
    """Build the parser of a structured answer.

    Raises:
        OpenRouterInputError: There is no such method.
    """
    if method not in get_args(Method):
        raise OpenRouterInputError(f"method={method!r} is none of {get_args(Method)}.")
    return StructuredOutputParser(target=target, method=method, include_raw=include_raw)


def _refuse_unfinished(message: BaseMessage) -> None:
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        raise OpenRouterRefusalError(
            f"The model refused: {refusal}", partial=_as_ai(message), **_ids(message)
        )
    reasons = reasons_of(message.response_metadata)
    if any(map(is_filtered, reasons)):
        raise OpenRouterRefusalError(
            "A content filter of the provider stopped the answer (finish reason: "
            "content_filter). Change the input; the same one would be stopped again.",
            partial=_as_ai(message),
            **_ids(message),
        )
    if is_truncated(*reasons):
        raise OpenRouterTruncatedError(
            f"The answer was cut by a token limit{_spent(message)}. Raise max_tokens or lower "
            "reasoning_effort.",
            partial=_as_ai(message),
            **_ids(message),
        )


def _spent(message: BaseMessage) -> str:
    usage: dict[str, Any] = getattr(message, "usage_metadata", None) or {}
    reasoning = usage.get("output_token_details", {}).get("reasoning")
    spent = f" after {usage['output_tokens']} tokens" if usage else ""
    return spent + (f", {reasoning} of them hidden reasoning" if reasoning else "")


def _json_text(message: BaseMessage) -> str:
    """Return the text that is to be JSON, without the Markdown fence around it."""
    text = _text(message)
    called = [call["name"] for call in getattr(message, "tool_calls", [])]
    if called and not text:
        raise _error(
            message,
            f"The model called {', '.join(called)} instead of answering; run the call from the "
            "message (include_raw=True) and ask again.",
        )
    return _without_fence(text)


def _without_fence(text: str) -> str:
    opening = OPENING_FENCE.match(text)
    if opening is None:
        return text
    inside = text[opening.end() :].rstrip()
    return inside.removesuffix(opening[1]) if inside.endswith(opening[1]) else text


def _text(message: BaseMessage) -> str:
    return message.content if isinstance(message.content, str) else str(message.text)


def _error(message: BaseMessage, text: str) -> OpenRouterOutputError:
    content = _text(message)
    if (stop := message.response_metadata.get("stop_sequence")) is not None:
        text = f"{text} The stop sequence {stop!r} cut the answer; use one that no JSON holds."
    if content:
        text = f"{text} Content: {_quote(content)}"
    error = OpenRouterOutputError(text, partial=_as_ai(message), **_ids(message))
    error.llm_output = content
    return error


def _as_ai(message: BaseMessage) -> AIMessage | None:
    return message if isinstance(message, AIMessage) else None


def _ids(message: BaseMessage) -> dict[str, Any]:
    return {
        "generation_id": message.response_metadata.get("id"),
        "provider_name": message.response_metadata.get("provider"),
    }


def _quote(text: str) -> str:
    return repr(text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]}…")
