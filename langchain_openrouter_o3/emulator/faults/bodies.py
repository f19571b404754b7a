"""Bodies that are unusual or wrong: compressed, mislabelled, enormous."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from langchain_openrouter_o3.emulator.fault import Fault, Head, Step, Write
from langchain_openrouter_o3.emulator.faults.position import EVENT, Place, check_count, check_one_of

if TYPE_CHECKING:
    from collections.abc import Sequence


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
