"""From the bytes of a 200 body to the JSON objects in it, whatever framing they came in.

The content type is a hint that gateways get wrong, so the first byte that is not white space
decides: `{` begins a JSON body (OpenRouter pads it with keep-alive lines and may answer a
stream request this way), a field name or a colon begins server-sent events. `<` begins a web page,
which is read for its title.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_openrouter_o3._http.sse import (
    BLANKS,
    ErrorEvent,
    EventTooLargeError,
    NamedEvent,
    SSEDecoder,
)
from langchain_openrouter_o3._json import decode_leniently, is_array, is_object
from langchain_openrouter_o3.errors import OpenRouterMalformedResponseError
from langchain_openrouter_o3.errors.pages import describe_page, without_pages
from langchain_openrouter_o3.errors.redaction import ELLIPSIS, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

Framing = Literal["unknown", "json", "events", "page"]

DONE = b"[DONE]"
_NOTHING = (b"", b"null", b"[]")
MAX_EXCERPT_CHARS = 200
MAX_PADDING_LINE = 64 * 1024
MAX_SLICE = 64 * 1024
"""Bytes that are cut into lines at once: a piece that was compressed may have millions of them."""
MAX_JSON_BODY = 256 * 1024 * 1024
_PADDING = BLANKS + b"\r\n"
_FIELDS = (
    *(name + end for name in (b"data", b"event", b"id", b"retry") for end in (b":", b"\r", b"\n")),
    *(b"error:", b":"),
)
_EVENT_STARTS = ("data:", "event:", "error:")
MAX_PAGE = 64 * 1024


class BodyDecoder:
    """Turn the bytes of one answer into its JSON payloads.

    Attributes:
        framing: "unknown" before the first byte that tells.
        done: Whether `[DONE]` was seen; what follows it is ignored.
        is_answer_whole: Whether the answer is known to be whole; what cannot be read after that
            takes nothing away.
    """

    def __init__(self, url: str = "") -> None:
        """Start before the first byte.

        Args:
            url: Of the request, for the error of a body that cannot be OpenRouter's.
        """
        self._url = url
        self.framing: Framing = "unknown"
        self.done = False
        self.is_answer_whole = False
        self._bytes = bytearray()
        self._events = SSEDecoder()

    @property
    def held(self) -> int:
        """Bytes of data of the event under way; where it grows, an answer makes progress."""
        return self._events.held

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """Take the next bytes and give the payloads that they complete, one by one.

        Raises:
            OpenRouterMalformedResponseError: The bytes are no answer.
        """
        if self.framing == "page":
            self._bytes += piece
            if len(self._bytes) > MAX_PAGE:
                raise self._no_page()
            return
        if self.framing == "unknown":
            self._bytes += piece
            self.framing = _recognise(self._bytes)
            if self.framing == "unknown":
                self._forget_padding()
            if self.framing != "events":
                return
            piece = bytes(self._bytes)
            self._bytes.clear()
        if self.framing == "json":
            self._bytes += piece
            if len(self._bytes) > MAX_JSON_BODY:
                raise _malformed(f"the body is larger than {MAX_JSON_BODY} bytes")
            return
        for start in range(0, len(piece), MAX_SLICE):
            try:
                events = self._events.feed(piece[start : start + MAX_SLICE])
            except EventTooLargeError as error:
                raise _malformed(str(error)) from error
            yield from self._parse(events)  # lazily: what precedes a broken event is read first

    def finish(self) -> Iterator[dict[str, Any]]:
        """Take the end of the body and give the payloads that it completes, one by one.

        Raises:
            OpenRouterMalformedResponseError: The body is empty or no answer.
            EOFError: The stream ends in the middle of an event.
        """
        if self.framing == "unknown":
            raise _malformed(_excerpt(self._bytes), retryable=True)  # nothing came: ask again
        if self.framing == "page":
            raise self._no_page()
        if self.framing == "json":
            yield _parse_object(self._bytes.strip(_PADDING))
            return
        try:
            yield from self._parse(self._events.flush())
        except OpenRouterMalformedResponseError as error:
            raise EOFError from error

    @staticmethod
    def decode_error(body: bytes) -> Any:
        """Decode the body of an error status: JSON, events of a stream, otherwise its text."""
        text = body.decode("utf-8", "replace").strip("\ufeff \t\r\n")
        if text.startswith(_EVENT_STARTS):
            events = SSEDecoder()
            said = [*events.feed(body), *events.flush()]
            return [_decode_error_event(data) for data in said]
        try:
            return decode_leniently(text)
        except (ValueError, RecursionError):
            return {"error": {"message": text}} if text else {}

    def _no_page(self) -> OpenRouterMalformedResponseError:
        page = self._bytes.decode("utf-8", "replace")
        where = f" ({self._url})" if self._url else ""
        return OpenRouterMalformedResponseError(
            f"Malformed answer: {redact(describe_page(page))[:MAX_EXCERPT_CHARS]}. OpenRouter's "
            f"API sends no web pages: check base_url and proxy{where}."
        )

    def _forget_padding(self) -> None:
        """Drop lines of white space, which a server may send for as long as it likes."""
        del self._bytes[: self._bytes.rfind(b"\n") + 1]
        if len(self._bytes) > MAX_PADDING_LINE:
            raise _malformed(f"more than {MAX_PADDING_LINE} bytes of white space in a line")

    def _parse(self, events: list[bytes]) -> Iterator[dict[str, Any]]:
        for number, data in enumerate(events):
            if isinstance(data, ErrorEvent) and not self.done:
                yield {"event": "error", "error": _decode_error_event(data)}
                continue
            if not data.startswith(b"{"):
                self.done = self.done or data.strip() == DONE
                if data.strip() in _NOTHING:
                    continue  # an event without data
            if self.done:
                return
            try:
                payload = _parse_object(data, self._events.events - len(events) + number + 1)
                if isinstance(data, NamedEvent) and "choices" not in payload:
                    # Its name tells a ping's words from an error's.
                    payload = {"event": data.name, **payload}
                yield payload
            except OpenRouterMalformedResponseError:
                is_ping = isinstance(data, NamedEvent) and not data.lstrip().startswith(b"{")
                if not (self.is_answer_whole or is_ping):
                    raise


def _parse_object(data: bytes | bytearray, position: int | None = None) -> dict[str, Any]:
    """Parse an event, named by its position in the stream, or a whole body."""
    where = "the body" if position is None else f"event {position} of the stream"
    try:
        value = decode_leniently(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(
            f"{where} is not JSON ({type(error).__name__}): {_excerpt(data)}"
        ) from error
    if is_array(value) and value and all(is_object(each) and each.get("error") for each in value):
        return {"error": value}  # as Gemini's endpoint writes errors
    if not is_object(value):
        raise _malformed(f"{where} is not a JSON object: {_excerpt(data)}")
    return value


def _decode_error_event(data: bytes) -> Any:
    """Decode what an error event says; an error is never lost for its form."""
    text = data.decode("utf-8", "replace").strip()
    try:
        return decode_leniently(text) or {"message": text}
    except (ValueError, RecursionError):
        return {"message": text or "an error event without data"}


def _recognise(head: bytearray) -> Framing:
    start = bytes(head).lstrip(_PADDING)[:8]
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith(b"<"):
        return "page"
    if start.startswith(_FIELDS):
        return "events"
    if any(field.startswith(start) for field in _FIELDS):
        return "unknown"  # only white space so far, or the beginning of a field name
    raise _malformed(f"neither JSON nor an event stream: {_excerpt(head)}")


def _malformed(what: str, *, retryable: bool | None = None) -> OpenRouterMalformedResponseError:
    return OpenRouterMalformedResponseError(
        f"Malformed answer: {what}. Ask again; if it goes on, check base_url and what stands "
        "between here and OpenRouter.",
        retryable=retryable,
    )


def _excerpt(data: bytes | bytearray) -> str:
    text = bytes(data[: MAX_EXCERPT_CHARS * 4]).decode("utf-8", "replace").strip()
    text = redact(without_pages(text))
    if len(text) > MAX_EXCERPT_CHARS:
        text = f"{text[:MAX_EXCERPT_CHARS]}{ELLIPSIS}"
    return repr(text) if text else "the body is empty"
