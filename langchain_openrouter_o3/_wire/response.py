"""The reader of a call that wants one whole message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._wire.answer import Answer
from langchain_openrouter_o3._wire.response_cache import read_response_cache
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterStreamCutError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.messages import AIMessage


class AnswerReader:
    """What both readers share: feeding the answer, its end, and its failures."""

    def __init__(self, headers: Mapping[str, str], stop: Sequence[str] = ()) -> None:
        """Start an answer.

        Args:
            headers: Response headers, lower-case names.
            stop: Sequences before which the text ends.
        """
        cache = read_response_cache(headers)
        self.answer = Answer(stop, headers.get("x-generation-id"), cache)
        self._streamed = False

    @property
    def closed(self) -> bool:
        """Whether a stop sequence was met in a stream, so that the rest is not wanted."""
        return self._streamed and self.answer.stop.matched is not None

    def cut(self, reason: str) -> OpenRouterError:
        """Build the error of an answer that broke off."""
        return OpenRouterStreamCutError(
            f"The stream ended {reason}; what had come is in .partial, and nothing of it was "
            "executed."
        )

    def explain(self, error: OpenRouterError) -> OpenRouterError:
        """Add the generation id and the partial message to an error."""
        error.generation_id = error.generation_id or self.answer.generation_id
        self.answer.close()  # text held back for a stop sequence belongs to what had come
        if error.partial is None and self.answer.has_content():
            error.partial = self.answer.message(complete=False)
        return error

    def check_end(self) -> None:
        """Refuse an answer that is not a finished one.

        Raises:
            OpenRouterStreamCutError: A stream ended without a finish reason.
            OpenRouterAPIError: See `Answer.check`.
        """
        self.answer.check()
        if self._streamed and self.answer.finish_reason is None and not self.closed:
            raise self.cut("before the model had finished (no finish reason)")

    def note_framing(self, framing: str) -> bool:
        """Remember how the answer arrives and return whether it is a whole body."""
        self._streamed = framing == "events"
        return not self._streamed


class MessageReader(AnswerReader):
    """Gives the message once, at the end."""

    def feed(self, payload: dict[str, Any], framing: str) -> list[AIMessage]:
        """Take a whole body, or a chunk if the server streams all the same."""
        self.answer.feed(payload, whole=self.note_framing(framing))
        return []

    def finish(self) -> list[AIMessage]:
        """Take the end of the answer and give the message.

        Raises:
            OpenRouterError: It was no answer; see `AnswerReader.check_end`.
        """
        self.answer.close()
        self.check_end()
        return [self.answer.message()]
