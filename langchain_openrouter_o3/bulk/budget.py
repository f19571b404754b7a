"""A limit on money that holds whatever comes: what is in flight counts at the highest price."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from time import monotonic
from typing import Any

from langchain_core.messages.ai import UsageMetadata, add_usage
from typing_extensions import override

from langchain_openrouter_o3._http.meter import Attempt
from langchain_openrouter_o3._http.retry import RetryPolicy
from langchain_openrouter_o3._http.steps import Request
from langchain_openrouter_o3._json import decode, is_object
from langchain_openrouter_o3.bulk.errors import BudgetError
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterInputError
from langchain_openrouter_o3.profiles import Prices, model_facts

_MILLION = Decimal(1_000_000)
_POLL_SECONDS = 0.05
_PRICED_APART = ("plugins", "service_tier")
Timer = Callable[[], float]


class Budget:
    """What may be spent, what was spent, and what calls in flight may cost at most."""

    def __init__(self, limit: Decimal) -> None:
        """Start with nothing spent.

        Args:
            limit: USD.
        """
        self.limit = limit
        self._lock = threading.Lock()
        self._spent = Decimal(0)
        self._in_flight = Decimal(0)

    def admit(self, request: Request) -> float:
        """Reserve the highest price of a request.

        Returns:
            0, or after how many seconds to ask again: calls in flight may cost less than they
            have reserved.

        Raises:
            BudgetError: Nothing in flight could give money back.
            OpenRouterInputError: The price cannot be told.
        """
        bound = highest_price(request)
        with self._lock:
            if self._spent + self._in_flight + bound <= self.limit:
                self._in_flight += bound
                return 0.0
            if self._in_flight:
                return _POLL_SECONDS
            raise BudgetError(
                f"budget={self.limit} USD: {self._spent} USD are spent or may have been, and the "
                f"next call could cost {bound} USD. Raise budget or lower max_tokens, and run it "
                "again with the same journal.",
                retryable=False,
            )

    def settle(self, request: Request, cost: Decimal | None) -> None:
        """Replace a reservation by what was charged; what is unknown stays reserved."""
        bound = highest_price(request)
        with self._lock:
            self._in_flight -= bound
            self._spent += bound if cost is None else cost


class Share(Budget):
    """What one of several equal processes may spend, and how fast it may send."""

    def __init__(
        self, budget: Any, requests_per_second: Any, shares: Any, *, timer: Timer = monotonic
    ) -> None:
        """Divide.

        Args:
            budget: USD of all processes together; None for no limit.
            requests_per_second: Of all together; None for no limit.
            shares: How many processes there are.
            timer: Seconds of a monotonic clock.

        Raises:
            OpenRouterInputError: They are not amounts, or not above 0.
        """
        if isinstance(shares, bool) or not isinstance(shares, int) or shares < 1:
            raise OpenRouterInputError(f"actors={shares!r} is no whole number from 1.")
        if requests_per_second is not None and not requests_per_second > 0:
            raise OpenRouterInputError(f"requests_per_second={requests_per_second!r}: above 0.")
        whole = check_budget(budget)
        super().__init__(Decimal("Infinity") if whole is None else whole.limit / shares)
        self._is_limited = whole is not None
        self._gap: float = shares / requests_per_second if requests_per_second else 0.0
        self._timer = timer
        self._next = 0.0
        self._turns: dict[int, float] = {}

    @override
    def admit(self, request: Request) -> float:
        """Give a request its turn, then reserve its highest price; see `Budget.admit`."""
        wait = self._wait(request)
        return super().admit(request) if not wait and self._is_limited else wait

    @override
    def settle(self, request: Request, cost: Decimal | None) -> None:
        """See `Budget.settle`; nothing was reserved where nothing is limited."""
        with self._lock:
            self._turns.pop(id(request), None)
        if self._is_limited:
            super().settle(request, cost)

    def _wait(self, request: Request) -> float:
        now = self._timer()
        with self._lock:
            turn = self._turns.get(id(request))
            if turn is None:  # it stays until the attempt has ended, however often it asks
                turn = self._turns[id(request)] = max(self._next, now)
                self._next = turn + self._gap
        return max(0.0, turn - now)


def check_budget(budget: Any) -> Budget | None:
    """Read the caller's limit.

    Raises:
        OpenRouterInputError: It is no amount of money.
    """
    if budget is None or isinstance(budget, Budget):
        return budget
    if isinstance(budget, bool) or not isinstance(budget, (int, float, str, Decimal)):
        raise OpenRouterInputError(f"budget={budget!r} is no amount of USD, such as Decimal('5').")
    try:
        limit = Decimal(str(budget))
    except ArithmeticError:
        limit = Decimal(-1)
    if not limit.is_finite() or limit < 0:
        raise OpenRouterInputError(f"budget={budget!r} is no amount of USD, such as Decimal('5').")
    return Budget(limit)


def highest_price(request: Request) -> Decimal:
    """Return USD that a request cannot exceed: a token has at least one byte.

    Raises:
        OpenRouterInputError: The price cannot be told.
    """
    return _highest_price(request.body)


@lru_cache(maxsize=4096)  # it is asked for again when the answer has come
def _highest_price(body: bytes) -> Decimal:
    content = decode(body)
    models: list[str] = [content["model"], *(content.get("models") or ())]
    apart = [name for name in _PRICED_APART if content.get(name)]
    if apart or any(model.endswith(":online") for model in models):
        raise OpenRouterInputError(
            f"budget: {' and '.join(apart) or 'searching the web'} is priced apart, so no limit "
            "can be promised. Leave budget out, or this."
        )
    return max(_price(model, len(body), content) for model in models)


def _price(model: str, size: int, content: dict[str, Any]) -> Decimal:
    facts = model_facts(model)
    prices = _agreed_prices(content) or (facts.prices if facts is not None else None)
    longest = content.get("max_tokens") or (facts.max_output_tokens if facts else None)
    if prices is None or longest is None:
        raise OpenRouterInputError(
            f"budget: the price of {model!r} is not known here. Set max_tokens and provider="
            '{"max_price": {"prompt": …, "completion": …}} (USD per million tokens).'
        )
    return (_usd(prices.input) * size + _usd(prices.output) * longest) / _MILLION


def _agreed_prices(content: dict[str, Any]) -> Prices | None:
    provider = content.get("provider")
    highest = provider.get("max_price") if is_object(provider) else None
    if not is_object(highest) or not {"prompt", "completion"} <= highest.keys():
        return None
    return Prices(highest["prompt"], highest["completion"])


def _usd(price: Any) -> Decimal:
    return Decimal(str(price))


def share_out(cost: Decimal, model: str, tokens: Sequence[tuple[int, int]]) -> list[Decimal]:
    """Share the cost of a batch out by tokens, at the model's relation of prices; the sum is exact.

    Args:
        cost: USD.
        model: The slug, whose prices weigh input and output.
        tokens: Of each answer: input and output.
    """
    facts = model_facts(model)
    prices = (facts.prices.input, facts.prices.output) if facts is not None else (1.0, 1.0)
    per_input, per_output = (Decimal(str(price)) for price in prices)
    weights = [given * per_input + got * per_output for given, got in tokens]
    whole = sum(weights, Decimal(0))
    shares: list[Decimal] = []
    reached = handed_out = Decimal(0)
    for weight in weights:
        reached += weight
        up_to = (cost * reached / whole).quantize(Decimal("1e-12")) if whole else Decimal(0)
        shares.append((up_to if reached != whole else cost) - handed_out)
        handed_out += shares[-1]
    return shares


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
