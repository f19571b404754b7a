"""Joins the chunks of an HTTP/1.1 body before h11 reads them, and sees where the answer ends.

h11 makes an event of each chunk of a chunked body, and httpcore and httpx hand each event through
four generators: together that costs more than reading the JSON inside. A server sends many small
chunks in one piece of the network; joined into one chunk they are one event.

Strategy: h11 stays the judge of HTTP. All bytes go to it, in order. The joiner rewrites only what
it knows for certain: adjacent whole chunks with plain size lines, below a head that is written as
RFC 9112 says. At the first byte that is not plain it steps aside and hands the rest of the answer
through untouched (`_Phase.OPAQUE`). It holds back the few bytes of a size line that is cut in two,
because h11 could do nothing with them either.

It also tells whether the answer has ended and nothing came behind it: only such a connection may
be used again, because h11 would take what is left for the head of the next answer. After anything
opaque it says no, which costs a connection and never an answer.

`tests/properties/test_chunk_joiner.py` compares both with h11 alone.

Source: https://www.rfc-editor.org/rfc/rfc9112#section-6
"""

from __future__ import annotations

import enum
import re

MAX_HEAD = 100 * 1024
"""Bytes; httpcore's own limit, beyond which h11 refuses a head."""

MAX_INTERIM_HEADS = 32
"""Informational (1xx) heads before an answer; more are an attack, and are not read."""

_CRLF = b"\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_END_OF_HEAD = re.compile(rb"\n\r?\n")  # what h11 takes for it
_INTERIM = re.compile(rb"HTTP/[0-9]\.[0-9] 1(?!01)[0-9][0-9]")  # 101 would end HTTP
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_FRAMING = re.compile(rb"\r\n(transfer-encoding|content-length):[ \t]*([^\r\n]*)", re.IGNORECASE)
_ODD_LINE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\n[ \t]")  # a lone CR or LF, or a folded header
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_BEGINNING_OF_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}\r?")
_WITHOUT_BODY = (b"204", b"304")


class _Phase(enum.Enum):
    HEAD = enum.auto()
    CHUNKS = enum.auto()
    SIZED = enum.auto()
    OPAQUE = enum.auto()
    ENDED = enum.auto()


class ChunkJoiner:
    """Rewrites the bytes of one answer for h11.

    Attributes:
        has_begun: Whether any byte of the answer has come.
        interim_heads: How many informational (1xx) heads have come.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self.interim_heads = 0
        self._phase = _Phase.HEAD
        self._head = bytearray()
        self._left = 0  # bytes still to come of the chunk under way, or of a sized body
        self._held = b""  # a size line that is cut in two; behind the end, surplus bytes

    @property
    def awaits_head(self) -> bool:
        """Whether the head of the answer is not complete."""
        return self._phase is _Phase.HEAD

    @property
    def is_clean(self) -> bool:
        """Whether the answer has ended for certain, and nothing came behind it."""
        return self._phase is _Phase.ENDED and not self._held

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the network and return what h11 is to read; it may be empty."""
        self.has_begun = True
        if self._held:
            data, self._held = self._held + data, b""
        return self._feed(data, 0)

    def flush(self) -> bytes:
        """Return what is held back, because the connection has ended."""
        held, self._held = self._held, b""
        self._phase = _Phase.OPAQUE
        return held

    def _feed(self, data: bytes, start: int) -> bytes:
        if self._phase is _Phase.CHUNKS:
            return self._feed_chunks(data, start)
        if self._phase is _Phase.HEAD:
            return self._feed_head(data, start)
        if self._phase is _Phase.SIZED:
            return self._feed_sized(data, start)
        if self._phase is _Phase.ENDED:
            self._held = data[start:]
            return b""
        return data[start:]

    def _feed_head(self, data: bytes, start: int) -> bytes:
        at = start
        while self._phase is _Phase.HEAD:  # a loop: a piece may hold thousands of interim heads
            already = len(self._head)
            head = self._head + data[at : at + MAX_HEAD + 1]
            found = _END_OF_HEAD.search(head, max(0, already - 2))
            if found is None:
                self._head = head
                if len(head) > MAX_HEAD:
                    self._phase = _Phase.OPAQUE
                return data[start:]
            self._head = bytearray()
            self._begin_body(bytes(head[: found.end()]))
            at += found.end() - already
            if self.interim_heads > MAX_INTERIM_HEADS:
                self._phase = _Phase.OPAQUE
        return data[start:at] + self._feed(data, at)

    def _begin_body(self, head: bytes) -> None:
        """Choose how the body ends, if the head leaves no doubt; else h11 decides alone."""
        if _INTERIM.match(head):
            self.interim_heads += 1  # another head follows
            return
        self._phase = _Phase.OPAQUE
        status = _STATUS.match(head)
        framing = _FRAMING.findall(head)
        if status is None or status[1] in _WITHOUT_BODY or len(framing) != 1:
            return
        if _ODD_LINE.search(head):
            return
        ((name, value),) = framing
        if name.lower() == b"content-length":
            if _LENGTH.fullmatch(value):
                self._left = int(value)
                self._phase = _Phase.SIZED if self._left else _Phase.ENDED
        elif value.lower() == b"chunked":
            self._phase = _Phase.CHUNKS

    def _feed_sized(self, data: bytes, start: int) -> bytes:
        end = start + self._left
        body = data[start:end]
        self._left -= len(body)
        if not self._left:
            self._phase = _Phase.ENDED
            self._held = data[end:]
        return body

    def _feed_chunks(self, data: bytes, start: int) -> bytes:
        position = min(start + self._left, len(data))
        under_way = data[start:position]
        self._left -= len(under_way)
        whole: list[bytes] = []
        while line := _SIZE_LINE.match(data, position):
            content = line.end()
            end = content + int(line[1], 16)
            if end == content or data[end : end + 2] != _CRLF:
                break
            whole.append(data[content:end])
            position = end + 2
        if len(whole) == 1 and position == len(data) and not under_way:
            return data[start:]  # a single chunk, as tokens come one by one: nothing to join
        return b"".join((under_way, *_joined(whole), self._feed_odd_chunk(data[position:])))

    def _feed_odd_chunk(self, rest: bytes) -> bytes:
        """Take what is no whole chunk: the last one, one that is cut in two, or not plain."""
        if rest.startswith(_LAST_CHUNK):
            self._phase = _Phase.ENDED
            self._held = rest[len(_LAST_CHUNK) :]
            return _LAST_CHUNK
        if _LAST_CHUNK.startswith(rest) or _BEGINNING_OF_SIZE_LINE.fullmatch(rest):
            self._held = rest
            return b""
        line = _SIZE_LINE.match(rest)
        size = int(line[1], 16) if line is not None else 0
        if line is not None and size and line.end() + size + 2 > len(rest):
            self._left = line.end() + size + 2 - len(rest)
        else:
            self._phase = _Phase.OPAQUE  # an extension, a trailer, or no HTTP: h11 decides
        return rest


def _joined(chunks: list[bytes]) -> tuple[bytes, ...]:
    if not chunks:
        return ()
    return (b"%x\r\n" % sum(map(len, chunks)), *chunks, _CRLF)
