"""Bodies that are errors (a status, a page of a gateway, inside a 200) or odd ones."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from langchain_openrouter_o3.emulator.faults.position import (
    DONE,
    EVENT,
    Place,
    RealAnswer,
    check_count,
    check_one_of,
    event,
    is_stream,
)
from langchain_openrouter_o3.emulator.json_value import JsonObject, encode
from langchain_openrouter_o3.emulator.wire.responses import USER_ID
from langchain_openrouter_o3.emulator.wire.sending import End, Fault, Head, Step, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

_BODILESS = {204, 205, 304}
_JSON = ("content-type", "application/json")
_PAGE = """\
<!DOCTYPE html>
<html><head><title>{code} Bad Gateway</title></head>
<body><h1>Error {code}</h1><p>The web server reported a gateway error.</p></body></html>
"""


@dataclass(frozen=True)
class ErrorObject:
    """What stands under `error`.

    Attributes:
        code: The code, mostly an HTTP status.
        message: The text; by default one that names the code.
        error_type: OpenRouter's canonical type in the metadata, such as `provider_unavailable`.
        retry_after: What `availability.retry_after` says, in seconds if it is a number.
    """

    code: int
    message: str | None = None
    error_type: str | None = None
    retry_after: float | str | None = None

    def to_json(self) -> JsonObject:
        """Return the object."""
        error: JsonObject = {
            "message": self.message or f"An injected error {self.code}",
            "code": self.code,
        }
        if self.error_type is not None:
            error["metadata"] = {"error_type": self.error_type, "provider_name": "OpenAI"}
        if self.retry_after is not None:
            error["availability"] = {"retry_after": self.retry_after}
        return error


@dataclass(frozen=True)
class Status(Fault):
    """A whole answer with an HTTP status."""

    needs_answer: ClassVar[bool] = False

    code: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    retry_after_date: float | None = None

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Answer at once; a date is counted from now."""
        del answer
        headers = [*self.headers]
        if self.retry_after_date is not None:
            date = formatdate(time.time() + self.retry_after_date, usegmt=True)
            headers.append(("retry-after", date))
        return [Head(self.code, tuple(headers)), *([Write(self.body)] if self.body else []), End()]


@dataclass(frozen=True)
class ErrorInBody(Fault):
    """A JSON body with status 200 that is no good answer."""

    error: ErrorObject
    where: Literal["top", "choice"]

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Write the error alone, or into a choice beside the first half of the real text."""
        body: JsonObject = {"error": self.error.to_json(), "user_id": USER_ID}
        if self.where == "choice":
            real = RealAnswer.read(answer)
            half = real.text[: len(real.text) // 2]
            choice: JsonObject = {
                "index": 0,
                "finish_reason": "stop",
                "native_finish_reason": "stop",
                "message": {"role": "assistant", "content": half, "refusal": None},
                "error": self.error.to_json(),
            }
            head: JsonObject = {**real.head, "object": "chat.completion"}
            body = {**head, "choices": [choice], "usage": real.usage}
        return [Head(200, (_JSON,)), Write(encode(body)), End()]


def status(  # noqa: PLR0913 - everything that an answer can have, by name
    code: int,
    *,
    message: str | None = None,
    body: str | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    error_type: str | None = None,
    retry_after: float | str | None = None,
    retry_after_ms: float | str | None = None,
    retry_after_date: float | None = None,
    retry_after_body: float | str | None = None,
) -> Fault:
    """Any HTTP status, with OpenRouter's error body or any other.

    Args:
        code: The status, 200 to 599.
        message: The error's text.
        body: The body instead of OpenRouter's error.
        headers: More headers; `content-type` replaces application/json. On the command line:
            header=NAME:VALUE, any number of times.
        error_type: OpenRouter's canonical type, such as rate_limit_exceeded.
        retry_after: The header Retry-After: seconds, or any text as it is, however nonsensical.
        retry_after_ms: The header retry-after-ms: milliseconds, or any text.
        retry_after_date: The header Retry-After as an HTTP date so many seconds from the answer.
        retry_after_body: `error.availability.retry_after`: seconds, or any text.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_count("code", code, 200, 599)
    if body and code in _BODILESS:
        raise ValueError(f"an answer with status {code} has no body")
    if retry_after is not None and retry_after_date is not None:
        raise ValueError("retry_after and retry_after_date are the same header")
    named = {"retry-after": retry_after, "retry-after-ms": retry_after_ms}
    waits = {name: str(value) for name, value in named.items() if value is not None}
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    every = {**dict([_JSON]), **waits, **lower}
    for name, value in every.items():
        if not (name + value).isprintable():
            raise ValueError(f"the header {name!r} is printable text, not {value!r}")
    error = ErrorObject(code, message, error_type, retry_after_body)
    content = encode({"error": error.to_json(), "user_id": USER_ID}) if body is None else body
    return Status(
        code,
        b"" if code in _BODILESS else content.encode() if isinstance(content, str) else content,
        tuple(every.items()),
        retry_after_date,
    )


def html(code: int = 502, *, content_type: str = "text/html") -> Fault:
    """A gateway's HTML page.

    Args:
        code: The status, 200 to 599.
        content_type: The content type, which may lie.

    Raises:
        ValueError: An argument makes no sense.
    """
    page = _PAGE.format(code=code if code >= 400 else 502)  # noqa: PLR2004 - a gateway's excuse
    return status(code, body=page, headers={"content-type": content_type})


def error_in_body(
    code: int = 502,
    *,
    where: Literal["top", "choice"] = "top",
    message: str | None = None,
    error_type: str | None = None,
    retry_after: float | str | None = None,
) -> Fault:
    """An error in a JSON body with status 200, also for a request of a stream.

    Args:
        code: The error's code.
        where: top (the error alone) or choice (beside the first half of the real text).
        message: The error's text.
        error_type: OpenRouter's canonical type, such as provider_unavailable.
        retry_after: `error.availability.retry_after`: seconds, or any text.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_one_of("where", where, Literal["top", "choice"])
    check_count("code", code, 0)
    return ErrorInBody(ErrorObject(code, message, error_type, retry_after), where)


Shape = Literal["with-usage", "alone", "in-choice-and-top", "no-choices"]


@dataclass(frozen=True)
class ErrorInStream(Fault):
    """An error event after some of the real ones."""

    shape: Shape
    place: Place
    error: ErrorObject

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Send the beginning of the answer and then the error."""
        payload = self._payload(RealAnswer.read(answer))
        if not is_stream(answer):
            head, _ = Place("after-events", 0).split(answer)
            return [*head, Write(encode(payload)), End()]
        before, _ = self.place.split(answer)
        done = [Write(DONE + b"\n\n")] if self.shape == "with-usage" else []
        return [*before, Write(event(payload)), *done, End()]

    def _payload(self, real: RealAnswer) -> JsonObject:
        error = self.error.to_json()
        if self.shape == "alone":
            return {"error": error, "user_id": USER_ID}
        if self.shape == "no-choices":
            return {**real.head, "choices": [], "error": error}
        choice: JsonObject = {
            "index": 0,
            "delta": {"content": "", "role": "assistant"},
            "finish_reason": None,
            "native_finish_reason": None,
        }
        if self.shape == "with-usage":
            return {**real.head, "error": error, "choices": [choice], "usage": real.usage}
        choice |= {"finish_reason": "error", "error": error}
        return {**real.head, "choices": [choice], "error": error}


def error_in_stream(  # noqa: PLR0913 - what an error consists of, by name
    shape: Shape = "no-choices",
    *,
    events: int = 1,
    code: int = 502,
    message: str | None = None,
    error_type: str | None = "provider_unavailable",
    retry_after: float | str | None = None,
) -> Fault:
    """An error in the stream; a request without a stream gets the same object as its body.

    Args:
        shape: with-usage (in the last chunk, beside the usage, then [DONE]), alone (nothing but
            the error and a user id), in-choice-and-top, or no-choices (an empty list of them).
            Only the first is followed by [DONE].
        events: Events with content before the error; 0 makes it the first event.
        code: The error's code.
        message: The error's text.
        error_type: OpenRouter's canonical type.
        retry_after: `error.availability.retry_after`: seconds, or any text.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_one_of("shape", shape, Shape)
    check_count("code", code, 0)
    error = ErrorObject(code, message, error_type, retry_after)
    return ErrorInStream(shape, Place("after-events", events), error)


# --- Unusual bodies: compressed, mislabelled, enormous ---


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


Encoding = Literal["gzip", "deflate", "raw-deflate"]
Damage = Literal["none", "cut", "corrupt"]

# zlib's window bits say which container it writes.
_WINDOW_BITS: dict[Encoding, int] = {"gzip": 31, "deflate": 15, "raw-deflate": -15}
# A block of the reserved type 3 (RFC 1951 section 3.2.3): no inflater can read on behind it.
_IMPOSSIBLE_BLOCK = b"\xff" * 16


@dataclass(frozen=True)
class Compress(Fault):
    """A compressed body."""

    encoding: Encoding
    damage: Damage

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Compress each write for itself, so that the events still come one by one."""
        answer = _labelled(answer, "content-encoding", self.encoding.removeprefix("raw-"))
        compressor = zlib.compressobj(wbits=_WINDOW_BITS[self.encoding])
        size = sum(len(step.data) for step in answer if isinstance(step, Write))
        count = size if self.damage == "none" else size // 2
        before, after = Place(after_bytes=count).split(answer)
        steps = [_compressed(step, compressor) for step in before]
        last = {"none": compressor.flush(), "cut": b"", "corrupt": _IMPOSSIBLE_BLOCK}[self.damage]
        steps += [Write(last)] if last else []
        return [*steps, *(step for step in after if not isinstance(step, Write))]


def _compressed(step: Step, compressor: _Compressor) -> Step:
    if not isinstance(step, Write):
        return step
    # Flushed, it ends with a whole byte: what follows is read as the next block.
    return Write(compressor.compress(step.data) + compressor.flush(zlib.Z_SYNC_FLUSH))


@dataclass(frozen=True)
class ContentType(Fault):
    """A body with another label."""

    value: str

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Change the label alone."""
        return _labelled(answer, "content-type", self.value)


@dataclass(frozen=True)
class HugeEvent(Fault):
    """One event, or the JSON body, with white space in it."""

    size: int
    events: int

    def script(self, answer: Sequence[Step]) -> Sequence[Step]:
        """Pad the event behind the place."""
        before, after = Place("after-events", self.events).split(answer)
        index = next((i for i, step in enumerate(after) if _has_payload(step)), None)
        if index is None:  # a JSON body is one event: the padding goes into it
            before, after = Place("after-events", 0).split(answer)
            index = next((i for i, step in enumerate(after) if _has_payload(step)), None)
        if index is None:
            return answer
        return [*before, *after[:index], self._padded(after[index]), *after[index + 1 :]]

    def _padded(self, step: Step) -> Step:
        if not isinstance(step, Write):
            return step
        start, brace, rest = step.data.partition(b"{")
        return replace(step, data=start + brace + b" " * (self.size - len(step.data)) + rest)


def _has_payload(step: Step) -> bool:
    return isinstance(step, Write) and step.data.removeprefix(EVENT).startswith(b"{")


def _labelled(answer: Sequence[Step], name: str, value: str) -> list[Step]:
    return [
        replace(step, headers=(*(pair for pair in step.headers if pair[0] != name), (name, value)))
        if isinstance(step, Head)
        else step
        for step in answer
    ]


def compress(encoding: Encoding = "gzip", *, damage: Damage = "none") -> Fault:
    """The body is compressed, whether or not the client accepts that.

    Args:
        encoding: gzip, deflate (with zlib's header) or raw-deflate (called deflate, without it).
        damage: none; cut (the body ends in the middle, regularly); corrupt (no inflater can read
            on from the middle).

    Raises:
        ValueError: An argument makes no sense.
    """
    check_one_of("encoding", encoding, Encoding)
    check_one_of("damage", damage, Damage)
    return Compress(encoding, damage)


def content_type(value: str) -> Fault:
    """The real body under another content type.

    Args:
        value: The header's value, such as application/json for a stream, or text/event-stream
            for a JSON body.

    Raises:
        ValueError: An argument makes no sense.
    """
    if not value.isprintable():
        raise ValueError(f"value is printable text, not {value!r}")
    return ContentType(value)


def huge_event(size: int, *, events: int = 0) -> Fault:
    """One event, or the JSON body, is enormous: padded with white space, which changes nothing.

    Args:
        size: Bytes of the event, in one write.
        events: Events with content before it; 0 makes the first event enormous.

    Raises:
        ValueError: An argument makes no sense.
    """
    check_count("size", size, 1)
    check_count("events", events, 0)
    return HugeEvent(size, events)
