"""Bodies as httpx takes and gives them, without the traps of its generators.

docs/decisions.md says why ("The nested generators of httpx are closed by their reader alone").
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

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


@types.coroutine
def first_piece(pieces: AsyncIterator[bytes]) -> Generator[Any, Any, bytes]:
    """Start httpx's nested generators, and keep the event loop from knowing them.

    They start before the first pause, while the hooks are off. The loop would otherwise close
    them on its own, beside the performer that reads them (`sys.set_asyncgen_hooks`).
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        steps: Any = anext(pieces, b"").__await__()
        awaited = steps.send(None)
    except StopIteration as done:
        return bytes(done.value)
    finally:
        sys.set_asyncgen_hooks(*hooks)
    while True:
        try:
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
                awaited = steps.throw(error)
            else:
                awaited = steps.send(sent)
        except StopIteration as done:  # noqa: PERF203 - this is how a coroutine ends
            return bytes(done.value)
