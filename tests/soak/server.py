"""The emulator in a process of its own; it counts the attempts of each call.

It writes a line with its addresses, waits for the end of its input, and writes what it counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from typing_extensions import Self

from langchain_openrouter_o3.emulator import Emulator, ReceivedRequest, faults
from langchain_openrouter_o3.emulator.faults import Fault
from tests.soak.fault_kinds import CLOSED_SECONDS, KINDS, REFUSING
from tests.soak.plan import TAG, plan

_PATIENCE = 60


@dataclass(frozen=True)
class Addresses:
    """Where the emulators are.

    Attributes:
        open: Of nearly all callers.
        door: Of the port that is closed at times.
        tls: Where every handshake fails.
    """

    open: str
    door: str
    tls: str


@dataclass(frozen=True)
class Counts:
    """What the server saw.

    Attributes:
        attempts: Requests of each call, by its number.
        faults: How often each kind was played.
        strays: Requests without a tag.
        complaints: What it logged; faults are the server's own troubles, not the client's.
    """

    attempts: dict[int, int]
    faults: dict[str, int]
    strays: int
    complaints: tuple[str, ...] = ()


class Tally:
    """Chooses the fault of each request by its tag, and counts."""

    def __init__(self, seed: int, rate: float) -> None:
        """Count from zero."""
        self.attempts: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.strays = 0
        self._seed, self._rate = seed, rate

    def counts(self) -> Counts:
        """Return what was counted."""
        return Counts(dict(self.attempts), dict(self.faults), self.strays)

    def choose(self, request: ReceivedRequest) -> Fault | None:
        """Return the fault that the plan has for this attempt."""
        tag = TAG.search(request.raw)
        if tag is None:
            self.strays += 1
            return None
        number = int(tag[1])
        call = plan(self._seed, self._rate, number)
        self.attempts[number] += 1
        attempt = self.attempts[number]
        kind = call.kinds[attempt - 1] if attempt <= len(call.kinds) else None
        if kind is None or (call.caller == "door" and kind != REFUSING):
            return None
        self.faults[kind] += 1
        return faults.refuse(CLOSED_SECONDS) if kind == REFUSING else KINDS[kind].fault


class Server:
    """The other process, seen from this one."""

    def __init__(self, seed: int, rate: float) -> None:
        """Start it and wait for its addresses."""
        command = [sys.executable, "-m", "tests.soak.server", str(seed), str(rate)]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `__exit__`
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        stdout = self._process.stdout
        assert stdout is not None
        self.addresses = Addresses(**json.loads(stdout.readline()))

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, whatever happened here."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def stop(self) -> Counts:
        """End it and return what it counted."""
        written, _ = self._process.communicate(timeout=_PATIENCE)
        counts: dict[str, Any] = json.loads(written)
        attempts = {int(number): count for number, count in counts["attempts"].items()}
        self._log.seek(0)
        # The last line of each traceback says what it was.
        complaints = [line.strip() for line in self._log if line.strip() and line[0] != " "]
        return Counts(attempts, counts["faults"], counts["strays"], tuple(complaints))


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser("python -m tests.soak.server")
    parser.add_argument("seed", type=int)
    parser.add_argument("rate", type=float)
    options = parser.parse_args()
    tally = Tally(options.seed, options.rate)
    with Emulator() as emulator, Emulator() as door:
        for each in (emulator, door):
            each.disturb(_forgetful(each, tally))
        addresses = Addresses(emulator.base_url, door.base_url, door.tls_url)
        print(json.dumps(asdict(addresses)), flush=True)  # noqa: T201 - the other process reads it
        sys.stdin.read()
    print(json.dumps(asdict(tally.counts())))  # noqa: T201 - same


def _forgetful(emulator: Emulator, tally: Tally) -> Any:
    def choose(request: ReceivedRequest) -> Fault | None:
        emulator.requests.clear()  # they would fill the memory in an hour
        return tally.choose(request)

    return choose


if __name__ == "__main__":
    main()
