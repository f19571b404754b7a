"""A program that runs many rows: `python -m tests.helpers.bulk_script BASE_URL JOURNAL ROWS WAY`.

JOURNAL is a file, or the URI of a folder. Tests kill and interrupt it. It writes a line for each
row that it is given.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.bulk import SharedJournal, abulk, bulk
from tests.helpers.bulk import by_prompt, people, prompts

WORKERS = 20


def main(base_url: str, journal: str, count: str, way: str) -> None:
    """Run."""
    chain = people(ChatOpenRouterO3(base_url=base_url, api_key="any"))
    rows = iter(prompts(int(count)))
    shared = journal.startswith("file:")
    place = SharedJournal(journal) if shared else Path(journal)
    options = {"key": by_prompt, "journal": place, "max_concurrency": WORKERS}
    if way == "bulk":
        for row in bulk(chain, rows, **options):  # type: ignore[arg-type]
            print(row.key, flush=True)  # noqa: T201 - read by the test
        return

    async def consume() -> None:
        async for row in abulk(chain, rows, **options):  # type: ignore[arg-type]
            print(row.key, flush=True)  # noqa: T201 - read by the test

    asyncio.run(consume())


if __name__ == "__main__":
    main(*sys.argv[1:])
