"""`python -m tests.properties.linear`: the work for an answer grows no faster than the answer.

In process and without a socket: what the client itself does with one answer of 1,000 and of 16,000
items, in each dimension that an answer has. The figure is CPU time an item; the ratio of the two
is 1 if the work is linear, and 16 if it is quadratic.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._wire.readers import ChunkReader, MessageReader

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1_000, 16_000)
LIMIT = 3.0
"""Largest ratio of the two; caches of the processor cost large answers more, too."""


def _deltas(make: Callable[[int], dict[str, Any]]) -> Callable[[int], list[dict[str, Any]]]:
    """Bring one item in each chunk."""
    last = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    return lambda size: [
        *({"choices": [{"index": 0, "delta": make(number)}]} for number in range(size)),
        last,
    ]


def _whole(make: Callable[[int], dict[str, Any]]) -> Callable[[int], list[dict[str, Any]]]:
    """Bring all items in one body."""

    def payloads(size: int) -> list[dict[str, Any]]:
        message: dict[str, Any] = {"content": "x"}
        for number in range(size):
            for key, items in make(number).items():
                message.setdefault(key, []).extend(items)
        return [{"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}]

    return payloads


def _call(number: int, identity: str, arguments: str = "{}") -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"index": number, "id": identity, "function": function}]}


def _summary(number: int, identity: str | None = None) -> dict[str, Any]:
    entry = {"type": "reasoning.summary", "summary": "a", "index": number, "id": identity}
    return {"reasoning_details": [entry]}


MANY: dict[str, Callable[[int], dict[str, Any]]] = {
    "calls": lambda number: _call(number, f"call_{number}"),
    "calls of one id": lambda number: _call(number, "call_1"),
    "reasoning entries": _summary,
    "reasoning entries of one index": lambda number: _summary(0, f"rs_{number}"),
    "annotations": lambda number: {"annotations": [{"type": "url_citation", "n": number}]},
    "unknown lists": lambda number: {"future": [number]},
}
GROWING: dict[str, Callable[[int], dict[str, Any]]] = {
    "text": lambda _: {"content": "ab"},
    "reasoning": lambda _: {"reasoning": "ab"},
    "reasoning, its twin later": lambda number: {"reasoning": "ab"} if number % 2 else _summary(0),
    "arguments": lambda number: _call(0, "call_1", '{"a":"' if number == 0 else "}{"),
    "arguments that come again": lambda _: _call(0, "call_1", '{"a":1}'),
    "pieces of reasoning": lambda _: _summary(0),
    "refusal": lambda _: {"refusal": "ab"},
    "unknown texts": lambda _: {"future": "ab"},
    "odd values": lambda number: {"refusal": number, "annotations": {"n": number}},
}


def dimensions() -> dict[str, Callable[[int], list[dict[str, Any]]]]:
    """Return what makes the payloads of an answer of some size, by what there is much of."""
    return {
        **{f"{name}, whole": _whole(make) for name, make in MANY.items()},
        **{f"{name}, streamed": _deltas(make) for name, make in {**MANY, **GROWING}.items()},
    }


def seconds(payloads: list[dict[str, Any]], kind: type[MessageReader | ChunkReader]) -> float:
    """Measure the CPU time of reading one answer."""
    framing = "json" if len(payloads) == 1 else "events"
    payloads = [json.loads(json.dumps(payload)) for payload in payloads]
    reader = kind({})
    start = time.process_time()
    for payload in payloads:
        reader.feed(payload, framing)
    reader.finish(done=True)
    return time.process_time() - start


def main() -> None:
    """Print the table; exit with 1 if something is not linear."""
    failed = False
    small, large = SIZES
    sys.stdout.write(f"{'µs an item':42} {'reader':14} {small:>8,} {large:>8,}  ratio\n")
    for name, make in dimensions().items():
        for kind in (MessageReader, ChunkReader):
            each = [min(seconds(make(size), kind) for _ in range(3)) / size * 1e6 for size in SIZES]
            ratio = each[1] / each[0]
            failed = failed or ratio > LIMIT
            mark = "  NOT LINEAR" if ratio > LIMIT else ""
            figures = f"{each[0]:8.2f} {each[1]:8.2f}  {ratio:.2f}{mark}"
            sys.stdout.write(f"{name:42} {kind.__name__:14} {figures}\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
