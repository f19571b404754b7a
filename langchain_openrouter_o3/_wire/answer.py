"""One answer, however it arrives: a whole body is read as a stream of one chunk.

`Answer` accumulates; `response.py` and `stream.py` present it as a message or as chunks. That
both modes give the same message follows from there being only this one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import AIMessage

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.error_payloads import error_from_payload
from langchain_openrouter_o3._wire.merging import keep_apart
from langchain_openrouter_o3._wire.reasoning import ReasoningDetails
from langchain_openrouter_o3._wire.stop import StopScanner
from langchain_openrouter_o3._wire.tool_calls import ARGUMENTS_KEY, CUSTOM_KEY, ToolCalls
from langchain_openrouter_o3._wire.usage import usage_from_wire
from langchain_openrouter_o3._wire.values import parse_list, parse_mapping, parse_text
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

MODEL_PROVIDER = "openrouter"

_ENVELOPE = frozenset({"object", "choices", "usage", "error", "user_id"})
_CHOICE = frozenset(
    {"index", "delta", "message", "finish_reason", "native_finish_reason", "logprobs", "error"}
)
_MESSAGE = frozenset(
    {
        "annotations",
        "content",
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
        "stop_sequence",
        ARGUMENTS_KEY,
        CUSTOM_KEY,
    }
)
_METADATA_NAMES = {"model": "model_name", **{key: f"openrouter_{key}" for key in _RESERVED}}

# A tool call cut by max_tokens says finish_reason "tool_calls"; only the native one tells.
_TRUNCATED = frozenset({"length", "max_output_tokens", "max_tokens", "MAX_TOKENS"})
_FAILED = ("error", "fail", "malformed")


class Delta(NamedTuple):
    """What one payload added."""

    text: str
    reasoning: str
    tool_call_chunks: list[ToolCallChunk]


class Answer:
    """Everything known of one answer so far.

    Attributes:
        generation_id: OpenRouter's `gen-…` id, from the body or the `x-generation-id` header.
        finish_reason: Why the model stopped, once it said so.
        stop: The scanner for the caller's stop sequences.
    """

    def __init__(
        self,
        stop: Sequence[str] = (),
        generation_id: str | None = None,
        response_cache: dict[str, Any] | None = None,
    ) -> None:
        """Start before the first payload.

        Args:
            stop: Sequences before which the text ends.
            generation_id: The id from the response header, if it was there.
            response_cache: What the headers tell of OpenRouter's cache of answers.
        """
        self.stop = StopScanner(stop)
        self.finish_reason: str | None = None
        self.native_finish_reason: str | None = None
        self._identity = generation_id
        self._response_cache = response_cache or None
        self._identified = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._details = ReasoningDetails()
        self._calls = ToolCalls()
        self._annotations: list[Any] = []
        self._logprobs: Any = None
        self._usage: UsageMetadata | None = None
        self._accounts: dict[str, Any] = {}
        self._envelope: dict[str, Any] = {}  # the top-level keys of all payloads, the last wins
        self._of_choice: dict[str, Any] = {}  # unknown keys of the choice
        self._extras: dict[str, Any] = {}

    @property
    def generation_id(self) -> str | None:
        """OpenRouter's id of this answer."""
        return self._identity

    @property
    def cut_short(self) -> bool:
        """Whether the answer may have ended in the middle of a tool call."""
        native = self.native_finish_reason
        return (
            is_truncated(self.finish_reason, native)
            or self.finish_reason == "content_filter"
            or self.stop.matched is not None
            or _is_failure(native)
        )

    def feed(self, payload: dict[str, Any], *, whole: bool) -> Delta:
        """Take a whole body or the next chunk of a stream.

        Args:
            payload: The JSON object.
            whole: Whether it is a whole body, which must hold a choice.

        Raises:
            OpenRouterError: It reports an error, at the top or in a choice.
            OpenRouterMalformedResponseError: It is not what OpenRouter sends.
        """
        error = _find_error(payload)
        if error is None:
            return self._absorb(payload, whole=whole)
        try:
            self._absorb(payload, whole=False)  # for the partial message of the error
        except OpenRouterMalformedResponseError as malformed:
            raise error from malformed
        raise error

    def close(self) -> Delta:
        """Take the end of the answer and return what had been held back."""
        chunks = self._calls.close(self.generation_id or "", truncated=self.cut_short)
        if held := self.stop.flush():
            self._text.append(held)
        return Delta(held, "", chunks)

    def check(self) -> None:
        """Refuse an answer that only looks like one.

        Raises:
            OpenRouterAPIError: The provider failed and nobody said so in an error object.
            OpenRouterEmptyResponseError: A success without content that was not even billed.
        """
        native = self.native_finish_reason
        if self.finish_reason == "error":
            raise OpenRouterAPIError(
                f"The answer of {self._who()} failed (native finish reason: {native}). Try again, "
                "or name fallback models with models=."
            )
        if self.has_content() or self.stop.matched is not None:
            return
        failed = _is_failure(native)
        unbilled = self._usage is not None and self._usage["output_tokens"] == 0
        if self._response_cache and self._response_cache.get("status") == "hit":
            unbilled = False  # an answer from the cache was billed before
        if failed or unbilled:
            raise OpenRouterEmptyResponseError(
                f"The answer of {self._who()} is empty: no text, tool call, refusal or reasoning "
                f"came (finish reason: {self.finish_reason}, native: {native}). Try again, or "
                "name fallback models with models=."
            )

    def message(self, *, complete: bool = True) -> AIMessage:
        """Build the message.

        Args:
            complete: False for the partial message of an answer that broke off, whose last
                tool call is then not trusted.
        """
        truncated = self.cut_short or not complete
        tool_calls, invalid_tool_calls = self._calls.parsed(truncated=truncated)
        usage, metadata = self.summary()
        additional = self.closing_kwargs()
        if self._reasoning:
            additional["reasoning_content"] = "".join(self._reasoning)
        return AIMessage(
            content="".join(self._text),
            tool_calls=tool_calls,
            invalid_tool_calls=invalid_tool_calls,
            additional_kwargs=additional,
            response_metadata=metadata,
            usage_metadata=usage,
        )

    def summary(self) -> tuple[UsageMetadata | None, dict[str, Any]]:
        """Return the token counts and the response metadata, each key once."""
        # A stop sequence is why the text ends, whatever the server would have gone on to say;
        # a stream that hangs up never hears it.
        stopped = self.stop.matched is not None
        known = {
            "model_provider": MODEL_PROVIDER,
            "id": self.generation_id,
            "finish_reason": "stop" if stopped else self.finish_reason,
            "native_finish_reason": None if stopped else self.native_finish_reason,
            "logprobs": self._logprobs,
            "stop_sequence": self.stop.matched,
            "response_cache": self._response_cache,
        }
        known = {key: value for key, value in known.items() if value is not None}
        seen = {**self._envelope, **self._of_choice}
        metadata = {
            _METADATA_NAMES.get(key, key): value
            for key, value in seen.items()
            if key not in _ENVELOPE
        }
        return self._usage, {**self._accounts, **metadata, **known}

    def closing_kwargs(self) -> dict[str, Any]:
        """Return the `additional_kwargs` that are known only at the end.

        In a stream they ride on the last chunk alone: langchain-core merges lists by `index`
        and would fuse a summary with the ciphertext beside it.
        """
        kwargs = dict(self._extras)
        if self._refusal:
            kwargs["refusal"] = "".join(self._refusal)
        if self._details.present:
            kwargs["reasoning_details"] = self._details.entries
        if self._annotations:
            kwargs["annotations"] = self._annotations
        if raw := self._calls.raw_arguments():
            kwargs[ARGUMENTS_KEY] = raw
        if custom := self._calls.custom_ids():
            kwargs[CUSTOM_KEY] = custom
        return {key: keep_apart(value) for key, value in kwargs.items()}

    def has_content(self) -> bool:
        """Whether anything has come that a message can hold."""
        return bool(
            self._text
            or self._refusal
            or self._reasoning
            or self._calls
            or self._details.entries
            or self._annotations
            or self._extras
        )

    def _identify(self, identity: Any) -> None:
        """Take the first id that comes and keep it: chunks already carry it."""
        if isinstance(identity, str) and identity:
            self._identity = identity
        self._identified = self._identity is not None

    def _who(self) -> str:
        provider = self._envelope.get("provider")
        return f"the provider {provider}" if isinstance(provider, str) else "the provider"

    def _absorb(self, payload: dict[str, Any], *, whole: bool) -> Delta:
        if not self._identified:
            self._identify(payload.get("id"))
        # Null means absent. That it is rare here lets most payloads through at the speed of C.
        whole_payload = None not in payload.values()
        self._envelope.update(payload if whole_payload else _without_nulls(payload))
        choices = parse_list(payload.get("choices"), "choices")
        if len(choices) > 1 or (whole and not choices):
            raise OpenRouterMalformedResponseError(
                f"Malformed answer: {len(choices)} choices came where one was asked for."
            )
        delta = Delta("", "", [])
        if choices:
            delta = self._absorb_choice(parse_mapping(choices[0], "choices[0]"), whole=whole)
        if (counts := payload.get("usage")) is not None:
            # The last one wins and is counted once: some providers repeat it on every chunk.
            self._usage, self._accounts = usage_from_wire(parse_mapping(counts, "usage"))
        return delta

    def _absorb_choice(self, choice: dict[str, Any], *, whole: bool) -> Delta:
        if (finish := choice.get("finish_reason")) is not None:
            self.finish_reason = parse_text(finish, "finish_reason") or self.finish_reason
        if (native := choice.get("native_finish_reason")) is not None:
            native = parse_text(native, "native_finish_reason")
            self.native_finish_reason = native or self.native_finish_reason
        if (logprobs := choice.get("logprobs")) is not None:
            self._logprobs = _merge_logprobs(self._logprobs, logprobs)
        if not choice.keys() <= _CHOICE:
            unknown = {key: value for key, value in choice.items() if key not in _CHOICE}
            self._of_choice.update(_without_nulls(unknown))
        delta = choice.get("delta")
        if delta is None:
            delta = choice.get("message")
            if whole and delta is None:
                raise OpenRouterMalformedResponseError("Malformed answer: it has no message.")
        return self._absorb_delta(parse_mapping(delta, "choices[0].delta"), whole=whole)

    def _absorb_delta(self, delta: dict[str, Any], *, whole: bool) -> Delta:
        take = delta.get
        readable = ""
        if (details := take("reasoning_details")) is not None:
            readable = self._details.replace(details) if whole else self._details.feed(details)
        # `reasoning` and the details are twins; gpt-5.2 with web search sends only the latter.
        # Before OpenRouter's name, some servers use DeepSeek's.
        reasoning = readable
        if thoughts := take("reasoning") or take("reasoning_content"):
            reasoning = parse_text(thoughts, "reasoning") or readable
        text = self.stop.feed(parse_text(take("content"), "content"))
        chunks: list[ToolCallChunk] = []
        # What the model wrote after a stop sequence is not part of the answer.
        if (calls := take("tool_calls")) is not None and self.stop.matched is None:
            chunks = self._calls.feed(calls, whole=whole)
        if (annotations := take("annotations")) is not None:
            self._annotations += parse_list(annotations, "annotations")
        refusal = "" if (said := take("refusal")) is None else parse_text(said, "refusal")
        if not delta.keys() <= _MESSAGE:
            for key, value in delta.items():
                if key not in _MESSAGE and value is not None:
                    self._add_extra(_METADATA_NAMES.get(key, key), value)
        for parts, piece in (
            (self._text, text),
            (self._reasoning, reasoning),
            (self._refusal, refusal),
        ):
            if piece:
                parts.append(piece)
        return Delta(text, reasoning, chunks)

    def _add_extra(self, key: str, value: Any) -> None:
        before = self._extras.get(key)
        if is_array(before) and is_array(value):
            self._extras[key] = [*before, *value]
        elif isinstance(before, str) and isinstance(value, str):
            self._extras[key] = before + value
        else:
            self._extras[key] = value


def is_truncated(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether these finish reasons mean that a token limit cut the answer."""
    return finish_reason in _TRUNCATED or native_finish_reason in _TRUNCATED


def _is_failure(native_finish_reason: str | None) -> bool:
    reason = (native_finish_reason or "").lower()
    return any(word in reason for word in _FAILED)


def _find_error(payload: dict[str, Any]) -> OpenRouterError | None:
    """Look for an error before anything else: it may stand beside partial content."""
    if payload.get("error"):
        return error_from_payload(payload)
    choices = payload.get("choices")
    for choice in choices if is_array(choices) else ():
        if is_object(choice) and (error := choice.get("error")):
            return error_from_payload({"error": error})
    return None


def _without_nulls(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}


def _merge_logprobs(before: Any, value: Any) -> Any:
    """Join the lists of a stream's logprobs; other shapes (a bare number) replace each other."""
    if not is_object(before) or not is_object(value):
        return before if value is None else value
    merged = dict(before)
    for key, items in value.items():
        old = merged.get(key)
        if is_array(old) and is_array(items):
            merged[key] = [*old, *items]
        elif items is not None:
            merged[key] = items
    return merged
