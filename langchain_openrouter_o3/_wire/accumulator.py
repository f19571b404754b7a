"""One answer, however it arrives: a whole body is read as a stream of one chunk.

`Answer` accumulates; `response.py` and `stream.py` present it as a message or as chunks. That
both modes give the same message follows from there being only this one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import AIMessage

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.merging import join_values, keep_apart, merge_logprobs
from langchain_openrouter_o3._wire.parsing import LenientParser
from langchain_openrouter_o3._wire.reasoning import ReasoningDetails, ReasoningText
from langchain_openrouter_o3._wire.text import StopScanner, TextPieces, printable_data
from langchain_openrouter_o3._wire.tool_calls import (
    ARGUMENTS_KEY,
    CUSTOM_KEY,
    LEGACY_INDEX,
    ToolCalls,
)
from langchain_openrouter_o3._wire.usage import usage_from_wire
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
)
from langchain_openrouter_o3.errors.failure import says_failure, show
from langchain_openrouter_o3.errors.from_payload import error_from_payload

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
        "stop_sequence",
        "attempts",
        "seconds_waited",
        ARGUMENTS_KEY,
        CUSTOM_KEY,
    }
)
_METADATA_NAMES = {"model": "model_name", **{key: f"openrouter_{key}" for key in _RESERVED}}

# What Python, JavaScript and others write for null when they write a text.
_NO_REASON = frozenset({"", "null", "none", "undefined"})

# A tool call cut by max_tokens says finish_reason "tool_calls"; only the native one tells.
_TRUNCATED = frozenset({"length", "max_output_tokens", "max_tokens", "MAX_TOKENS"})
MAX_SHOWN = 500
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
        repetitions: What `response_metadata` tells of attempts, if there was more than one.
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
        self.repetitions: dict[str, float] = {}
        self.finish_reason: str | None = None
        self.native_finish_reason: str | None = None
        self._parser = LenientParser()
        self._identity = generation_id
        self._response_cache = response_cache or None
        self._identified = False
        self._choice: int | None = None  # the index of the choice that is read
        self._speaks_in_messages = False
        self._text = TextPieces(self.stop)
        self._reasoning = TextPieces()
        self._refusal = TextPieces()
        self._details = ReasoningDetails(self._parser)
        self._thoughts = ReasoningText()
        self._calls = ToolCalls(self._parser)
        self._annotations: list[Any] = []
        self._logprobs: list[Any] = []
        self._usage: UsageMetadata | None = None
        self._accounts: dict[str, Any] = {}
        self._envelope: dict[str, Any] = {}  # the top-level keys of all payloads, the last wins
        self._of_choice: dict[str, Any] = {}  # unknown keys of the choice
        self._extras: dict[str, list[Any]] = {}  # unknown keys of the deltas

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
        error = _find_error(payload, whole=whole)
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
        self._refusal.close()
        return Delta(self._text.close(), self._reasoning.close(), chunks)

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
        # Hidden reasoning is billed, so an answer of which nothing is shown may be one. What
        # OpenRouter's cache holds was billed before.
        worked = self.cut_short if self._usage is None else self._usage["output_tokens"] > 0
        is_hit = (self._response_cache or {}).get("status") == "hit"
        if _is_failure(native) or not (worked or is_hit):
            raise OpenRouterEmptyResponseError(
                f"The answer of {self._who()} is empty: no text, tool call, refusal or reasoning "
                f"came (finish reason: {self.finish_reason}, native: {native}). Try again, or "
                "name fallback models with models=.",
                retryable=True,
            )

    def is_finished(self, *, done: bool) -> bool:
        """Say whether the wire said that the answer is whole.

        Args:
            done: Whether `[DONE]` has come; with it, a reason that cannot be read is one, too.
        """
        unread = self._parser.unread().keys() & {"finish_reason", "native_finish_reason"}
        named = self.native_finish_reason is not None or bool(unread)
        return self.finish_reason is not None or (done and named)

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
            additional["reasoning_content"] = str(self._reasoning)
        return AIMessage(
            content=str(self._text),
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
            "logprobs": merge_logprobs(self._logprobs),
            "stop_sequence": self.stop.matched,
            "response_cache": self._response_cache,
        }
        known = {key: value for key, value in known.items() if value is not None}
        seen = {**self._envelope, **self._of_choice}
        metadata = {
            **self._accounts,
            **_renamed({key: value for key, value in seen.items() if key not in _ENVELOPE}),
            **known,
            **self.repetitions,
        }
        unread = _renamed(self._parser.unread())
        metadata |= {f"openrouter_{key}" if key in metadata else key: unread[key] for key in unread}
        if not isinstance(metadata.get("model_name", ""), str):
            metadata["openrouter_model"] = metadata.pop("model_name")
        return self._usage, printable_data(metadata)

    def closing_kwargs(self) -> dict[str, Any]:
        """Return the `additional_kwargs` that are known only at the end.

        In a stream they ride on the last chunk alone: langchain-core merges lists by `index`
        and would fuse a summary with the ciphertext beside it.
        """
        kwargs = {key: join_values(values) for key, values in self._extras.items()}
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
            self._text
            or self._refusal
            or self._reasoning
            or self._calls
            or self._details.entries
            or self._annotations
            or self._extras
        )

    def has_anything(self) -> bool:
        """Whether anything has come at all, also what cannot be read."""
        return self.has_content() or bool(self._parser.unread())

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
        choice = self._read_choice(payload, whole=whole)
        delta = Delta("", "", [])
        if choice:
            delta = self._absorb_choice(choice, whole=whole)
        if (counts := payload.get("usage")) is not None:
            self._absorb_usage(counts)
        return delta

    def _read_choice(self, payload: dict[str, Any], *, whole: bool) -> dict[str, Any] | None:
        """Find the one choice that was asked for.

        Raises:
            OpenRouterMalformedResponseError: There are several, or none in a whole body. Calls of
                alternatives must not be mixed: each would run.
        """
        choices = payload.get("choices")
        if choices and not is_array(choices):
            raise _malformed("its choices are no list")
        found = [choice for choice in choices or () if choice is not None]
        if len(found) > 1 or (whole and not found):
            came = "" if found else f": {show(payload)[:MAX_SHOWN]}"
            raise _malformed(f"{len(found)} choices came where one was asked for{came}")
        if not found:
            return None
        if not is_object(choice := found[0]):
            raise _malformed("its choice is no object")
        if type(index := choice.get("index")) is int:
            self._choice = index if self._choice is None else self._choice
            if index != self._choice:
                self._calls.distrust()
                raise _malformed(f"choices {self._choice} and {index} came; one was asked for")
        return choice

    def _absorb_usage(self, counts: Any) -> None:
        """Take the latest usage, which counts once: some providers repeat it on every chunk."""
        if not is_object(counts):
            self._parser.keep("usage", counts)
            return
        usage, accounts = usage_from_wire(counts)
        self._usage = usage or self._usage
        self._accounts |= accounts

    def _absorb_choice(self, choice: dict[str, Any], *, whole: bool) -> Delta:
        if (finish := choice.get("finish_reason")) is not None:
            self.finish_reason = self._reason(finish, "finish_reason") or self.finish_reason
        if (native := choice.get("native_finish_reason")) is not None:
            reason = self._reason(native, "native_finish_reason")
            self.native_finish_reason = reason or self.native_finish_reason
        if (logprobs := choice.get("logprobs")) is not None:
            self._logprobs.append(logprobs)
        if not choice.keys() <= _CHOICE:
            unknown = {key: value for key, value in choice.items() if key not in _CHOICE}
            self._of_choice.update(_without_nulls(unknown))
        delta, message = choice.get("delta"), choice.get("message")
        if whole and not is_object(delta) and not is_object(message):
            raise _malformed("it has no message")
        if message is None or whole:
            source = self._parser.mapping(delta, "delta") or message
            return self._absorb_delta(self._parser.mapping(source, "message"), whole=whole)
        if delta is None and (self._speaks_in_messages or not self.has_content()):
            self._speaks_in_messages = True  # some servers call their deltas so
            return self._absorb_delta(self._parser.mapping(message, "message"), whole=False)
        return self._absorb_rest(delta, message)

    def _reason(self, value: Any, field: str) -> str | None:
        reason = self._parser.text(value, field)
        return None if reason.lower() in _NO_REASON else reason

    def _absorb_rest(self, delta: Any, message: Any) -> Delta:
        """Take the whole message that ends some streams: what of it the deltas did not bring."""
        first = self._absorb_delta(self._parser.mapping(delta, "delta"), whole=False)
        rest = dict(self._parser.mapping(message, "message"))
        came = f"{self._text}{self.stop.held}"
        text = self._parser.text(rest.get("content"), "content")
        rest["content"] = text.removeprefix(came) if text.startswith(came) else None
        if text and rest["content"] is None:
            self._parser.keep("message", message)
        known = {
            "tool_calls": self._calls,
            "function_call": self._calls,
            "reasoning": self._reasoning,
            "reasoning_content": self._reasoning,
            "reasoning_details": self._details.entries,
            "annotations": self._annotations,
            "refusal": self._refusal,
            **self._extras,
        }
        rest = {key: value for key, value in rest.items() if not known.get(key)}
        last = self._absorb_delta(rest, whole=True)
        return Delta(
            first.text + last.text,
            first.reasoning + last.reasoning,
            [*first.tool_call_chunks, *last.tool_call_chunks],
        )

    def _absorb_delta(self, delta: dict[str, Any], *, whole: bool) -> Delta:
        take = delta.get
        content = take("content")
        text = content if isinstance(content, str) else self._parser.text(content, "content")
        text = self._text.feed(text)
        reasoning = self._absorb_reasoning(delta, whole=whole)
        chunks: list[ToolCallChunk] = []
        # What the model wrote after a stop sequence is not part of the answer.
        if self.stop.matched is None:
            chunks = self._absorb_calls(delta, whole=whole)
        if (annotations := take("annotations")) is not None:
            self._annotations += self._parser.items(annotations, "annotations")
        if (said := take("refusal")) is not None:
            self._refusal.feed(self._parser.text(said, "refusal"))
        if not delta.keys() <= _MESSAGE:
            for key, value in delta.items():
                if key not in _MESSAGE and value is not None:
                    self._extras.setdefault(_METADATA_NAMES.get(key, key), []).append(value)
        return Delta(text, reasoning, chunks)

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
        return self._reasoning.feed(text)

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
        return chunks


def is_truncated(finish_reason: str | None, native_finish_reason: str | None) -> bool:
    """Say whether these finish reasons mean that a token limit cut the answer."""
    return finish_reason in _TRUNCATED or native_finish_reason in _TRUNCATED


def _is_failure(native_finish_reason: str | None) -> bool:
    reason = (native_finish_reason or "").lower()
    return any(word in reason for word in _FAILED)


def _find_error(payload: dict[str, Any], *, whole: bool) -> OpenRouterError | None:
    """Look for an error before anything else: it may stand beside partial content."""
    if says_failure(payload, whole=whole):
        return error_from_payload(payload)
    choices = payload.get("choices")
    for choice in choices if is_array(choices) else ():
        if is_object(choice) and (error := choice.get("error")):
            return error_from_payload({"error": error})
    return None


def _malformed(what: str) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(f"Malformed answer: {what}.")


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {_METADATA_NAMES.get(key, key): value for key, value in fields.items()}


def _without_nulls(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}
