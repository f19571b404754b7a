"""What one row takes: its calls, their retries, and what they cost."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

from langchain_core.messages.ai import UsageMetadata, add_usage

from langchain_openrouter_o3.errors import OpenRouterError

if TYPE_CHECKING:
    from langchain_openrouter_o3._http.exchange import Request
    from langchain_openrouter_o3._http.retry import RetryPolicy
    from langchain_openrouter_o3._meter import Attempt
    from langchain_openrouter_o3.bulk.budget import Budget

PATIENCE = 24 * 3600.0
"""Seconds that a run waits if the server asks for it: its rows would all fail otherwise."""


class RowMeter:
    """Adds up the attempts of one row, which may come from several threads.

    Attributes:
        attempts: Requests that were sent.
        cost: USD that is known.
        unknown: The ids of the answers whose cost is unknown; None for those without an id.
        usage: Tokens.
        generation_ids: Of all answers.
        refused: Why the budget did not admit a call, whatever the chain made of that.
    """

    __slots__ = (
        "_budget",
        "_lock",
        "attempts",
        "cost",
        "generation_ids",
        "refused",
        "unknown",
        "usage",
    )

    def __init__(self, budget: Budget | None) -> None:
        """Start with nothing.

        Args:
            budget: What all rows may cost together.
        """
        self._budget = budget
        self._lock = threading.Lock()
        self.attempts = 0
        self.cost = Decimal(0)
        self.unknown: list[str | None] = []
        self.usage: UsageMetadata | None = None
        self.generation_ids: list[str] = []
        self.refused: OpenRouterError | None = None

    def policy(self, policy: RetryPolicy) -> RetryPolicy:
        """Wait as long as the server asks for."""
        return policy._replace(max_retry_after=PATIENCE)

    def admit(self, request: Request) -> float:
        """Ask the budget, if there is one.

        Raises:
            OpenRouterError: See `Budget.admit`.
        """
        if self._budget is None:
            return 0.0
        try:
            return self._budget.admit(request)
        except OpenRouterError as error:
            self.refused = error
            raise

    def enter(self, request: Request, attempt: Attempt) -> None:
        """Add an attempt."""
        if self._budget is not None:
            self._budget.settle(request, attempt.cost)
        with self._lock:
            self.attempts += 1
            if attempt.cost is None:
                self.unknown.append(attempt.generation_id)
            else:
                self.cost += attempt.cost
            if attempt.generation_id is not None:
                self.generation_ids.append(attempt.generation_id)
            if attempt.usage is not None:
                self.usage = add_usage(self.usage, attempt.usage) if self.usage else attempt.usage
