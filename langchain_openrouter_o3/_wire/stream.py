"""The reader of a call that wants chunks whose sum is the message.

Rules that langchain-core's merging forces on chunks: scalar metadata, usage and finished
lists once, on the last chunk; `model_provider` on each; text and tool-call deltas in separate
chunks; the last chunk says so and carries no tool-call chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_openrouter_o3._wire.answer import MODEL_PROVIDER, Delta
from langchain_openrouter_o3._wire.response import AnswerReader

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata


class ChunkReader(AnswerReader):
    """Gives a chunk for each delta that adds something, and a last one."""

    def feed(self, payload: dict[str, Any], framing: str) -> list[ChatGenerationChunk]:
        """Take the next chunk of the stream, or a whole body if the server sends one."""
        return self._chunks(self.answer.feed(payload, whole=self.note_framing(framing)))

    def finish(self) -> list[ChatGenerationChunk]:
        """Take the end of the answer and give the last chunks.

        Raises:
            OpenRouterError: It was no answer; see `AnswerReader.check_end`.
        """
        self.check_end()
        chunks = self._chunks(self.answer.close())
        usage, metadata = self.answer.summary()
        last = self._chunk(
            additional_kwargs=self.answer.closing_kwargs(),
            response_metadata=metadata,
            usage_metadata=usage,
            chunk_position="last",
        )
        return [*chunks, last]

    def _chunks(self, delta: Delta) -> list[ChatGenerationChunk]:
        chunks: list[ChatGenerationChunk] = []
        extra: dict[str, Any] = {}
        if delta.reasoning:
            extra["reasoning_content"] = delta.reasoning
        if delta.refusal:
            extra["refusal"] = delta.refusal
        if delta.text or extra:
            chunks.append(self._chunk(content=delta.text, additional_kwargs=extra))
        if delta.tool_call_chunks:
            chunks.append(self._chunk(tool_call_chunks=delta.tool_call_chunks))
        return chunks

    def _chunk(  # noqa: PLR0913 - the fields of the message
        self,
        *,
        content: str = "",
        additional_kwargs: dict[str, Any] | None = None,
        response_metadata: dict[str, Any] | None = None,
        tool_call_chunks: list[Any] | None = None,
        usage_metadata: UsageMetadata | None = None,
        chunk_position: Literal["last"] | None = None,
    ) -> ChatGenerationChunk:
        message = AIMessageChunk(
            content=content,
            additional_kwargs=additional_kwargs or {},
            response_metadata=response_metadata or {"model_provider": MODEL_PROVIDER},
            tool_call_chunks=tool_call_chunks or [],
            usage_metadata=usage_metadata,
            id=self.answer.generation_id,
            chunk_position=chunk_position,
        )
        return ChatGenerationChunk(message=message)
