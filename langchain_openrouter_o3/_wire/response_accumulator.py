"""One response, however it arrives: a whole body is read as a stream of one chunk.

`ResponseAccumulator` knows the envelope and the choice, `MessageAccumulator` the message in it;
`readers.py` presents them as a message or as chunks. That both modes give the same message follows
from there being only this one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object
from langchain_openrouter_o3._wire.finish_reasons import (
    is_error,
    is_failure,
    is_filtered,
    is_regular,
    is_truncated,
    known_reason,
    worse_reason,
)
from langchain_openrouter_o3._wire.merging import merge_logprobs
from langchain_openrouter_o3._wire.message_accumulator import (
    Delta,
    MessageAccumulator,
    metadata_name,
)
from langchain_openrouter_o3._wire.parsing import LenientParser
from langchain_openrouter_o3._wire.text import StopScanner, printable_data
from langchain_openrouter_o3._wire.usage import usage_from_wire
from langchain_openrouter_o3.errors import (
    OpenRouterAPIError,
    OpenRouterEmptyResponseError,
    OpenRouterError,
    OpenRouterMalformedResponseError,
    OpenRouterStreamCutError,
)
from langchain_openrouter_o3.errors.failure import has_words, says_failure, says_something, show
from langchain_openrouter_o3.errors.from_payload import error_from_payload
from langchain_openrouter_o3.errors.redaction import redact_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata

MODEL_PROVIDER = "openrouter"

_ENVELOPE = frozenset({"object", "choices", "usage", "error", "user_id"})
_FACTS = frozenset(
    {
        "cost",
        "cost_details",
        "created",
        "id",
        "is_byok",
        "model",
        "provider",
        "service_tier",
        "system_fingerprint",
        "usage",
    }
)
_CHOICE = frozenset(
    {"index", "delta", "message", "finish_reason", "native_finish_reason", "logprobs", "error"}
)
MAX_SHOWN = 500
"""Characters of a malformed answer that its error repeats."""


class ResponseAccumulator:
    """Everything known of one response so far.

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
        headers: Mapping[str, str] | None = None,
        conceal: Callable[[Any], Any] = lambda data: data,
    ) -> None:
        """Start before the first payload.

        Args:
            stop: Sequences before which the text ends.
            generation_id: The id from the response header, if it was there.
            response_cache: What the headers tell of OpenRouter's cache of answers.
            headers: Of the response, lower-case names, for the error that its body may be.
            conceal: Takes the caller's secrets out of what a gateway has added to the answer.
        """
        self.stop = StopScanner(stop)
        self.repetitions: dict[str, float] = {}
        self.finish_reason: str | None = None
        self.native_finish_reason: str | None = None
        self._parser = LenientParser()
        self._identity = generation_id
        self._response_cache = response_cache or None
        self._headers = headers
        self._conceal = conceal
        self._identified = False
        self._choice: int | None = None  # the index of the choice that is read
        self._speaks_in_messages = False
        self._message = MessageAccumulator(self._parser, self.stop, conceal)
        self._logprobs: list[Any] = []
        self._usage: UsageMetadata | None = None
        self._accounts: dict[str, Any] = {}
        self._envelope: dict[str, Any] = {}  # the top-level keys of all payloads, the last wins
        self._words: dict[str, Any] | None = None  # of a chunk without a choice
        self._of_choice: dict[str, Any] = {}  # unknown keys of the choice

    @property
    def generation_id(self) -> str | None:
        """OpenRouter's id of this answer."""
        return self._identity

    @property
    def cut_short(self) -> bool:
        """Whether the answer may have ended in the middle of a tool call."""
        is_unread = self.finish_reason is None and "finish_reason" in self._parser.unread()
        is_regular_end = is_regular(self.finish_reason, self.native_finish_reason)
        return is_unread or not is_regular_end or self.stop.matched is not None

    def feed(self, payload: dict[str, Any], *, whole: bool) -> Delta:
        """Take a whole body or the next chunk of a stream.

        Args:
            payload: The JSON object.
            whole: Whether it is a whole body, which must hold a choice.

        Raises:
            OpenRouterError: It reports an error, at the top or in a choice.
            OpenRouterMalformedResponseError: It is not what OpenRouter sends.
        """
        said = _find_error(payload, whole=whole)
        if said is None:
            if not payload.get("choices") and has_words(payload):
                self._words = payload
            return self._absorb(payload, whole=whole)
        error = error_from_payload(said, headers=self._headers)
        try:
            self._absorb(payload, whole=False)  # for the partial message of the error
        except OpenRouterMalformedResponseError as malformed:
            raise error from malformed
        raise error

    def explain(self, error: OpenRouterError) -> OpenRouterError:
        """Return the error that a chunk without a choice told, if the answer broke off after it.

        Args:
            error: How it broke off. Where the words mean nothing in particular, they explain the
                end of a stream alone: a queue tells of itself, too.
        """
        if self._words is None or self.finish_reason is not None or error.body is not None:
            return error
        said = error_from_payload(self._words, headers=self._headers)
        is_vague = type(said) is OpenRouterAPIError
        return error if is_vague and not isinstance(error, OpenRouterStreamCutError) else said

    def close(self) -> Delta:
        """Take the end of the answer and return what had been held back."""
        return self._message.close(self.generation_id or "", truncated=self.cut_short)

    def check(self) -> None:
        """Refuse an answer that only looks like one.

        Raises:
            OpenRouterAPIError: The provider failed, and no error object says so.
            OpenRouterEmptyResponseError: A success without content that was not even billed.
        """
        native = self.native_finish_reason
        if is_error(self.finish_reason):
            raise OpenRouterAPIError(
                f"The answer of {self._who()} failed (native finish reason: {native}). Try again, "
                "or name fallback models with models=."
            )
        if self.has_content() or self.stop.matched is not None:
            return
        # Hidden reasoning is billed, so an answer of which nothing is shown may be one. What
        # OpenRouter's cache holds was billed before.
        was_cut = is_truncated(self.finish_reason, native) or is_filtered(self.finish_reason)
        if self._usage is None:  # what was paid for, no count tells
            worked = was_cut or _is_positive(self._accounts.get("cost"))
        else:
            worked = self._usage["output_tokens"] > 0
        is_hit = (self._response_cache or {}).get("status") == "hit"
        if is_failure(native) or not (worked or is_hit):
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
        usage, metadata = self.summary()
        return self._message.build(metadata, usage, truncated=self.cut_short or not complete)

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
        seen = {key: value for key, value in seen.items() if key not in _ENVELOPE}
        seen = {**self._accounts, **seen}
        metadata = {
            **_renamed({key: value for key, value in seen.items() if key in _FACTS}),
            **self._added(redact_keys({key: seen[key] for key in seen if key not in _FACTS})),
            **known,
            **self.repetitions,
        }
        unread = self._added(self._parser.unread())
        metadata |= {f"openrouter_{key}" if key in metadata else key: unread[key] for key in unread}
        if not isinstance(metadata.get("model_name", ""), str):
            metadata["openrouter_model"] = metadata.pop("model_name")
        return self._usage, printable_data(metadata)

    def _added(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return what a gateway has added, which may repeat the headers of the request."""
        return _renamed(self._conceal(fields)) if fields else {}

    def closing_kwargs(self) -> dict[str, Any]:
        """Return the `additional_kwargs` that are known only at the end."""
        return self._message.closing_kwargs()

    def has_content(self) -> bool:
        """Whether anything has come that a message can hold."""
        return self._message.has_content()

    def has_anything(self) -> bool:
        """Whether anything has come at all, also what cannot be read."""
        return self.has_content() or bool(self._parser.unread() or self._usage or self._accounts)

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
        # That nothing is null or blank in most payloads lets them through at the speed of C.
        values = payload.values()
        is_plain = None not in values and "" not in values and 0 not in values
        self._envelope.update(payload if is_plain else _telling(payload, self._envelope))
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
            self._message.distrust_calls()
            came = "" if found else f": {show(payload)[:MAX_SHOWN]}"
            said = f"{len(found)} choices came where one was asked for{came}"
            raise _malformed(said, retryable=None if found else _is_unpaid(payload))
        if not found:
            return None
        if not is_object(choice := found[0]):
            raise _malformed("its choice is no object")
        if (index := _index_of(choice.get("index"))) is not None:
            self._choice = index if self._choice is None else self._choice
            if index != self._choice:
                self._message.distrust_calls()
                raise _malformed(f"choices {self._choice} and {index} came; one was asked for")
        return choice

    def _absorb_usage(self, counts: Any) -> None:
        """Take the latest usage, which counts once: some providers repeat it on every chunk."""
        if not is_object(counts):
            self._parser.keep("usage", counts)
            return
        usage, accounts = usage_from_wire(counts)
        if usage is not None and (self._usage is None or usage["total_tokens"] > 0):
            self._usage = usage
        self._accounts |= _telling(accounts, self._accounts)

    def _absorb_choice(self, choice: dict[str, Any], *, whole: bool) -> Delta:
        choice = _with_message(choice)
        if (finish := choice.get("finish_reason")) is not None:
            reason = self._reason(finish, "finish_reason")
            self.finish_reason = worse_reason(self.finish_reason, reason)
        if (native := choice.get("native_finish_reason")) is not None:
            reason = self._reason(native, "native_finish_reason")
            self.native_finish_reason = worse_reason(self.native_finish_reason, reason)
        if (logprobs := choice.get("logprobs")) is not None:
            self._logprobs.append(logprobs)
        if not choice.keys() <= _CHOICE:
            unknown = {key: value for key, value in choice.items() if key not in _CHOICE}
            if (counts := unknown.get("usage")) is not None and "usage" not in self._envelope:
                self._absorb_usage(counts)  # Moonshot's place
            self._of_choice.update(_without_nulls(unknown))
        delta, message = choice.get("delta"), choice.get("message")
        if message is None or whole:
            source = self._parser.mapping(delta, "delta") or message
            return self._message.feed(self._parser.mapping(source, "message"), whole=whole)
        if delta is None and (self._speaks_in_messages or not self.has_content()):
            self._speaks_in_messages = True  # some servers call their deltas so
            return self._message.feed(self._parser.mapping(message, "message"), whole=False)
        return self._message.feed_closing_message(delta, message)

    def _reason(self, value: Any, field: str) -> str | None:
        return known_reason(self._parser.text(value, field))


def _find_error(payload: dict[str, Any], *, whole: bool) -> dict[str, Any] | None:
    """Look for an error before anything else: it may stand beside partial content."""
    if says_failure(payload, whole=whole):
        return payload
    choices = payload.get("choices")
    for choice in choices if is_array(choices) else ():
        if not is_object(choice):
            continue
        for part in (choice, choice.get("delta"), choice.get("message")):
            if is_object(part) and (error := part.get("error")) and says_something(error):
                return {"error": error}
    return None


def _with_message(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with an object where some servers write the text alone."""
    for key in ("delta", "message", "text"):
        value = choice.get(key)
        if is_object(value):
            break
        if isinstance(value, str):
            rest = {name: item for name, item in choice.items() if name != key}
            return {**rest, "message" if key == "text" else key: {"content": value}}
    return choice


def _index_of(value: Any) -> int | None:
    """Read the index of a choice, which some servers write as a text or with a decimal point."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value[:20])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _malformed(what: str, *, retryable: bool | None = None) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(f"Malformed answer: {what}.", retryable=retryable)


def _is_unpaid(payload: dict[str, Any]) -> bool | None:
    """Whether a body without an answer may be asked for again at once; None where it may cost."""
    counts = payload.get("usage")
    was_paid = is_object(counts) and (counts.get("completion_tokens") or counts.get("cost"))
    return None if was_paid else True


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {metadata_name(key): value for key, value in fields.items()}


def _telling(new: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out nulls, which mean absent, and blanks where something better is known.

    Azure's content filter ends a stream with a chunk of its own, whose model is "" and created 0.
    """
    return {
        key: value
        for key, value in new.items()
        if value is not None and not (_is_blank(value) and known.get(key))
    }


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _is_blank(value: Any) -> bool:
    return type(value) in (str, int, float) and not value


def _without_nulls(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}
