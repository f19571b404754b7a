"""A run: every contestant takes its turn in every round, and all samples are kept."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.contestants import CLIENTS, TRUSTED, installed
from benchmarks.conversation import get
from benchmarks.processes import Server, Trouble, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.contestants import Name
    from benchmarks.scenarios import Scenario

_PACKAGES = ("langchain-core", "httpx", "pydantic", "openai", "openrouter")
_JUDGES_THE_SERVER = frozenset({"invoke", "stream", "burst-ainvoke", "burst-astream"})


@dataclass(frozen=True)
class Conditions:
    """How it is measured.

    Attributes:
        events_per_chunk: How many events the server puts in a chunk of the encoding.
        count_calls: Whether to count the functions that are called; times mean nothing then.
    """

    events_per_chunk: int = 1
    count_calls: bool = False


class InvalidRunError(Exception):
    """A contestant whose answers must be right gave a wrong one, or none."""


def run(
    scenarios: Sequence[Scenario],
    clients: Sequence[Name],
    *,
    rounds: int | None = None,
    conditions: Conditions | None = None,
    watch: Callable[[dict[str, Any]], object] = bool,
) -> dict[str, Any]:
    """Measure.

    Args:
        scenarios: What.
        clients: Whom, beside the floor.
        rounds: Samples per contestant; each scenario's own number unless given.
        conditions: How it is measured.
        watch: Is given each row as soon as it is complete.

    Returns:
        All samples and where they were taken, as plain JSON.

    Raises:
        InvalidRunError: The floor's or our own answer was wrong.
    """
    conditions = conditions or Conditions()
    server_core, client_core = machine.cores()
    rows: list[dict[str, Any]] = []
    with (
        Server(conditions.events_per_chunk, server_core) as origin,
        Workers(origin, client_core, count_calls=conditions.count_calls) as workers,
    ):
        for scenario in scenarios:
            rows.append(_Turns(scenario, clients, workers, origin).row(rounds or scenario.rounds))
            watch(rows[-1])
    return {
        "machine": _describe_machine(server_core, client_core),
        "packages": _versions(clients),
        "events_per_chunk": conditions.events_per_chunk,
        "clients": list(clients),
        "rows": rows,
    }


class _Turns:
    """The turns of one scenario."""

    def __init__(
        self, scenario: Scenario, clients: Sequence[Name], workers: Workers, origin: str
    ) -> None:
        self._scenario = scenario
        self._workers = workers
        self._origin = origin
        taking_part = [name for name in clients if not scenario.only or name in scenario.only]
        extra: tuple[Name, ...] = ("raw",) if scenario.name in _JUDGES_THE_SERVER else ()
        self._names: list[Name] = [*scenario.floor, *taking_part, *extra]
        self._trouble = {name: "not installed" for name in self._names if not installed(name)}
        self._samples: dict[Name, list[dict[str, Any]]] = {name: [] for name in self._names}

    def row(self, rounds: int) -> dict[str, Any]:
        # The first turn of each warms up imports, connections and caches; that of a fresh
        # process only the file system's, and a burst's worker has made a call by itself.
        warm_ups = 0 if self._scenario.whole else 1
        for turn in range(-warm_ups, rounds):
            start = turn % len(self._names)
            for name in (*self._names[start:], *self._names[:start]):
                if name not in self._trouble:
                    self._take(name, keep=turn >= 0)
        return {
            "name": self._scenario.name,
            "samples": self._samples,
            "trouble": self._trouble,
        }

    def _take(self, name: Name, *, keep: bool) -> None:
        before = self._server_cpu()
        reply = self._workers.sample(name, self._scenario)
        if isinstance(reply, Trouble):
            if name in TRUSTED:
                raise InvalidRunError(f"{self._scenario.name}: {name} {reply.text}")
            self._trouble[name] = reply.text
            self._samples[name].clear()
        elif keep:
            self._samples[name].append({**reply, "server": self._server_cpu() - before})

    def _server_cpu(self) -> float:
        return float(json.loads(get(self._origin, "/-/cpu"))["cpu"])


def _describe_machine(server_core: int | None, client_core: int | None) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": None if server_core is None else {"server": server_core, "clients": client_core},
        "implementation": sys.implementation.name,
    }


def _versions(clients: Sequence[Name]) -> dict[str, str]:
    wanted = [*_PACKAGES, "langchain-openrouter-o3"]
    wanted += [CLIENTS[name].replace("_", "-") for name in clients if name != "ours"]
    known = {found.metadata["name"].lower(): found.version for found in metadata.distributions()}
    return {package: known.get(package, "not installed") for package in wanted}
