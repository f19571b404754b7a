"""Asking what the answers cost that were lost on their way.

Source: https://openrouter.ai/docs/api-reference/get-a-generation
"""

from __future__ import annotations

import os
from decimal import Decimal
from typing import NamedTuple

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._arguments.headers import request_headers
from langchain_openrouter_o3._http.lookup import Lookup
from langchain_openrouter_o3._json import encode, is_object
from langchain_openrouter_o3.bulk.database import Database
from langchain_openrouter_o3.bulk.export import opened
from langchain_openrouter_o3.bulk.journal import Record, read_records
from langchain_openrouter_o3.errors import OpenRouterError, OpenRouterMalformedResponseError

_MISSING = 404


class Settled(NamedTuple):
    """What came of it.

    Attributes:
        found: How many answers have their cost now.
        cost: USD of these.
        unknown: How many have not: they have no id, or OpenRouter does not know it (yet).
    """

    found: int
    cost: Decimal
    unknown: int


def settle(journal: str | os.PathLike[str], model: ChatOpenRouterO3) -> Settled:
    """Ask OpenRouter for every cost that a journal does not know, and write it down.

    OpenRouter knows a generation some seconds after its end. It can be called again at any time.

    Args:
        journal: A file that no run works with.
        model: With the key that paid.

    Raises:
        JournalError: There is no such journal, or it is in use.
        OpenRouterError: OpenRouter refuses; what it has told before is written.
    """
    headers = request_headers(model, {}, model.http_client, stream=False)
    found, cost, unknown = 0, Decimal(0), 0
    with opened(journal) as database, Lookup(model.base_url, headers, model.http_client) as lookup:
        for record in read_records(database):
            costs = [(name, _cost_of(lookup, name)) for name in record.unknown_ids]
            known = [price for _, price in costs if price is not None]
            left = [name for name, price in costs if price is None]
            if known:
                _write(database, record, sum(known, Decimal(0)), left)
            found, cost, unknown = found + len(known), cost + sum(known), unknown + len(left)
    return Settled(found, cost, unknown)


def _cost_of(lookup: Lookup, generation_id: str | None) -> Decimal | None:
    if generation_id is None:
        return None
    try:
        payload = lookup.get("/generation", {"id": generation_id})
    except OpenRouterError as error:
        if error.status_code == _MISSING:
            return None
        raise
    data = payload.get("data") if is_object(payload) else None
    cost = data.get("total_cost") if is_object(data) else None
    if isinstance(cost, bool) or not isinstance(cost, (int, float)):
        raise OpenRouterMalformedResponseError(
            f"Malformed answer: the generation {generation_id} has no total_cost."
        )
    return Decimal(str(cost))


def _write(database: Database, record: Record, known: Decimal, left: list[str | None]) -> None:
    values = (str(Decimal(record.cost) + known), encode(left) if left else None, record.key)
    with database.writing():
        database.execute("UPDATE rows SET cost = ?, unknown = ? WHERE key = ?", values)
