"""The reader of a call that wants chunks whose sum is the message.

Rules that langchain-core's merging forces on chunks: scalar metadata, usage and finished
lists once, on the last chunk; `model_provider` on each; text and tool-call deltas in separate
chunks; the last chunk says so and carries no tool-call chunk. A refusal rides on the last chunk,
too: core's protocol events keep only the last piece of a refusal block.

Chunks have no id of their own: LangChain gives them the id of its run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._wire.answer import MODEL_PROVIDER
from langchain_openrouter_o3._wire.chunks import build_delta, build_last
from langchain_openrouter_o3._wire.response import AnswerReader

if TYPE_CHECKING:
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_core.outputs import ChatGenerationChunk

    from langchain_openrouter_o3._wire.answer import Delta


class ChunkReader(AnswerReader):
    """Gives a chunk for each delta that adds something, and a last one."""

    def feed(self, payload: dict[str, Any], framing: str) -> list[ChatGenerationChunk]:
        """Take the next chunk of the stream, or a whole body if the server sends one."""
        return self._chunks(self.answer.feed(payload, whole=self.note_framing(framing)))

    def finish(self, *, done: bool) -> list[ChatGenerationChunk]:
        """Take the end of the answer, with or without `[DONE]`, and give the last chunks.

        Raises:
            OpenRouterError: It was no answer; see `AnswerReader.check_end`.
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
