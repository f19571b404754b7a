"""The smallest chat model there is: what langchain-core costs without any client.

It hands over results that were made before the clock started. They are what the client under
test gives for the same answer: same number of chunks, same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from benchmarks.answers import CALL_ID, PROMPT_TOKENS, TOOL, Answer, find_answer
from tests.helpers import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages import BaseMessage

_PROVIDER = {"model_provider": "openrouter"}


class CoreModel(BaseChatModel):
    """Returns what it was given by `refill`; makes it on the spot when there is nothing left."""

    answer: str
    streaming: bool = False

    _results: list[ChatResult] = PrivateAttr(default_factory=list)
    _streams: list[list[ChatGenerationChunk]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "core"

    def refill(self, count: int) -> None:
        """Make the results of this many calls beforehand."""
        answer = find_answer(self.answer)
        if answer.streamed:
            self._streams = [list(ready_chunks(answer)) for _ in range(count)]
        else:
            self._results = [ready_result(answer) for _ in range(count)]

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *_: Any, **__: Any
    ) -> ChatResult:
        del messages, stop
        return self._results.pop() if self._results else ready_result(find_answer(self.answer))

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        del messages, stop
        yield from self._streams.pop() if self._streams else ready_chunks(find_answer(self.answer))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


def ready_result(answer: Answer) -> ChatResult:
    """Make the result of a whole answer."""
    message = AIMessage(
        content=answer.text,
        id=wire.GENERATION,
        usage_metadata=_usage(answer),
        response_metadata={**_PROVIDER, "finish_reason": "stop", "model_name": wire.MODEL},
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def ready_chunks(answer: Answer) -> Iterator[ChatGenerationChunk]:
    """Make the chunks of a streamed answer."""
    for fields in _deltas(answer):
        yield _chunk(**fields)
    yield _chunk(
        usage_metadata=_usage(answer),
        response_metadata={**_PROVIDER, "finish_reason": "stop", "model_name": wire.MODEL},
        chunk_position="last",
    )


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    if answer.kind == "tools":
        yield {"tool_call_chunks": [_call(TOOL, "", CALL_ID)]}
        for piece in answer.pieces:
            yield {"tool_call_chunks": [_call(None, piece, None)]}
    elif answer.kind == "reasoning":
        for piece in answer.pieces:
            yield {"additional_kwargs": {"reasoning_content": piece}}
        yield {"content": answer.text}
    else:
        for piece in answer.pieces:
            # A copy, as each received text is one: memory is measured with these, too.
            yield {"content": f"{piece} "[:-1]}


def _call(name: str | None, arguments: str, identity: str | None) -> dict[str, Any]:
    return {"type": "tool_call_chunk", "name": name, "args": arguments, "id": identity, "index": 0}


def _chunk(content: str = "", **fields: Any) -> ChatGenerationChunk:
    fields.setdefault("response_metadata", dict(_PROVIDER))
    message = AIMessageChunk(content=content, id=wire.GENERATION, **fields)
    return ChatGenerationChunk(message=message)


def _usage(answer: Answer) -> Any:
    total = PROMPT_TOKENS + answer.completion_tokens
    return {
        "input_tokens": PROMPT_TOKENS,
        "output_tokens": answer.completion_tokens,
        "total_tokens": total,
    }
