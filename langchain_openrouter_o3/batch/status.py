"""How far a job and its batches are, as its caller sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from langchain_openrouter_o3.batch import responses
from langchain_openrouter_o3.batch.ledger import Batch


@dataclass(frozen=True)
class BatchInfo:
    """One batch of a job.

    Attributes:
        number: In the job, from 1.
        id: OpenRouter's; None before it is known.
        state: "planned", "sending" (it is not known whether it was stored), "sent", "fetched" or
            "deleted".
        status: OpenRouter's word, such as "in_progress"; None before the first.
        model: The slug.
        total: How many requests it has.
        completed: How many of them are answered.
        failed: How many have failed.
        cost: USD, once OpenRouter tells it.
        error: Why it has failed as a whole.
        expires_at: When it expires, in UTC, if OpenRouter tells it.
    """

    number: int
    id: str | None
    state: str
    status: str | None
    model: str
    total: int
    completed: int
    failed: int
    cost: Decimal | None
    error: str | None
    expires_at: datetime | None


@dataclass(frozen=True)
class JobStatus:
    """How far a job is.

    Attributes:
        batches: Its batches, of all rounds so far.
    """

    batches: tuple[BatchInfo, ...]

    @property
    def requests(self) -> int:
        """How many requests the batches have."""
        return sum(batch.total for batch in self.batches)

    @property
    def completed(self) -> int:
        """How many are answered."""
        return sum(batch.completed for batch in self.batches)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return sum(batch.failed for batch in self.batches)

    @property
    def cost(self) -> Decimal:
        """USD, as far as OpenRouter has told it."""
        return sum((batch.cost for batch in self.batches if batch.cost), Decimal(0))

    @property
    def is_over(self) -> bool:
        """Whether no batch will change any more; a further round may follow."""
        return all(
            each.state in ("fetched", "deleted") or each.status in responses.TERMINAL
            for each in self.batches
        )


def info_of(batch: Batch) -> BatchInfo:
    """Tell of a batch what its caller may know."""
    expires = batch.expires
    return BatchInfo(
        number=batch.number,
        id=batch.id,
        state=batch.state,
        status=batch.status,
        model=batch.model,
        total=batch.total,
        completed=batch.completed,
        failed=batch.failed,
        cost=None if batch.cost is None else Decimal(batch.cost),
        error=batch.error,
        expires_at=None if expires is None else datetime.fromtimestamp(expires, timezone.utc),
    )
