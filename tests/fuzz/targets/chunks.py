"""What h11 reads is the same with and without the chunk joiner before it."""

from __future__ import annotations

from typing import Any

import h11

from langchain_openrouter_o3._http.chunk_joiner import MAX_HEAD, ChunkJoiner
from tests.fuzz.source import one_by_one, pieces_of

REQUEST = h11.Request(
    method=b"POST", target=b"/", headers=[(b"host", b"openrouter.test"), (b"content-length", b"0")]
)


class Reading:
    """One answer as h11 reads it.

    Attributes:
        events: All but the data.
        body: The data.
        ending: "end" of the answer, "error", "paused" (another protocol), or "cut".
        is_left: Whether h11 has unread bytes behind the answer.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.body = b""
        self.ending = ""
        self.is_left = False
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._h11.send(REQUEST)
        self._h11.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        """Take bytes; empty ones are the end of the connection."""
        if self.ending:
            return
        self._h11.receive_data(data)
        try:
            while (event := self._h11.next_event()) is not h11.NEED_DATA:
                self._take(event)
                if self.ending:
                    break
        except h11.RemoteProtocolError:
            self.ending = "error"
        if self.ending == "end":
            self.is_left = bool(self._h11.trailing_data[0])

    def _take(self, event: Any) -> None:
        if isinstance(event, h11.Data):
            self.body += bytes(event.data)
            return
        if isinstance(event, h11.EndOfMessage):
            self.ending = "end"
        elif event is h11.PAUSED:
            self.ending = "paused"
        elif isinstance(event, h11.ConnectionClosed):
            self.ending = "cut"
        if isinstance(event, (h11.Response, h11.InformationalResponse)):
            self.events.append((event.status_code, event.http_version, event.headers.raw_items()))
        if isinstance(event, h11.EndOfMessage):
            self.events.append(event.headers.raw_items())

    @property
    def told(self) -> tuple[Any, ...]:
        """What httpcore would learn from it."""
        return self.events, self.body, self.ending


def compare(pieces: list[bytes]) -> ChunkJoiner:
    """Read pieces with h11 alone and behind a joiner, and compare.

    Returns:
        The joiner, as it is after the last piece that h11 needed.

    Raises:
        AssertionError: h11 reads something else, or a connection that has bytes left is clean.
    """
    alone, behind, joiner = Reading(), Reading(), ChunkJoiner()
    for piece in pieces:
        alone.feed(piece)
        if joined := joiner.feed(piece):
            behind.feed(joined)
        if alone.ending:
            break
    else:
        alone.feed(b"")
        if not behind.ending:
            for rest in (joiner.flush(), b""):
                behind.feed(rest)
    assert behind.told == alone.told
    if alone.ending == "end" and joiner.is_clean:
        assert not alone.is_left
    return joiner


def joiner(data: bytes) -> None:
    """The joiner changes nothing that h11 reads, however the network cuts."""
    pieces = [piece for piece in pieces_of(data) if piece]
    whole = b"".join(pieces)
    for cut in (pieces, [whole] if whole else [], one_by_one(whole)):
        compare(cut)
