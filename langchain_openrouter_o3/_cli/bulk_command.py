"""`python -m langchain_openrouter_o3 bulk`: many rows of a file, without code."""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from langchain_core.prompts import ChatPromptTemplate

from langchain_openrouter_o3._cli.batch_command import check_batch, settings_of, submit
from langchain_openrouter_o3._cli.bulk_rows import RowsOfFile, check_parquet
from langchain_openrouter_o3._cli.bulk_schema import read_any_schema
from langchain_openrouter_o3._cli.connection import EMULATED, build_model, connect
from langchain_openrouter_o3._cli.outcome import BadArgumentError
from langchain_openrouter_o3.bulk import BulkInterrupted, bulk, export
from langchain_openrouter_o3.bulk.progress import usd
from langchain_openrouter_o3.errors import OpenRouterAPIError, OpenRouterError
from langchain_openrouter_o3.profiles import EFFORTS

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.bulk import Row

NAME = "bulk"
_COMMAND = "python -m langchain_openrouter_o3 bulk"
_DESCRIPTION = """\
Ask for every row of a file: texts, or objects of a schema.
A journal beside the output keeps what is done; --resume goes on without paying twice."""
_EXAMPLES = f"""\
examples:
  {_COMMAND} rows.jsonl --prompt "Who is in this text? {{text}}" \\
    --schema "name, born int" --out people.jsonl --budget 5
  {_COMMAND} rows.csv --key id --prompt "Translate: {{text}}" --out texts.jsonl --resume
  {_COMMAND} rows.csv --batch --prompt "Translate: {{text}}" --out texts.jsonl"""


def run_bulk(arguments: Sequence[str]) -> None:
    """Carry the command out.

    Args:
        arguments: Behind `bulk`.

    Raises:
        BadArgumentError: It cannot be carried out as it is.
        OpenRouterError: The run ended early, or rows have failed.
    """
    given = _parser().parse_args(arguments)
    if given.batch:
        check_batch(given)
    rows = RowsOfFile(given.rows)
    _check_prompt(given.prompt, rows)
    journal = Path(given.journal or f"{given.out}.db")
    _check_files(given, journal)
    with connect() as emulated, build_model(settings_of(given)) as model:
        if given.batch:
            submit(given, rows, journal, build_chain(model, given), model)
            return
        if emulated:
            _say(EMULATED)
        last = _Last()
        try:
            for row in bulk(
                build_chain(model, given),
                rows,
                key=given.key,
                journal=journal,
                max_concurrency=given.max_concurrency,
                budget=given.budget,
                progress=True,
                keep_input=False,
            ):
                last.count(row)
        except (BulkInterrupted, OpenRouterError):
            if journal.is_file():
                export(journal, given.out)
                _say(f"To go on: {_COMMAND} {shlex.join(_resumed(arguments))}")
            raise
        count = export(journal, given.out)
    _say(f"{count:,} rows in {given.out}, {usd(last.cost)} in all")
    if last.failed:
        raise OpenRouterAPIError(
            f"{last.failed:,} rows failed; they say why in {given.out}. --resume tries them again."
        )


class _Last:
    """What came of all rows, those from the journal included."""

    def __init__(self) -> None:
        self.failed = 0
        self.cost = Decimal(0)

    def count(self, row: Row[Any]) -> None:
        self.failed += not row.ok
        self.cost += row.known_cost


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("rows", metavar="FILE", help="JSON lines, CSV or Parquet (which needs pyarrow)")
    add("--prompt", required=True, help="what to ask; {name} is a row's field")
    add("--out", required=True, metavar="FILE", help="where to: .jsonl or .parquet")
    add("--schema", help='a JSON schema\'s file, or fields such as "name, born int"')
    add("--system", metavar="TEXT", help="instructions before the prompt")
    add("--key", metavar="FIELD", help="the field that identifies a row (default: its number)")
    add("--budget", metavar="USD", help="end before more is spent")
    add("--resume", action="store_true", help="go on with the journal")
    add("--batch", action="store_true", help="submit them to the Batch API: half the price")
    add("--journal", metavar="FILE", help="default: the output's name with .db")
    add("--max-concurrency", type=int, default=100, metavar="N", help="rows at once (100)")
    add("--model", metavar="SLUG", help="another model")
    add("--effort", choices=EFFORTS, help="how hard to think")
    add("--max-tokens", metavar="N", type=int, help="longest answer, reasoning included")
    return parser


def build_chain(model: ChatOpenRouterO3, given: Any) -> Runnable[Any, Any]:
    """Make the chain of the options."""
    system = [] if given.system is None else [("system", given.system)]
    prompt = ChatPromptTemplate.from_messages([*system, ("user", given.prompt)])
    if given.schema is None:
        return prompt | model | _text
    return prompt | model.with_structured_output(read_any_schema(given.schema))


def _text(message: Any) -> str:
    return str(message.text)


def _check_prompt(prompt: str, rows: RowsOfFile) -> None:
    """Refuse names that the first row does not have: every row would fail."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(prompt) if name is not None}
    except ValueError as error:
        raise BadArgumentError(f"--prompt: {error}; write {{{{ and }}}} for braces") from error
    for row in itertools.islice(rows, 1):
        if missing := sorted(names - row.keys()):
            raise BadArgumentError(
                f"--prompt: the first row has no {', '.join(missing)}; it has "
                f"{', '.join(map(str, row))}"
            )


def _check_files(given: Any, journal: Path) -> None:
    if not given.out.endswith((".jsonl", ".parquet")):
        raise BadArgumentError("--out: the name must end with .jsonl or .parquet")
    if given.out.endswith(".parquet"):
        check_parquet(given.out)
    if journal.exists() and not given.resume:
        raise BadArgumentError(
            f"{journal} is there already: --resume goes on with it, another --out begins anew"
        )
    if given.schema is not None:
        read_any_schema(given.schema)


def _resumed(arguments: Sequence[str]) -> list[str]:
    return [*arguments, *([] if "--resume" in arguments else ["--resume"])]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
