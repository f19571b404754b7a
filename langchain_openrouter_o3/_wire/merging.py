"""Lists that survive the sum of two messages.

langchain-core takes list items of two messages that have the same integer `index` for pieces of one
item: it joins their texts, and the reasoning of one answer gets the ciphertext of another. This
package joins the pieces of a stream itself, so core has nothing to join. It looks for integers
only, and to Python and to JSON `0.0` is the same number as `0`. So an index is kept as a float,
which survives JSON and checkpoints, and goes back as an integer.

Source: `langchain_core.utils._merge.merge_lists`
"""

from __future__ import annotations

from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import is_array, is_object, is_text
from langchain_openrouter_o3.errors.redaction import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

_INDEX = "index"
_SAID_AGAIN = frozenset(
    {"format", "id", "model", "model_name", "name", "object", "role", "status", "type"}
)
_PIECES = frozenset({"data", "transcript"})
"""Texts within objects that come in pieces: those of audio. Others are said again."""

_EXACT = 2**53
"""Below this, every integer is a float, too."""


def keep_apart(value: Any) -> Any:
    """Return JSON-like data whose list items core cannot join with those of another message."""
    return _map_items(value, _with_float)


def as_sent(value: Any) -> Any:
    """Return the data of `keep_apart` as they came from the server."""
    return _map_items(value, _with_integer)


def _map_items(value: Any, change: Callable[[Any], Any]) -> Any:
    """Change the items of lists, also of those in objects."""
    if is_array(value):
        return [change(item) for item in value]
    if is_object(value):
        return {key: _map_items(item, change) for key, item in value.items()}
    return value


def _with_float(item: Any) -> Any:
    index = item.get(_INDEX) if is_object(item) else None
    return {**item, _INDEX: float(index)} if type(index) is int and abs(index) < _EXACT else item


def _with_integer(item: Any) -> Any:
    index = item.get(_INDEX) if is_object(item) else None
    return {**item, _INDEX: int(index)} if type(index) is float and index.is_integer() else item


def join_values(values: list[Any], name: str = "", depth: int = 0) -> Any:
    """Join what came of one unknown field: texts and lists grow, other values replace each other.

    Objects are joined key by key. All at once: joining at each delta is quadratic.

    Args:
        values: None of them null.
        name: Of the field; some are said again in each delta.
        depth: Levels above it; a hostile body must not exhaust the stack.
    """
    last = values[-1]
    if len(values) == 1 or name in _SAID_AGAIN or depth > MAX_DEPTH:
        return last
    if isinstance(last, str):
        return last if depth and name not in _PIECES else "".join(_last_run(values, is_text))
    if is_array(last):
        return list(chain.from_iterable(_last_run(values, is_array)))
    if is_object(last):
        fields: dict[str, list[Any]] = {}
        for each in _last_run(values, is_object):
            for key, value in each.items():
                if value is not None:
                    fields.setdefault(key, []).append(value)
        return {key: join_values(found, key, depth + 1) for key, found in fields.items()}
    return last


def _last_run(values: list[Any], belongs: Callable[[Any], bool]) -> list[Any]:
    return [*takewhile(belongs, reversed(values))][::-1]


def merge_logprobs(values: list[Any]) -> Any:
    """Join the lists of a stream's logprobs; other shapes (a bare number) replace each other."""
    merged: Any = None
    for value in values:
        if not (is_object(merged) and is_object(value)):
            merged = {} if is_object(value) else value
        for key, items in value.items() if is_object(value) else ():
            if is_array(merged.get(key)) and is_array(items):
                merged[key] += items
            elif items is not None or key not in merged:
                merged[key] = [*items] if is_array(items) else items
    return merged
