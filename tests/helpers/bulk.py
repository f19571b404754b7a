"""Both ways of running a chain over rows, and what tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from langchain_core.runnables import Runnable
from pydantic import BaseModel

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import Row, abulk, bulk
from tests.conftest import KEY
from tests.helpers.bulk_server import Server


class Person(BaseModel):
    """A person."""

    name: str
    born: int


def with_bulk(runnable: Runnable[Any, Any], rows: Any, **options: Any) -> list[Row[Any]]:
    return list(bulk(runnable, rows, **options))


def with_abulk(runnable: Runnable[Any, Any], rows: Any, **options: Any) -> list[Row[Any]]:
    async def collect() -> list[Row[Any]]:
        return [row async for row in abulk(runnable, rows, **options)]

    return asyncio.run(collect())


WAYS: dict[str, Callable[..., list[Row[Any]]]] = {"bulk": with_bulk, "abulk": with_abulk}


def model_of(server: Server, **options: Any) -> ChatOpenRouterO3:
    return ChatOpenRouterO3(base_url=server.base_url, api_key=KEY, **options)


def people(model: ChatOpenRouterO3) -> Runnable[Any, Any]:
    return model.with_structured_output(Person)


def prompts(count: int, first: int = 0) -> list[str]:
    return [f"Tell row-{number}" for number in range(first, first + count)]


def by_prompt(row: str) -> str:
    """The key of a row, which the server finds in the prompt, too."""
    return row.partition("row-")[2]


def paid(rows: Iterable[Row[Any]]) -> Decimal:
    return sum((row.known_cost for row in rows), Decimal(0))
