"""The body of a request, in one piece and without generators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx


class RequestBody(httpx.ByteStream):
    """A body in one piece.

    httpx's own iterates with generators, which stay suspended when a write fails.
    """

    def __init__(self, body: bytes) -> None:
        """Take it; it is never copied."""
        super().__init__(body)
        self._pieces = (body,)

    def __iter__(self) -> Iterator[bytes]:
        """Give it, as often as asked."""
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give it on an event loop."""
        return _OnePiece(self._pieces)


class _OnePiece:
    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None
