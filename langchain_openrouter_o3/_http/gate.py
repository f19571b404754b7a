"""One gate for all calls that share a rate limit: the same server, key, model and routing.

A 429 or 503 that names a time closes the gate for every call until then. One that names no time may
be one provider's hiccup; several in a row, or many in a second, are a limit. The gate then closes
for a moment, lets a single request try (longer and longer apart, while that fails), and starts
slowly: one request in flight, two, four, …, up to nine tenths of what the server took in the last
second. From there the limit grows by a twentieth a second, and faster when nothing is refused for
long (as TCP's CUBIC does, RFC 9438). The limit is kept as a rate, which is the same by Little's
law: so it can be less than one in flight, and does not move with the server's speed.

A request is in flight until the head of its answer has come: that tells whether it was taken, and
no caller's code runs in between. There is no queue: a call that may not go is told when to ask
again. So there is nothing that a cancelled task, a fork, or another event loop could lose.

The gate belongs to this process; other processes with the same key have their own.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

THROTTLES = frozenset({429, 503})
FIRST_HOLD = 0.025
LONGEST_HOLD = 2.0
_WINDOW = 1.0
_SHARE = 0.25
_IN_A_ROW = 3
_ENOUGH = 20
_BACK_OFF = 0.9
_GROWTH = 0.05
_GROWTH_LATER = 0.005
_SLOWEST = 1.0
_SLACK = 2.0
_BURST = 4
_FORGIVEN = 10.0
_POLL = 0.005
_LONGEST_POLL = 1.0
_MAX_GATES = 1024


class GateFigures(NamedTuple):
    """What a gate knows at one moment.

    Attributes:
        base_url: Of the server.
        model: The slug that is asked for.
        in_flight: Requests that wait for the head of their answer.
        waiting: Calls that wait for the gate.
        limit: How many requests may be in flight on average; None while nothing limits them.
        rate: The same as requests a second.
        opens_in: Seconds until anything may be sent; 0 when it may.
        sent: Requests so far.
        throttled: How many of them were answered with 429 or 503.
    """

    base_url: str
    model: str
    in_flight: int
    waiting: int
    limit: float | None
    rate: float | None
    opens_in: float
    sent: int
    throttled: int


class Recent:
    """Counts what happened within the last second."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=100_000)

    def add(self, now: float) -> None:
        """Count one more."""
        self._times.append(now)
        self.count(now)

    def count(self, now: float) -> int:
        """Return how many there were."""
        times = self._times
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        return len(times)


class Gate:
    """Decides when a request may be sent. It does not wait itself."""

    def __init__(
        self,
        base_url: str = "",
        model: str = "",
        *,
        timer: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Start open.

        Args:
            base_url: Of the server, for the figures.
            model: Slug, for the figures.
            timer: Seconds of a monotonic clock.
            chance: Random numbers in [0, 1).
        """
        self._base_url, self._model = base_url, model
        self._timer, self._chance = timer, chance
        # A generator that is collected within the lock leaves the gate in the same thread.
        self._lock = threading.RLock()
        self._sent = self._throttled = self._in_flight = self._in_a_row = 0
        self._waiting = self._patient = 0
        self._taken, self._refused = Recent(), Recent()
        self._latency = 0.0
        self._rate: float | None = None
        self._goal = 0.0
        self._hold = FIRST_HOLD
        self._opens_at = self._next_at = self._grows_from = self._cut_at = 0.0
        self._proven = True
        self._cuts = 0

    def figures(self) -> GateFigures:
        """Return what is known now."""
        with self._lock:
            rate = self._rate
            return GateFigures(
                self._base_url,
                self._model,
                self._in_flight,
                self._waiting,
                None if rate is None else rate * self._latency,
                rate,
                max(0.0, self._opens_at - self._timer()),
                self._sent,
                self._throttled,
            )

    @property
    def is_idle(self) -> bool:
        """Whether forgetting it would change nothing."""
        with self._lock:
            is_open = self._rate is None and self._opens_at <= self._timer()
            return is_open and not self._in_flight and not self._waiting

    # --- Asked by the flow of a call ---

    def enter(self, *, retries_left: int) -> Permit | float:
        """Ask to send a request.

        Args:
            retries_left: How often the call may try again if this request fails.

        Returns:
            What was allowed, or the seconds after which to ask again.
        """
        with self._lock:
            now = self._timer()
            wait = self._wait(now, retries_left)
            if wait > 0:
                return wait
            self._sent += 1
            self._in_flight += 1
            return Permit(self, self._cuts, now)

    @contextmanager
    def waiting(self, *, retries_left: int) -> Generator[None]:
        """Count a call that waits."""
        patient = int(retries_left > 0)
        with self._lock:
            self._waiting += 1
            self._patient += patient
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                self._patient -= patient

    def leave(self) -> None:
        """Note that a request is no longer in flight."""
        with self._lock:
            self._in_flight -= 1

    def accept(self, cuts: int, sent_at: float) -> None:
        """Note that the server took a request.

        Args:
            cuts: How often the limit had been cut when it was sent.
            sent_at: When it was sent.
        """
        with self._lock:
            now = self._timer()
            took = max(now - sent_at, 1e-6)
            self._latency = took if not self._latency else 0.9 * self._latency + 0.1 * took
            self._taken.add(now)
            self._in_a_row = 0
            if self._rate is not None and cuts == self._cuts:
                self._prove(now)

    def throttle(self, cuts: int, retry_after: float | None) -> None:
        """Note that the server refused a request because there are too many.

        Args:
            cuts: How often the limit had been cut when it was sent.
            retry_after: Seconds for which the server asked to be left alone.
        """
        with self._lock:
            now = self._timer()
            self._throttled += 1
            self._refused.add(now)
            self._in_a_row += 1
            if retry_after is not None:
                self._opens_at = max(self._opens_at, now + retry_after)
            if cuts == self._cuts and (not self._proven or self._is_limit(now)):
                self._cut(now)

    # --- The limit ---

    def _is_limit(self, now: float) -> bool:
        """Whether refusals are more than one provider's hiccup."""
        refused = self._refused.count(now)
        outcomes = refused + self._taken.count(now)
        many = outcomes >= _ENOUGH and refused >= _SHARE * outcomes
        return self._in_a_row >= _IN_A_ROW or many

    def _cut(self, now: float) -> None:
        self._cuts += 1
        if self._proven:
            taken = self._taken.count(now) / _WINDOW
            self._goal = _BACK_OFF * min(taken, self._rate or taken) or _SLOWEST
            self._hold = FIRST_HOLD
        else:
            self._hold = min(2 * self._hold, LONGEST_HOLD)
        self._proven = False
        self._rate = min(_SLOWEST, self._goal)
        self._cut_at = now
        self._opens_at = max(self._opens_at, now + self._hold)

    def _prove(self, now: float) -> None:
        """Let more requests go: one more in flight for each that is taken, up to the goal."""
        assert self._rate is not None  # noqa: S101 - for the type checker
        if not self._proven:
            self._proven = True
            self._next_at = now
        if self._rate < self._goal:
            self._rate = min(self._goal, self._rate + 1 / self._latency)
            self._grows_from = now

    def _grown(self, rate: float, now: float) -> float | None:
        """Return the rate that is right now; None for no limit."""
        if not self._waiting and now - self._cut_at > _FORGIVEN:
            return None
        if rate < self._goal:
            return rate
        seconds = now - self._grows_from
        return self._goal * (1 + _GROWTH * seconds + _GROWTH_LATER * seconds**3)

    def _wait(self, now: float, retries_left: int) -> float:
        if now < self._opens_at:
            return self._opens_at - now + self._spread(_POLL)
        if self._rate is None:
            return 0.0
        if not self._proven:
            is_last = not retries_left and self._patient  # somebody else can better afford it
            return self._spread(_POLL) if self._in_flight or is_last else 0.0
        self._rate = self._grown(self._rate, now)
        if self._rate is None:
            return 0.0
        gap = 1 / self._rate
        if now < self._next_at or self._in_flight > 1 + _SLACK * self._rate * self._latency:
            return max(0.0, self._next_at - now) + self._spread(gap)
        self._next_at = max(self._next_at + gap, now - _BURST * gap)
        return 0.0

    def _spread(self, gap: float) -> float:
        """Return a random time, so that about two of those that wait ask in each gap."""
        longest = min(max(gap * (self._waiting + 1), 1e-4), _LONGEST_POLL)
        return longest * (0.01 + 0.99 * self._chance())


class Permit:
    """What the gate allowed: one request."""

    __slots__ = ("_cuts", "_gate", "_sent_at")

    def __init__(self, gate: Gate | None, cuts: int = 0, sent_at: float = 0.0) -> None:
        """Begin; `gate` is None where no gate is used."""
        self._gate = gate
        self._cuts = cuts
        self._sent_at = sent_at

    def leave(self) -> None:
        """Note that the head of the answer has come, or that none will."""
        if self._gate is not None:
            self._gate.leave()

    def accept(self) -> None:
        """Note that the server took the request."""
        if self._gate is not None:
            self._gate.accept(self._cuts, self._sent_at)

    def throttle(self, retry_after: float | None) -> None:
        """Note that the server refused the request because there are too many."""
        if self._gate is not None:
            self._gate.throttle(self._cuts, retry_after)


NO_GATE = Permit(None)


class Gates:
    """All gates of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, int, str], Gate] = {}

    def of(self, base_url: str, who: str, model: str) -> Gate:
        """Return the gate of a server, caller and model.

        Args:
            base_url: Of the server.
            who: The key, and what else tells apart what has limits of its own; not kept.
            model: The slug.
        """
        which = (base_url, hash(who), model)
        gate = self._gates.get(which)
        if gate is None:
            with self._lock:
                if len(self._gates) >= _MAX_GATES:
                    self._drop_idle()
                gate = self._gates.setdefault(which, Gate(base_url, model))
        return gate

    def figures(self) -> list[GateFigures]:
        """Return what every gate knows now."""
        with self._lock:
            gates = list(self._gates.values())
        return [gate.figures() for gate in gates]

    def forget(self) -> None:
        """Start anew: after a fork, the calls in flight are the parent's."""
        self._lock = threading.Lock()
        self._gates = {}

    def _drop_idle(self) -> None:
        self._gates = {which: gate for which, gate in self._gates.items() if not gate.is_idle}


GATES = Gates()
with suppress(AttributeError):  # Windows has no fork
    os.register_at_fork(after_in_child=GATES.forget)


def gate_figures() -> list[GateFigures]:
    """Return the limit, the waits and the refusals of each gate.

    Calls with the same base URL, key, model, `models`, `provider`, `service_tier` and
    `default_headers` share one (`rate_gate=False` leaves them out).
    """
    return GATES.figures()
