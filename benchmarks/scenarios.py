"""What is measured: one line each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.contestants import FLOOR, Name

Measure = Literal["cpu", "wall", "calls", "value"]
Kind = Literal["ratio", "difference", "limit"]


@dataclass(frozen=True)
class Target:
    """What the client should reach.

    Attributes:
        kind: A ratio to the floor, a difference to it, or a limit of its own.
        limit: At most this; in seconds where it is a time.
    """

    kind: Kind
    limit: float | None = None


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Attributes:
        name: How the command line selects it; a prefix selects several.
        title: What the table says.
        make: Where its task is made: `module:function`, or `probe:what` for a fresh interpreter.
        answer: What the server gives.
        units: How many calls or chunks one sample has.
        unit: What the absolute number counts, with its scale.
        target: What the client should reach.
        measure: CPU time, wall time, or a value such as bytes.
        floor: The parts of the floor that are added.
        rounds: Samples per contestant.
        fresh: Whether each sample needs a new process.
        whole: Whether the time is that of the sample, not of one unit.
        seconds: Longest time of one sample.
        only: The only clients that it is measured for; empty for all.
    """

    name: str
    title: str
    make: str
    answer: str
    units: int = 1
    unit: str = "µs/chunk"
    target: Target = Target("ratio")
    measure: Measure = "cpu"
    floor: tuple[Name, ...] = FLOOR
    rounds: int = 7
    fresh: bool = False
    whole: bool = False
    seconds: float = 60.0
    only: tuple[Name, ...] = ()


def _ratio(limit: float | None = None) -> Target:
    return Target("ratio", limit)


def _limit(limit: float | None = None) -> Target:
    return Target("limit", limit)


_CALL = Scenario("", "", "", "whole-12", units=50, unit="µs/call")
_STREAM = Scenario("", "", "streams:stream", "", units=2_000)
_BURST = Scenario(
    "",
    "",
    "",
    "",
    unit="s",
    measure="wall",
    target=_limit(1.5),
    rounds=3,
    fresh=True,
    whole=True,
    seconds=30.0,
)
_PROBE = Scenario("", "", "", "whole-12", unit="ms", measure="wall", fresh=True)
_MEMORY = Scenario(
    "", "", "", "text-2000", units=2_000, unit="kB", measure="value", rounds=1, target=_ratio()
)
SIZES = (1_000, 16_000)

_CALLS = (
    replace(_CALL, name="invoke", title="invoke", make="calls:invoke", target=_ratio(1.25)),
    replace(_CALL, name="ainvoke", title="ainvoke", make="calls:ainvoke", target=_ratio(1.05)),
    replace(
        _CALL,
        name="history",
        title="invoke, 200 messages with tools",
        make="calls:history",
        units=10,
        target=_ratio(1.3),
    ),
)
_STREAMS = (
    replace(_STREAM, name="stream", title="stream, text", answer="text-2000", target=_ratio(1.0)),
    replace(
        _STREAM,
        name="astream",
        title="astream, text",
        make="streams:astream",
        answer="text-2000",
        target=_ratio(1.0),
    ),
    replace(
        _STREAM,
        name="tool-deltas",
        title="stream, tool arguments",
        answer="tools-2000",
        target=_ratio(1.1),
    ),
    replace(
        _STREAM,
        name="reasoning",
        title="stream, reasoning",
        answer="reasoning-2000",
        target=_ratio(1.0),
    ),
    replace(
        _STREAM,
        name="chunks-apart",
        title="stream, chunks that come one by one",
        answer="text-500-apart",
        units=500,
        target=_ratio(1.55),
    ),
    replace(
        _STREAM,
        name="events",
        title="stream_events v3",
        make="streams:events",
        answer="text-2000",
        target=_ratio(1.0),
    ),
    Scenario(
        "first-token",
        "time to first token",
        "streams:first_token",
        "text-20",
        unit="ms",
        measure="wall",
        floor=("httpx",),
        rounds=15,
        target=Target("difference", 0.000_2),
    ),
)
_BURSTS = (
    replace(
        _BURST,
        name="burst-ainvoke",
        title="1,000 ainvoke at once, 100 ms of thinking",
        make="calls:burst",
        answer="whole-12-after-100",
        units=1_000,
    ),
    replace(
        _BURST,
        name="burst-astream",
        title="200 astream of 200 chunks at once",
        make="streams:astreams",
        answer="text-200",
        units=200,
    ),
)
_START = (
    replace(
        _PROBE,
        name="import",
        title="import",
        make="probe:import",
        floor=("core",),
        measure="cpu",
        rounds=15,
        target=_ratio(1.05),
    ),
    replace(
        _PROBE,
        name="first-call",
        title="first call of a process, TLS context included",
        make="probe:first-call",
        target=_limit(0.070),
    ),
    replace(
        _PROBE,
        name="cold-start",
        title="both: nothing gained by moving an import into the first call",
        make="probe:cold-start",
    ),
    Scenario(
        "instance",
        "one more instance",
        "calls:instance",
        "whole-12",
        units=20,
        unit="µs",
        floor=("core",),
        target=_limit(0.000_030),
    ),
)
_STRUCTURED = (
    Scenario(
        "structured",
        "structured output, 50 kB",
        "structured:whole",
        "object-50",
        units=10,
        unit="µs/call",
        target=_ratio(1.0),
    ),
    Scenario(
        "partial-objects",
        "structured output, 50 kB, streamed",
        "structured:streamed",
        "objects-50",
        rounds=3,
        seconds=120.0,
    ),
)
_LINEAR = tuple(
    scenario
    for size in SIZES
    for scenario in (
        replace(
            _STREAM,
            name=f"linear-{size}",
            title=f"stream of {size:,}",
            answer=f"text-{size}",
            units=size,
            rounds=3,
        ),
        replace(
            _STREAM,
            name=f"merge-{size}",
            title=f"streaming invoke of {size:,}",
            make="streams:merged",
            answer=f"text-{size}",
            units=size,
            rounds=3,
        ),
    )
)
_MEMORIES = (
    replace(
        _MEMORY,
        name="memory-instance",
        title="bytes of an idle instance",
        make="memory:idle_instance",
        answer="whole-12",
        units=200,
        floor=("core",),
    ),
    replace(
        _MEMORY, name="memory-open", title="bytes of an open stream", make="memory:open_stream"
    ),
    replace(
        _MEMORY,
        name="memory-chunks",
        title="bytes of 1,000 kept chunks",
        make="memory:thousand_chunks",
        floor=("core",),
    ),
    replace(
        _MEMORY,
        name="memory-dropped",
        title="peak, 50 MB stream, dropped",
        make="memory:stream_dropped",
        answer="bulk-50",
        unit="MB",
        floor=("core",),
    ),
    replace(
        _MEMORY,
        name="memory-collected",
        title="peak, 50 MB stream, collected",
        make="memory:stream_collected",
        answer="bulk-50",
        unit="MB",
        floor=("core",),
    ),
    replace(
        _MEMORY,
        name="memory-history",
        title="peak copies of a 10 MB history",
        make="memory:history_copies",
        answer="whole-12",
        unit="copies",
    ),
    replace(
        _MEMORY,
        name="memory-retried",
        title="the same with two repetitions",
        make="memory:history_copies",
        answer="busy-2",
        unit="copies",
        only=("ours",),
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *_CALLS,
    *_STREAMS,
    *_BURSTS,
    *_START,
    *_STRUCTURED,
    *_LINEAR,
    *_MEMORIES,
)

SCALES = {"µs": 1e6, "ms": 1e3, "s": 1.0, "kB": 1e-3, "MB": 1e-6, "copies": 1.0}


def select(names: list[str]) -> list[Scenario]:
    """Return the scenarios of these names or prefixes; all of them without names.

    Raises:
        KeyError: A name fits none.
    """
    if not names:
        return list(SCENARIOS)
    known = {scenario.name: scenario for scenario in SCENARIOS}
    found: dict[str, Scenario] = {}
    for name in names:
        fitting = (
            [known[name]]
            if name in known
            else [scenario for scenario in SCENARIOS if scenario.name.startswith(name)]
        )
        if not fitting:
            raise KeyError(name)
        found |= {scenario.name: scenario for scenario in fitting}
    return list(found.values())
