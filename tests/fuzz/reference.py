"""Server-sent events by the letter of the WHATWG: slow, whole, and without the package's code.

Two faults are forgiven: blanks before a field's name (also zero bytes and byte order marks, which
the letter forgives at the beginning alone), and JSON on lines of its own. And an event that says
that it is an error is one without data, too; what a field `error` holds is its data.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

_CR, _LF = b"\r\n"
_BLANKS = (b" ", b"\t", b"\x0b", b"\x0c", b"\0", b"\xef\xbb\xbf")
_FIELDS = (b"data", b"event", b"error", b"id", b"retry", b":")
_ERRORS = (b"error", b"fail", b"exception")


Named = tuple[bytes, bytes]
"""The name of an event, and its data."""


def interpret(stream: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the data of the events, and of what the end leaves unfinished."""
    events, unfinished = interpret_named(stream)
    return [data for _, data in events], [data for _, data in unfinished]


def interpret_named(stream: bytes) -> tuple[list[Named], list[Named]]:
    """Return the events with their names, and what comes behind the last end of a line."""
    whole = max(stream.rfind(b"\n"), stream.rfind(b"\r")) + 1
    events, _ = _read(stream[:whole])
    every, unfinished = _read(stream)
    return events, [*every[len(events) :], *unfinished]


def _read(stream: bytes) -> tuple[list[Named], list[Named]]:
    events: list[Named] = []
    name, buffer, is_json, is_error = b"", b"", False, False
    for line in _lines(stream):
        bare = _without_blanks(line)
        field, _, value = bare.partition(b":")
        begins = bare[:1] == b"{" and (not is_json or bare == line)
        if line == b"" or (begins and buffer) or (is_json and bare.startswith(_FIELDS)):
            events += [(name, buffer[:-1])] if buffer or is_error else []
            name, buffer, is_json, is_error = b"", b"", False, False
        is_json = is_json or begins
        if is_json:
            buffer += bare + b"\n"
        elif field == b"data" or bare.startswith(b"error:"):
            buffer += (value[1:] if value[:1] == b" " else value) + b"\n"
            is_error = is_error or field == b"error"
        elif field == b"event":
            name = value[1:] if value[:1] == b" " else value
            is_error = any(each in name.lower() for each in _ERRORS)
    return events, [(name, buffer[:-1])] if buffer or is_error else []


def _without_blanks(line: bytes) -> bytes:
    while blank := next(filter(line.startswith, _BLANKS), b""):
        line = line[len(blank) :]
    return line


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
