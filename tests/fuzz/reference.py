"""Server-sent events by the letter of the WHATWG: slow, whole, and without the package's code.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"
_CR, _LF = b"\r\n"


def interpret(stream: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the data of the events, and of the one that the end leaves unfinished."""
    events: list[bytes] = []
    buffer = b""
    for line in _lines(stream[3:] if stream[:3] == _BOM else stream):
        if line != b"":
            field, _, value = line.partition(b":")
            if field == b"data":
                buffer += (value[1:] if value[:1] == b" " else value) + b"\n"
        elif buffer:
            events.append(buffer[:-1])
            buffer = b""
    return events, [buffer[:-1]] if buffer else []


def _lines(stream: bytes) -> list[bytes]:
    lines: list[bytes] = []
    line = bytearray()
    before = -1
    for byte in stream:
        if byte in (_CR, _LF):
            if not (byte == _LF and before == _CR):
                lines.append(bytes(line))
                line.clear()
        else:
            line.append(byte)
        before = byte
    return [*lines, bytes(line)] if line else lines
