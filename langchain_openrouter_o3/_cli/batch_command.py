"""`python -m langchain_openrouter_o3 batch`, and `bulk --batch`: jobs of the Batch API."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._cli.connection import build_model
from langchain_openrouter_o3._cli.exit_codes import BadArgumentError
from langchain_openrouter_o3._json import is_object
from langchain_openrouter_o3.batch import BatchJob, submit_batch
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.export import line_of
from langchain_openrouter_o3.bulk.progress import usd
from langchain_openrouter_o3.errors import OpenRouterAPIError

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from langchain_openrouter_o3.batch import BatchInfo
    from langchain_openrouter_o3.bulk import Row

_COMMAND = "python -m langchain_openrouter_o3 batch"
_DESCRIPTION = """\
Jobs of OpenRouter's Batch API, which `bulk --batch` submits: half the price, within a day.
JOB is the file beside the output, such as people.jsonl.db."""
_KEPT = ("prompt", "system", "schema", "model", "effort", "max_tokens", "out")
Build = Callable[[Any, Any], "Runnable[Any, Any]"]


def check_batch(given: Any) -> None:
    """Refuse what `bulk --batch` cannot do.

    Raises:
        BadArgumentError: There is no key, or an option has no meaning for a batch.
    """
    _check_key()
    if given.budget is not None:
        raise BadArgumentError("--budget: what a batch costs is known at its end; leave it out")
    if not given.out.endswith(".jsonl"):
        raise BadArgumentError("--out: with --batch the name must end with .jsonl")


def submit(given: Any, rows: Any, store: Path, chain: Runnable[Any, Any], model: Any) -> None:
    """Submit the rows of `bulk --batch`, and say how to go on.

    Raises:
        OpenRouterError: They cannot be submitted.
    """
    metadata = {name: getattr(given, name) for name in _KEPT}
    job = submit_batch(
        chain,
        rows,
        store=store,
        model=model,
        key=given.key,
        metadata=metadata,
        max_concurrency=given.max_concurrency,
        progress=True,
    )
    status = job.status()
    _say(f"{status.requests:,} requests in {len(status.batches):,} batches are submitted.")
    _say(f"To wait for the answers, and write {given.out}: {_COMMAND} results {store}")


def run_batch(arguments: Sequence[str], build: Build) -> None:
    """Carry `batch` out.

    Args:
        arguments: Behind `batch`.
        build: Makes the chain of the options of `bulk`.

    Raises:
        BadArgumentError: It cannot be carried out as it is.
        OpenRouterError: OpenRouter refuses, or rows have failed.
    """
    given = _parser().parse_args(arguments)
    _check_key()
    job: BatchJob[Any] = BatchJob(given.job)
    options: dict[str, Any] = job.metadata if is_object(job.metadata) else {}
    if given.action == "status":
        _show(job.status().batches)
        return
    if not options.keys() >= {*_KEPT}:
        raise BadArgumentError(f"{given.job}: this job was made by a program; go on with it there")
    named = argparse.Namespace(**options)
    with build_model(settings_of(named)) as model:
        job = BatchJob(given.job, build(model, named))
        _show(job.wait(progress=True).batches)
        if given.action == "results":
            _write(job, given.out or named.out)


def settings_of(given: Any) -> dict[str, Any]:
    """Return the model's settings among the options."""
    settings = {
        "model": given.model,
        "reasoning_effort": given.effort,
        "max_tokens": given.max_tokens,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("action", choices=("status", "wait", "results"), help="results waits, and writes them")
    add("job", metavar="JOB", help="the job's file")
    add("--out", metavar="FILE", help="where results go: .jsonl (default: as it was submitted)")
    return parser


def _check_key() -> None:
    if not os.environ.get("OPENROUTER_API_KEY", "").strip():
        raise BadArgumentError(
            "batches need OPENROUTER_API_KEY: the embedded emulator ends with the command"
        )


def _show(batches: Sequence[BatchInfo]) -> None:
    for each in batches:
        cost = "" if each.cost is None else f", {usd(each.cost)}"
        error = "" if each.error is None else f", {each.error}"
        done = f"{each.completed:,} of {each.total:,} answered, {each.failed:,} failed"
        name = f"{each.number}  {each.id or 'not known'}  {each.status or each.state}"
        sys.stdout.write(f"{name}: {done}{cost}{error}\n")


def _write(job: BatchJob[Any], out: str) -> None:
    failed, count, cost = 0, 0, Decimal(0)
    with Path(out).open("w", encoding="utf-8") as file:
        for row in job.results():
            file.write(line_of(_plain(row)) + "\n")
            count, failed, cost = count + 1, failed + (not row.ok), cost + row.known_cost
    _say(f"{count:,} rows in {out}, {usd(cost)} in all")
    if failed:
        raise OpenRouterAPIError(f"{failed:,} rows failed; they say why in {out}.")


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {
        "key": row.key,
        "number": row.number,
        "value": values.plain(values.dump(row.value)),
        "error": None if row.error is None else str(row.error),
        "error_class": None if row.error is None else type(row.error).__name__,
        "cost": row.cost,
        "known_cost": row.known_cost,
        "cost_is_share": row.cost_is_share,
        "usage": row.usage,
        "generation_ids": row.generation_ids,
        "attempts": row.attempts,
    }


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
