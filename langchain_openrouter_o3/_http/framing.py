"""HTTP/1.1 without I/O: h11 writes and reads the heads, bodies are cut out here.

h11 makes an event of each piece of a chunked body, which costs more than reading the JSON in
it; one search for the end of a size line does the same. The rules of heads, where clients and
servers disagree, stay h11's. The property tests compare both.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-6
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import h11
import httpcore

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HEAD = 100 * 1024
MAX_SIZE_LINE = 1024
MAX_TRAILERS = 100
_CRLF = b"\r\n"
# Extensions mean nothing to anybody. As strict as h11.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[\t\x20-\x7e\x80-\xff]*)?[ \t]*")


class Body(Protocol):
    """Cuts one body out of what a connection brings.

    Attributes:
        done: Whether its end was reached.
        rest: What came after its end; the next answer's, or nobody's.
        broken: Why nothing more can be read; raised after what came before it has been taken.
    """

    done: bool
    rest: bytes
    broken: httpcore.RemoteProtocolError | None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that belong to the body.

        Raises:
            httpcore.RemoteProtocolError: They are no HTTP, and nothing came before that.
        """
        ...

    def end(self) -> None:
        """Take the end of the connection.

        Raises:
            httpcore.RemoteProtocolError: The body is broken or not complete.
        """
        ...


class ChunkedBody:
    """A body in chunks, each with its size before it."""

    def __init__(self) -> None:
        """Start before the first size line."""
        self.done = False
        self.rest = b""
        self.broken: httpcore.RemoteProtocolError | None = None
        self._left = 0  # bytes that are still to come of the chunk under way
        self._closing = False  # whether a chunk's own line end is still to come
        self._trailing = False  # whether the last chunk has come, and trailers may follow
        self._trailers = 0

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        if self.rest:
            data, self.rest = self.rest + data, b""
        parts: list[bytes] = []
        try:
            self._cut(data, parts)
        except httpcore.RemoteProtocolError as error:
            self.broken = error
            if not any(parts):
                raise
        return b"".join(parts)

    def _cut(self, data: bytes, parts: list[bytes]) -> None:
        position = self._finish_chunk(data, parts)
        while position < len(data) and not self.done:
            start = self._read_line(data, position)
            if start is None:
                self.rest = data[position:]
                break
            position = start + self._left
            parts.append(data[start:position])
            self._left = max(0, position - len(data))
            if self._closing and not self._left:
                position = self._close_chunk(data, position)
        if self.done:
            self.rest = data[position:]

    def end(self) -> None:
        """See `Body.end`."""
        if not self.done:
            raise self.broken or _incomplete()

    def _finish_chunk(self, data: bytes, parts: list[bytes]) -> int:
        """Take what the last piece left open of a chunk; return where to go on."""
        position = 0
        if self._left:
            parts.append(data[: self._left])
            position = min(self._left, len(data))
            self._left -= position
        return self._close_chunk(data, position) if self._closing and not self._left else position

    def _close_chunk(self, data: bytes, position: int) -> int:
        ending = data[position : position + 2]
        if ending == _CRLF:
            self._closing = False
            return position + 2
        if not _CRLF.startswith(ending):
            raise httpcore.RemoteProtocolError("a chunk is longer than it says")
        self.rest = ending  # the line end is cut in two
        return len(data)

    def _read_line(self, data: bytes, position: int) -> int | None:
        """Read a size line, or a trailer's; return where it ends, None if it is not whole."""
        end = data.find(_CRLF, position)
        if end < 0:
            if len(data) - position > MAX_SIZE_LINE:
                raise httpcore.RemoteProtocolError("the size line of a chunk is too long")
            return None
        line = data[position:end]
        if self._trailing:
            self._trailers += 1
            if self._trailers > MAX_TRAILERS:
                raise httpcore.RemoteProtocolError("too many trailers")
            self.done = not line
            return end + 2
        self._left = _parse_size(line)
        self._trailing = not self._left
        self._closing = not self._trailing
        return end + 2


class SizedBody:
    """A body whose length the head tells, or none at all."""

    def __init__(self, length: int) -> None:
        """Take the length in bytes."""
        self.done = length == 0
        self.rest = b""
        self.broken: httpcore.RemoteProtocolError | None = None
        self._left = length

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        body, self.rest = data[: self._left], data[self._left :]
        self._left -= len(body)
        self.done = self._left == 0
        return body

    def end(self) -> None:
        """See `Body.end`."""
        if not self.done:
            raise _incomplete()


class OpenBody:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        """Start."""
        self.done = False
        self.rest = b""
        self.broken: httpcore.RemoteProtocolError | None = None

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        return data

    def end(self) -> None:
        """See `Body.end`."""
        self.done = True


class Exchange:
    """The heads of one request and its answer."""

    def __init__(self, path: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Prepare a POST request.

        Raises:
            httpcore.LocalProtocolError: A header cannot be sent.
        """
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        try:
            request = h11.Request(method=b"POST", target=path, headers=list(headers))
            self.head = self._h11.send(request) or b""
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(str(error)) from error
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.keeps_alive = False

    def feed(self, data: bytes) -> Body | None:
        """Take the next bytes of the answer; return its body once the head is complete.

        Raises:
            httpcore.RemoteProtocolError: They are no HTTP, or the server left.
        """
        if not data:
            raise httpcore.RemoteProtocolError("Server disconnected without sending a response.")
        try:
            self._h11.receive_data(data)
            event = self._h11.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        if event is h11.PAUSED:
            raise httpcore.RemoteProtocolError("the server wants to speak another protocol")
        if not isinstance(event, h11.Response):
            return None
        self.status = event.status_code
        self.headers = list(event.headers)
        body = self._body()
        body.rest = self._h11.trailing_data[0]
        return body

    def _body(self) -> Body:
        """Choose how the body ends; h11 has refused heads that contradict themselves."""
        found = dict(self.headers)
        options = [value.lower() for name, value in self.headers if name == b"connection"]
        closing = any(b"close" in option for option in options)
        self.keeps_alive = self._h11.their_http_version == b"1.1" and not closing
        if self.status in (204, 304):
            return SizedBody(0)
        if found.get(b"transfer-encoding", b"").lower() == b"chunked":
            return ChunkedBody()
        if b"content-length" in found:
            return SizedBody(int(found[b"content-length"]))
        self.keeps_alive = False
        return OpenBody()


def _parse_size(line: bytes) -> int:
    found = _SIZE.fullmatch(line)
    if found is None:
        raise httpcore.RemoteProtocolError("the size of a chunk is no number")
    return int(found[1], 16)


def _incomplete() -> httpcore.RemoteProtocolError:
    return httpcore.RemoteProtocolError(
        "peer closed connection without sending complete message body"
    )
