"""Both ways of running a job, and what tests of batches share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from langchain_openrouter_o3.batch import BatchJob, asubmit_batch, submit_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from langchain_core.runnables import Runnable

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.bulk import Row

FAST = (0.0, 0.01)
"""Seconds between looks at batches."""


class Person(BaseModel):
    """A person."""

    name: str
    born: int


class Way(NamedTuple):
    """The functions of one world, as blocking ones."""

    submit: Callable[..., BatchJob[Any]]
    status: Callable[[BatchJob[Any]], Any]
    wait: Callable[..., Any]
    results: Callable[..., Any]
    resubmit: Callable[..., int]
    delete: Callable[[BatchJob[Any]], None]

    def run(self, chain: Runnable[Any, Any], rows: Any, store: Path, **options: Any) -> Any:
        job = self.submit(chain, rows, store=store, **options)
        self.wait(job)
        return self.results(job)


def _later(call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    return lambda *arguments, **options: asyncio.run(call(*arguments, **options))


async def _aresults(job: BatchJob[Any], **options: Any) -> list[Row[Any]]:
    return [row async for row in job.aresults(**options)]


WAYS = {
    "blocking": Way(
        submit_batch,
        BatchJob.status,
        lambda job, **options: job.wait(poll=FAST, **options),
        lambda job, **options: list(job.results(**options)),
        BatchJob.resubmit,
        BatchJob.delete,
    ),
    "async": Way(
        _later(asubmit_batch),
        _later(BatchJob.astatus),
        _later(lambda job, **options: job.await_(poll=FAST, **options)),
        _later(_aresults),
        _later(BatchJob.aresubmit),
        _later(BatchJob.adelete),
    ),
}


every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def people(model: ChatOpenRouterO3) -> Runnable[Any, Person]:
    """A prompt, a model and an object."""
    prompt = ChatPromptTemplate.from_messages([("user", "Who is in this text? {text}")])
    chain: Runnable[Any, Person] = prompt | model.with_structured_output(Person)
    return chain


def rows_of(count: int) -> list[dict[str, str]]:
    return [{"id": f"k{n}", "text": f"Ada-{n} was born in {1800 + n}"} for n in range(count)]
