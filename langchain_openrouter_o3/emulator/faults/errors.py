"""Answers that are errors: as an HTTP status, as a gateway's page, inside a 200."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, ClassVar, Literal

from langchain_openrouter_o3.emulator.errors import USER_ID
from langchain_openrouter_o3.emulator.fault import End, Fault, Head, Step, Write
from langchain_openrouter_o3.emulator.faults.position import (
    DONE,
    Place,
    RealAnswer,
    check_count,
    check_one_of,
    event,
    is_stream,
)
from langchain_openrouter_o3.emulator.json_value import JsonObject, encode

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
