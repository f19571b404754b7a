"""The object that agents of these tests answer with: defaults, a union, an optional, open keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str = ""


class Bank(BaseModel):
    kind: Literal["bank"] = "bank"
    iban: str


class Order(BaseModel):
    """An order that can be enforced to the letter."""

    customer: str
    unit: str = "piece"
    items: list[str] = Field(default_factory=list)
    note: str | None = None
    paid_by: Card | Bank = Card()


class OpenOrder(Order):
    """An order with open keys, which no strict schema has."""

    labels: dict[str, str] = Field(default_factory=dict)


PAID: dict[str, Any] = {
    "customer": "Ann",
    "unit": "kg",
    "items": ["tea"],
    "note": None,
    "paid_by": {"kind": "bank", "iban": "DE00"},
}
# What is not strict may leave out what has a default.
SHORT: dict[str, Any] = {
    "customer": "Ann",
    "paid_by": {"kind": "bank", "iban": "DE00"},
    "labels": {"place": "Rome"},
}
# The class, what the model says, the object.
FORMS: dict[str, tuple[type[BaseModel], dict[str, Any], BaseModel]] = {
    "closed": (Order, PAID, Order(**PAID)),
    "open": (OpenOrder, SHORT, OpenOrder(**SHORT)),
}
WARNING = "ignore:.*OpenOrder"
