"""A program that submits a job as often as it is told to, each time in a process of its own.

`python -m tests.batch.script BASE_URL STORE ROWS BATCH_SIZE`. Each line of the input is the number
of the row at which the submitting process kills itself (0: at none); it writes the id of that
process, and then how it ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from typing import TYPE_CHECKING

import langchain_openrouter_o3._http.pool_manager  # noqa: F401 - imported before the forks, too
from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3.batch import submission, submit_batch
from tests.batch.ways import people, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(count: int, killed_at: int) -> Iterator[dict[str, str]]:
    for number, row in enumerate(rows_of(count), start=1):
        if number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row


def in_vain() -> Iterator[dict[str, str]]:
    yield from rows_of(1)
    yield {"text": str(1 // 0)}


def main(base_url: str, store: str, count: str, batch_size: str) -> None:
    submission.LOOKS, submission.GRACE = (0.0, 0.0), 0.0
    chain = people(ChatOpenRouterO3(base_url=base_url, api_key="any", max_retries=0))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ZeroDivisionError):
        # Once in vain: what is imported on the way is imported before the forks.
        submit_batch(chain, in_vain(), store=f"{folder}/job.db")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            size, killed_at = int(batch_size), int(line)
            submit_batch(chain, rows(int(count), killed_at), key="id", store=store, batch_size=size)
            os._exit(0)
        print(child, flush=True)  # noqa: T201 - read by the test
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - same


if __name__ == "__main__":
    main(*sys.argv[1:])
