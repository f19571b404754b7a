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

from langchain_openrouter_o3._json import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Callable

_INDEX = "index"
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


def join_values(values: list[Any]) -> Any:
    """Join what came of one unknown field: texts and lists grow, other values replace each other.

    All at once: joining at each delta is quadratic.
    """
    last = values[-1]
    if isinstance(last, str):
        return "".join([*takewhile(lambda value: isinstance(value, str), reversed(values))][::-1])
    if is_array(last):
        run = [*takewhile(is_array, reversed(values))][::-1]
        return list(chain.from_iterable(run))
    return last


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
