"""Starting the asynchronous generators of httpx so that their reader alone closes them.

docs/decisions.md says why ("The nested generators of httpx are closed by their reader alone").
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Generator
from typing import Any


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
