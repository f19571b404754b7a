"""A limit on money that holds whatever comes: what is in flight counts at the highest price."""

from __future__ import annotations

import threading
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._json import decode, is_object
from langchain_openrouter_o3.bulk.errors import BudgetError
from langchain_openrouter_o3.errors import OpenRouterInputError
from langchain_openrouter_o3.profiles import Prices, model_facts

if TYPE_CHECKING:
    from langchain_openrouter_o3._http.exchange import Request

_MILLION = Decimal(1_000_000)
_POLL_SECONDS = 0.05
_PRICED_APART = ("plugins", "service_tier")


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


def check_budget(budget: Any) -> Budget | None:
    """Read the caller's limit.

    Raises:
        OpenRouterInputError: It is no amount of money.
    """
    if budget is None:
        return None
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
