"""The message of an answer: its deltas, or the whole of it, brought into LangChain's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import AIMessage

from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3._wire.merging import join_values, keep_apart
from langchain_openrouter_o3._wire.reasoning import ReasoningDetails, ReasoningText
from langchain_openrouter_o3._wire.text import StopScanner, TextPieces, printable_data
from langchain_openrouter_o3._wire.tool_calls import (
    ARGUMENTS_KEY,
    CUSTOM_KEY,
    LEGACY_INDEX,
    ToolCalls,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_openrouter_o3._wire.parsing import LenientParser

_MESSAGE = frozenset(
    {
        "annotations",
        "content",
        "error",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "refusal",
        "role",
        "tool_calls",
    }
)
# Names that mean something to LangChain; a server's unknown field must not take their place.
_RESERVED = frozenset(
    {
        "model_provider",
        "output_version",
        "finish_reason",
        "response_cache",
        "stop_sequence",
        "attempts",
        "seconds_waited",
        ARGUMENTS_KEY,
        CUSTOM_KEY,
    }
)
_METADATA_NAMES = {"model": "model_name", **{key: f"openrouter_{key}" for key in _RESERVED}}


def metadata_name(key: str) -> str:
    """Return the name under which LangChain's metadata keep a field."""
    return _METADATA_NAMES.get(key, key)


class Delta(NamedTuple):
    """What one payload added."""

    text: str
    reasoning: str
    tool_call_chunks: list[ToolCallChunk]


class MessageAccumulator:
    """The message so far: text, reasoning, refusal, tool calls, annotations, unknown fields.

    Attributes:
        text: Up to the caller's first stop sequence.
        reasoning: The readable reasoning.
    """

    def __init__(
        self,
        parser: LenientParser,
        stop: StopScanner,
        conceal: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        """Start before the first delta.

        Args:
            parser: Keeps what cannot be read.
            stop: The scanner for the caller's stop sequences.
            conceal: Takes the caller's secrets out of unknown fields.
        """
        self._conceal = conceal
        self.text = TextPieces(stop)
        self.reasoning = TextPieces()
        self._parser = parser
        self._stop = stop
        self._refusal = TextPieces()
        self._details = ReasoningDetails(parser)
        self._thoughts = ReasoningText()
        self._calls = ToolCalls(parser)
        self._annotations: list[Any] = []
        self._extras: dict[str, list[Any]] = {}  # fields that OpenRouter does not document

    def feed(self, delta: dict[str, Any], *, whole: bool) -> Delta:
        """Take a delta, or a whole message.

        Args:
            delta: The JSON object.
            whole: Whether its lists and calls are whole.
        """
        take = delta.get
        content = take("content")
        text = content if isinstance(content, str) else self._parser.text(content, "content")
        text = self.text.feed(text)
        reasoning = self._absorb_reasoning(delta, whole=whole)
        chunks: list[ToolCallChunk] = []
        # What the model wrote after a stop sequence is not part of the answer.
        if self._stop.matched is None:
            chunks = self._absorb_calls(delta, whole=whole)
        if (annotations := take("annotations")) is not None:
            self._annotations += self._parser.items(annotations, "annotations")
        if (said := take("refusal")) is not None:
            self._refusal.feed(self._parser.text(said, "refusal"))
        if not delta.keys() <= _MESSAGE:
            for key, value in delta.items():
                if key not in _MESSAGE and value is not None:
                    self._extras.setdefault(metadata_name(key), []).append(value)
        return Delta(text, reasoning, chunks)

    def feed_closing_message(self, delta: Any, message: Any) -> Delta:
        """Take the whole message that ends some streams: what of it the deltas did not bring.

        Args:
            delta: What stands beside it.
            message: The whole message.
        """
        first = self.feed(self._parser.mapping(delta, "delta"), whole=False)
        rest = dict(self._parser.mapping(message, "message"))
        came = f"{self.text}{self._stop.held}"
        text = self._parser.text(rest.get("content"), "content")
        rest["content"] = text.removeprefix(came) if text.startswith(came) else None
        if text and rest["content"] is None:
            self._parser.keep("message", message)
        known = {
            "tool_calls": self._calls,
            "function_call": self._calls,
            "reasoning": self.reasoning,
            "reasoning_content": self.reasoning,
            "reasoning_details": self._details.entries,
            "annotations": self._annotations,
            "refusal": self._refusal,
            **self._extras,
        }
        missing = rest.get("tool_calls") if self._calls.lack_arguments else None
        chunks = self._calls.feed(missing)
        rest = {key: value for key, value in rest.items() if not known.get(key)}
        last = self.feed(rest, whole=True)
        return Delta(
            first.text + last.text,
            first.reasoning + last.reasoning,
            [*first.tool_call_chunks, *chunks, *last.tool_call_chunks],
        )

    def close(self, generation_id: str, *, truncated: bool) -> Delta:
        """Take the end of the message and return what had been held back.

        Args:
            generation_id: Of which ids for calls without one are made.
            truncated: Whether the last call may have been cut.
        """
        chunks = self._calls.close(generation_id, truncated=truncated)
        self._refusal.close()
        return Delta(self.text.close(), self.reasoning.close(), chunks)

    def distrust_calls(self) -> None:
        """Let no call be executable: they may be of several answers."""
        self._calls.distrust()

    def build(
        self, metadata: dict[str, Any], usage: UsageMetadata | None, *, truncated: bool
    ) -> AIMessage:
        """Build LangChain's message.

        Args:
            metadata: The `response_metadata`.
            usage: The token counts.
            truncated: Whether the last call may have been cut.
        """
        tool_calls, invalid_tool_calls = self._calls.parsed(truncated=truncated)
        additional = self.closing_kwargs()
        if self.reasoning:
            additional["reasoning_content"] = str(self.reasoning)
        return AIMessage(
            content=str(self.text),
            tool_calls=tool_calls,
            invalid_tool_calls=invalid_tool_calls,
            additional_kwargs=additional,
            response_metadata=metadata,
            usage_metadata=usage,
        )

    def closing_kwargs(self) -> dict[str, Any]:
        """Return the `additional_kwargs` that are known only at the end.

        In a stream they ride on the last chunk alone: langchain-core merges lists by `index`
        and would fuse a summary with the ciphertext beside it.
        """
        kwargs = {
            key: self._conceal(join_values(values, key)) for key, values in self._extras.items()
        }
        if self._refusal:
            kwargs["refusal"] = str(self._refusal)
        if self._details.present:
            kwargs["reasoning_details"] = self._details.entries
        if self._annotations:
            kwargs["annotations"] = self._annotations
        if raw := self._calls.raw_arguments():
            kwargs[ARGUMENTS_KEY] = raw
        if custom := self._calls.custom_ids():
            kwargs[CUSTOM_KEY] = custom
        return {key: keep_apart(value) for key, value in printable_data(kwargs).items()}

    def has_content(self) -> bool:
        """Whether anything has come that a message can hold."""
        return bool(
            self.text
            or self._refusal
            or self.reasoning
            or self._calls
            or self._details.entries
            or self._annotations
            or any(map(any, self._extras.values()))
        )

    def _absorb_reasoning(self, delta: dict[str, Any], *, whole: bool) -> str:
        """Take the reasoning, which comes twice; gpt-5.2 with web search sends only the details."""
        details = delta.get("reasoning_details")
        # Before OpenRouter's name, some servers use DeepSeek's.
        plain = self._parser.text(delta.get("reasoning"), "reasoning") or self._parser.text(
            delta.get("reasoning_content"), "reasoning_content"
        )
        if details is None and not plain:
            return ""
        readable, new = self._details.feed(details, whole=whole)
        if plain == readable:
            plain = new
        text = (plain or new) if whole else self._thoughts.feed(plain, new)
        return self.reasoning.feed(text)

    def _absorb_calls(self, delta: dict[str, Any], *, whole: bool) -> list[ToolCallChunk]:
        calls, legacy = delta.get("tool_calls"), delta.get("function_call")
        chunks: list[ToolCallChunk] = []
        if calls is not None:
            chunks = self._calls.feed(calls, whole=whole)
        if is_object(legacy) and legacy and not self._calls.has_modern:
            item = {"index": LEGACY_INDEX, "function": legacy}
            chunks += self._calls.feed([item], whole=whole)
        elif legacy is not None:  # it cannot be read, or says a call again for older clients
            self._parser.keep("function_call", legacy)
            if is_object(legacy) and legacy.get("arguments") not in (None, "", "{}"):
                self._calls.note_unplaced()
        return chunks
