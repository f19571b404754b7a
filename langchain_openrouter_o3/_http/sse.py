"""Server-sent events from bytes, as the WHATWG describes them.

Bytes, not text lines: `str.splitlines` and httpx's `iter_lines` cut JSON at U+2028, and a
character may arrive in two packets. Only `data` matters here; comments (OpenRouter's
`: OPENROUTER PROCESSING`) and the fields `event`, `id` and `retry` are skipped. Two things are kept
beside it: the name of an event, and that it is named `error` or `response.failed`, or that its data
came in a field `error`, as some gateways write; what they say there has no other sign of being an
error. Two faults are forgiven, because the data would be lost in silence: blanks before the name of
a field (byte order marks and zero bytes, too), and JSON without one (a line that begins with `{`,
and the rest of it), which is an event.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re

BLANKS = b" \t\v\f\0\xef\xbb\xbf"
"""The bytes of what may stand before a field; the last three are those of a byte order mark."""

_LEADING = re.compile(rb"(?:[ \t\v\f\0]|\xef\xbb\xbf)*")  # no bytes of other characters
_DATA_FIELDS = (b"data", b"error", b"{")
_FIELDS = (b"data", b"event", b"error", b"id", b"retry", b":")
_MAX_BLANKS = 64
_ERROR_NAMES = (b"error", b"fail", b"exception")
DEFAULT_LIMIT = 32 * 1024 * 1024


class EventTooLargeError(ValueError):
    """One event is larger than the limit, so that memory stays bounded."""


class ErrorEvent(bytes):
    """The data of an event that is an error, whatever its data look like."""


class NamedEvent(bytes):
    """The data of an event that has a name of its own, such as a ping.

    Attributes:
        name: In lower case.
    """

    name: str

    @classmethod
    def of(cls, data: bytes, name: bytes) -> NamedEvent:
        """Give data the name of their event."""
        event = cls(data)
        event.name = name.decode("utf-8", "replace")
        return event


class SSEDecoder:
    """Turn pieces of a byte stream into the data of its events.

    Feed it pieces cut anywhere; the result does not depend on where they were cut.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        """Start before the first byte.

        Args:
            limit: Largest size of one event, in bytes.
        """
        self._limit = limit
        self._line = bytearray()  # a line whose end has not come yet
        self._data: list[bytes] = []  # the data lines of the event under way
        self._size = 0
        self._is_plain = False  # the data under way are JSON without the name of a field
        self._is_error = False  # the event under way says that it is one
        self._name = b""  # of the event under way, unless it is an ordinary one
        self._after_cr = False  # a CR ended the last piece: an LF that follows belongs to it
        self.events = 0
        """Events seen so far, for messages that say where a stream went wrong."""

    @property
    def held(self) -> int:
        """Bytes of data of the event under way; comments and other fields are none."""
        is_data = self._is_plain or self._line[:_MAX_BLANKS].lstrip(BLANKS).startswith(_DATA_FIELDS)
        return self._size + (len(self._line) if is_data else 0)

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes and return the data of the events that they complete.

        Raises:
            EventTooLargeError: An event grows beyond the limit.
        """
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece[1:] if piece.startswith(b"\n") else piece
        events: list[bytes] = []
        under_way = self._data or self._name or self._is_error
        if under_way or b"\r" in piece or b"\n\n" not in piece:
            self._feed_lines(piece, events)
        else:
            self._feed_plain(piece, events)
        return events

    def _feed_plain(self, piece: bytes, events: list[bytes]) -> None:
        """Take whole events as OpenRouter writes them: one `data: ` line and a blank line.

        One search an event instead of one look at each line; anything else takes the other way.
        """
        if self._line:
            piece = bytes(self._line) + piece
            self._line.clear()
        *whole, rest = piece.split(b"\n\n")
        for event in whole:
            if event.startswith(b"data: ") and b"\n" not in event:
                self._check_size(len(event))
                events.append(event[6:])
                self.events += 1
            else:
                self._feed_lines(event + b"\n\n", events)
        self._feed_lines(rest, events)

    def _feed_lines(self, piece: bytes, events: list[bytes]) -> None:
        for line in piece.splitlines(keepends=True):
            if line[-1] in b"\r\n":
                self._end_line(line.rstrip(b"\r\n") if not self._line else self._join(line), events)
            else:
                self._line += line
        self._after_cr = piece.endswith(b"\r")
        self._check_size(len(self._line))

    def flush(self) -> list[bytes]:
        """Return the event that the end of the stream left unfinished, if there is one."""
        events: list[bytes] = []
        if self._line:
            self._end_line(self._join(b""), events)
        self._end_line(b"", events)
        return events

    def _join(self, end: bytes) -> bytes:
        whole = bytes(self._line) + end.rstrip(b"\r\n")
        self._line.clear()
        return whole

    def _end_line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            self._end_event(events)
        elif self._is_plain or not line.startswith(_FIELDS):
            self._end_odd_line(line, events)
        else:
            self._end_field(line)

    def _end_odd_line(self, line: bytes, events: list[bytes]) -> None:
        """Take a line that is no field, or stands within JSON, whose lines begin like no field."""
        bare = _LEADING.sub(b"", line, count=1)
        is_field = bare.startswith(_FIELDS)
        begins = bare.startswith(b"{") and not (self._is_plain and len(bare) < len(line))
        if (self._is_plain and is_field) or (self._data and begins):
            self._end_event(events)
        if is_field:
            self._end_field(bare)
        elif begins or self._is_plain:
            self._is_plain = True
            self._add(bare)

    def _end_field(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._add(line[5:])
        elif line == b"data":
            self._add(b"")
        elif line.startswith(b"error:"):
            self._is_error = True
            self._add(line[6:])
        elif line.startswith(b"event:") or line == b"event":
            name = line[6:].strip().lower()
            self._is_error = any(each in name for each in _ERROR_NAMES)
            self._name = b"" if name == b"message" else name

    def _add(self, value: bytes) -> None:
        value = value.removeprefix(b" ")
        self._data.append(value)
        self._size += len(value) + 1
        self._check_size(0)

    def _end_event(self, events: list[bytes]) -> None:
        if self._data or self._is_error:
            data = b"\n".join(self._data)
            if self._is_error:
                data = ErrorEvent(data)
            elif self._name:
                data = NamedEvent.of(data, self._name)
            events.append(data)
            self.events += 1
        self._data = []
        self._size = 0
        self._is_plain = self._is_error = False
        self._name = b""

    def _check_size(self, pending: int) -> None:
        if self._size + pending > self._limit:
            raise EventTooLargeError(f"an event of the stream is larger than {self._limit} bytes")
