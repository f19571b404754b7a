"""Readers: a call gets one whole message, or chunks whose sum is that message.

Rules that langchain-core's merging forces on chunks: scalar metadata, usage and finished lists
come once, on the last chunk; `model_provider` on each; text and tool-call deltas in separate
chunks; the last chunk says that it is the last, and carries no tool-call chunk. A refusal rides on
the last chunk, too: core's protocol events keep only the last piece of a refusal block.

Chunks have no id of their own: LangChain gives them the id of its run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._wire.chunks import build_delta, build_last
from langchain_openrouter_o3._wire.finish_reasons import is_error
from langchain_openrouter_o3._wire.response_accumulator import MODEL_PROVIDER, ResponseAccumulator
from langchain_openrouter_o3._wire.usage import read_response_cache
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterStreamCutError
from langchain_openrouter_o3.errors.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.messages import AIMessage
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_core.outputs import ChatGenerationChunk

    from langchain_openrouter_o3._wire.message_accumulator import Delta


class ResponseReader:
    """What both readers share: feeding the answer, its end, and its failures."""

    def __init__(
        self,
        headers: Mapping[str, str],
        stop: Sequence[str] = (),
        conceal: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        """Start an answer.

        Args:
            headers: Response headers, lower-case names.
            stop: Sequences before which the text ends.
            conceal: Takes the caller's secrets out of what a gateway has added to the answer.
        """
        cache = read_response_cache(headers)
        self.answer = ResponseAccumulator(
            stop, headers.get("x-generation-id"), cache, headers, conceal
        )
        self._streamed = True  # until a whole body comes; a stream may bring nothing at all

    @property
    def closed(self) -> bool:
        """Whether a stop sequence was met in a stream, so that the rest is not wanted."""
        return self._streamed and self.answer.stop.matched is not None

    @property
    def is_whole(self) -> bool:
        """Whether the server has said that the answer is whole; `[DONE]` and usage may follow."""
        return self.answer.finish_reason is not None

    def truncated_error(self, reason: str) -> OpenRouterError:
        """Build the error of an answer that broke off."""
        return OpenRouterStreamCutError(
            f"The stream ended {reason}; what had come is in .partial, and nothing of it was "
            "executed. Ask again.",
            retryable=None if self.answer.has_content() else True,  # nothing came: ask again
        )

    def with_context(self, error: OpenRouterError) -> OpenRouterError:
        """Add the generation id and the partial message to an error, or what explains it better."""
        error = self.answer.explain(error)
        error.generation_id = error.generation_id or self.answer.generation_id
        self.answer.close()  # text held back for a stop sequence belongs to what had come
        if error.partial is None and self.answer.has_anything():
            error.partial = self.answer.message(complete=False)
            facts = redact(error.partial.response_metadata)  # a gateway's words beside the answer
            error.partial.response_metadata = facts
        return error

    def note_attempts(self, attempts: int, seconds_waited: float) -> None:
        """Remember how often the request was sent and how long was waited in between."""
        self.answer.repetitions = {"attempts": attempts, "seconds_waited": seconds_waited}

    def check_end(self, *, done: bool) -> None:
        """Refuse an answer that is not a finished one.

        Args:
            done: Whether `[DONE]` has come.

        Raises:
            OpenRouterStreamCutError: A stream ended without a finish reason.
            OpenRouterAPIError: See `ResponseAccumulator.check`.
        """
        is_finished = not self._streamed or self.closed or self.answer.is_finished(done=done)
        if not is_finished and not is_error(self.answer.finish_reason):
            raise self.truncated_error("before the model had finished (no finish reason)")
        self.answer.check()

    def note_framing(self, framing: str) -> bool:
        """Remember how the answer arrives and return whether it is a whole body."""
        self._streamed = framing == "events"
        return not self._streamed


class MessageReader(ResponseReader):
    """Gives the message once, at the end."""

    def feed(self, payload: dict[str, Any], framing: str) -> list[AIMessage]:
        """Take a whole body, or a chunk if the server streams all the same."""
        self.answer.feed(payload, whole=self.note_framing(framing))
        return []

    def finish(self, *, done: bool) -> list[AIMessage]:
        """Take the end of the answer, with or without `[DONE]`, and give the message.

        Raises:
            OpenRouterError: It was no answer; see `ResponseReader.check_end`.
        """
        self.answer.close()
        self.check_end(done=done)
        return [self.answer.message()]


class ChunkReader(ResponseReader):
    """Gives a chunk for each delta that adds something, and a last one."""

    def feed(self, payload: dict[str, Any], framing: str) -> list[ChatGenerationChunk]:
        """Take the next chunk of the stream, or a whole body if the server sends one."""
        return self._chunks(self.answer.feed(payload, whole=self.note_framing(framing)))

    def finish(self, *, done: bool) -> list[ChatGenerationChunk]:
        """Take the end of the answer, with or without `[DONE]`, and give the last chunks.

        Raises:
            OpenRouterError: It was no answer; see `ResponseReader.check_end`.
        """
        held_back = self.answer.close()  # first, because it is content
        self.check_end(done=done)
        chunks = self._chunks(held_back)
        usage, metadata = self.answer.summary()
        kwargs = self.answer.closing_kwargs()
        return [*chunks, build_last(kwargs, metadata, usage)]

    def _chunks(self, delta: Delta) -> list[ChatGenerationChunk]:
        text, reasoning, tool_call_chunks = delta
        chunks: list[ChatGenerationChunk] = []
        extra = {"reasoning_content": reasoning} if reasoning else {}
        if text or extra:
            chunks.append(_chunk(text, extra, []))
        if tool_call_chunks:
            chunks.append(_chunk("", {}, tool_call_chunks))
        return chunks


def _chunk(
    text: str, additional_kwargs: dict[str, Any], tool_call_chunks: list[ToolCallChunk]
) -> ChatGenerationChunk:
    metadata = {"model_provider": MODEL_PROVIDER}
    return build_delta(text, additional_kwargs, metadata, tool_call_chunks)
