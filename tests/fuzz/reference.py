"""Server-sent events by the letter of the WHATWG: slow, whole, and without the package's code.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"
_CR, _LF = b"\r\n"


Named = tuple[bytes, bytes]
"""The name of an event, and its data."""


def interpret(stream: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the data of the events, and of the one that the end leaves unfinished."""
    events, unfinished = interpret_named(stream)
    return [data for _, data in events], [data for _, data in unfinished]


def interpret_named(stream: bytes) -> tuple[list[Named], list[Named]]:
    """Return the events with their names, and the one that the end leaves unfinished."""
    events: list[Named] = []
    name, buffer = b"", b""
    for line in _lines(stream[3:] if stream[:3] == _BOM else stream):
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            buffer += value + b"\n"
        elif field == b"event":
            name = value
        elif line == b"":
            events += [(name, buffer[:-1])] if buffer else []
            name, buffer = b"", b""
    return events, [(name, buffer[:-1])] if buffer else []


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
