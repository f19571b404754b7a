"""`openrouter-o3 batch`, and `bulk --batch`: jobs of the Batch API."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langchain_openrouter_o3 import OpenRouterAPIError
from langchain_openrouter_o3._cli.connection import build_chain, build_model, has_key
from langchain_openrouter_o3._cli.options import (
    BadArgumentError,
    check_output,
    model_settings,
    new_parser,
)
from langchain_openrouter_o3.batch import BatchJob, submit_batch
from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.export import line_of, replacing
from langchain_openrouter_o3.bulk.progress import usd

if TYPE_CHECKING:
    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.batch import BatchInfo
    from langchain_openrouter_o3.bulk import Row

_ABOUT = """\
Jobs of OpenRouter's Batch API, which `bulk --batch` submits: half the price, within a day.
JOB is the file beside the output, such as people.jsonl.db."""
_EXAMPLES = """\
examples:
  %(prog)s status people.jsonl.db
  %(prog)s results people.jsonl.db"""
_KEPT = ("prompt", "system", "schema", "model", "effort", "max_tokens", "out")


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


def submit(given: Any, rows: Any, store: Path, model: ChatOpenRouterO3, command: str) -> None:
    """Submit the rows of `bulk --batch`, and say how to go on.

    Raises:
        OpenRouterError: They cannot be submitted.
    """
    metadata = {name: getattr(given, name) for name in _KEPT}
    job = submit_batch(
        build_chain(model, given),
        rows,
        store=store,
        model=model,
        key=given.key,
        metadata=metadata,
        max_concurrency=given.max_concurrency,
        progress=True,
    )
    status = job.status()
    batch = f"{command.removesuffix('bulk')}batch"
    _say(f"{status.requests:,} requests in {len(status.batches):,} batches are submitted.")
    _say(f"To wait for the answers, and write {given.out}: {batch} results {store}")


def run(arguments: Sequence[str], command: str) -> None:
    """Tell of a job, wait for it, or write its results.

    Args:
        arguments: Behind `batch`.
        command: What a person types before them.

    Raises:
        BadArgumentError: It cannot be carried out as it is.
        OpenRouterError: OpenRouter refuses, or rows have failed.
    """
    given = _parser(command).parse_args(arguments)
    _check_key()
    job: BatchJob[Any] = BatchJob(given.job)
    metadata: Any = job.metadata
    options = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    if given.action == "status":
        _show(job.status().batches)
        return
    if not options.keys() >= {*_KEPT}:
        raise BadArgumentError(f"{given.job}: this job was made by a program; go on with it there")
    named = argparse.Namespace(**options)
    out = Path(given.out or named.out)
    if given.action == "results":
        check_output("--out", out, job=Path(given.job))
    with build_model(model_settings(named)) as model:
        job = BatchJob(given.job, build_chain(model, named))
        _show(job.wait(progress=True).batches)
        if given.action == "results":
            _write(job, out)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = new_parser(command, _ABOUT, _EXAMPLES)
    add = parser.add_argument
    add("action", choices=("status", "wait", "results"), help="results waits, and writes them")
    add("job", metavar="JOB", help="the job's file")
    add("--out", metavar="FILE", help="where results go: .jsonl (default: as it was submitted)")
    return parser


def _check_key() -> None:
    if not has_key():
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


def _write(job: BatchJob[Any], out: Path) -> None:
    failed, count, cost = 0, 0, Decimal(0)
    with replacing(out) as beside, beside.open("w", encoding="utf-8") as file:
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
