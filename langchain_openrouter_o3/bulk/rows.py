"""What a run yields: rows, and their sums."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

from langchain_core.messages.ai import UsageMetadata

V = TypeVar("V")


@dataclass(frozen=True)
class Row(Generic[V]):
    """One row: a value or an error, and what it took.

    Attributes:
        number: Of the row in the input, from 1.
        key: What identifies it in the journal.
        input: What the chain was given; None with `keep_input=False`.
        value: What the chain returned; None if it failed.
        error: What it raised; None if it did not.
        cost: USD that OpenRouter charged, retries and earlier runs included. None is unknown: the
            answer of a call was lost after it had been sent.
        known_cost: USD that is known in any case.
        usage: Tokens of all answers.
        generation_ids: OpenRouter's ids of all answers.
        attempts: How many requests were sent.
        seconds: How long it took; 0 if the journal had it.
        from_journal: Whether an earlier run did it.
        cost_is_share: Whether the cost is this row's share of what a batch cost, by tokens.
    """

    number: int
    key: str
    input: Any
    value: V | None = None
    error: Exception | None = None
    cost: Decimal | None = Decimal(0)
    known_cost: Decimal = Decimal(0)
    usage: UsageMetadata | None = None
    generation_ids: tuple[str, ...] = ()
    attempts: int = 0
    seconds: float = 0.0
    from_journal: bool = False
    cost_is_share: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None


@dataclass
class Progress:
    """How far a run is; a callback gets it, and must not keep it.

    Attributes:
        total: How many rows there are; None if the input does not tell.
        done: Rows with a value or an error, those from the journal included.
        failed: Those with an error.
        from_journal: Those that an earlier run has done.
        unknown: Rows of this run whose cost is unknown.
        cost: USD of this run, as far as it is known.
        in_flight: Rows that are being worked on.
        given_up: Rows that were in flight when the run was stopped.
        errors: How many errors of each class.
        lost: How many rows at most were in flight when earlier runs were killed; what they have
            cost is in no journal.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    from_journal: int = 0
    unknown: int = 0
    cost: Decimal = Decimal(0)
    in_flight: int = 0
    given_up: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.started

    @property
    def rows_per_second(self) -> float:
        """Of the rows that this run has worked on."""
        return (self.done - self.from_journal) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None if it cannot be told."""
        rate = self.rows_per_second
        return None if self.total is None or not rate else (self.total - self.done) / rate

    @property
    def projected_cost(self) -> Decimal | None:
        """USD of the whole run, if the other rows cost as much; None if it cannot be told."""
        worked = self.done - self.from_journal
        if self.total is None or not worked:
            return None
        return self.cost / worked * (self.total - self.from_journal)

    def count(self, row: Row[Any]) -> None:
        """Add a row."""
        self.done += 1
        self.from_journal += row.from_journal
        if row.error is not None:
            self.failed += 1
            self.errors[type(row.error).__name__] += 1

    def pay(self, known: Decimal, *, is_unknown: bool) -> None:
        """Add what a row has cost in this run."""
        self.cost += known
        self.unknown += is_unknown
