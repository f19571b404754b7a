"""No secret in the frames that errors drag along.

The frames below a request hold its raw head, and in the head is the key; those that read an answer
hold what a gateway echoes. Whoever shows the local variables of frames (Sentry does by default,
rich and `traceback` on demand) would show them. So errors leave the frames below the flow of a
request behind; class, text and chain stay.
"""

from __future__ import annotations

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def without_frames(error: E) -> E:
    """Take the frames out of an error and of all that led to it; see the module."""
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            found += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return error
