"""`openrouter-o3 bulk`: a prompt for every row of a file."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import shlex
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, cast

from langchain_openrouter_o3 import OpenRouterAPIError, OpenRouterError
from langchain_openrouter_o3._cli.batch_command import check_batch, submit
from langchain_openrouter_o3._cli.connection import EMULATED, build_chain, build_model, connect
from langchain_openrouter_o3._cli.options import (
    BadArgumentError,
    add_model_options,
    check_output,
    model_settings,
    new_parser,
    parse_json,
    read_schema,
)
from langchain_openrouter_o3.bulk import BulkInterrupted, bulk, export
from langchain_openrouter_o3.bulk.progress import usd

if TYPE_CHECKING:
    import argparse

    from langchain_openrouter_o3.bulk import Row

KINDS = (".jsonl", ".csv", ".parquet")
_LONGEST_FIELD = 2**31 - 1  # of a CSV, in characters; csv itself refuses more than 131,072


def check_parquet(file: str) -> None:
    """Refuse a file that nothing here can read or write.

    Raises:
        BadArgumentError: pyarrow is missing.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise BadArgumentError(f"{file}: Parquet needs pyarrow: pip install pyarrow")


class RowsOfFile:
    """Iterates over the rows of a file; its length is what progress is measured by."""

    def __init__(self, file: str) -> None:
        """Look at the file.

        Args:
            file: Its name ends with one of `KINDS`.

        Raises:
            BadArgumentError: It cannot be read, or is of another kind.
        """
        self._path = Path(file)
        self._kind = self._path.suffix.lower()
        if self._kind not in KINDS:
            raise BadArgumentError(f"{file}: the name must end with {', '.join(KINDS)}")
        if not self._path.is_file():
            raise BadArgumentError(f"{file}: no such file")
        if self._kind == ".parquet":
            check_parquet(file)

    def __len__(self) -> int:
        """Count the rows; they are not kept."""
        if self._kind == ".parquet":
            count: int = self._parquet().metadata.num_rows
            return count
        if self._kind == ".csv":
            return sum(1 for _ in self._records())
        with self._path.open("rb") as file:
            return sum(1 for line in file if not line.isspace())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read the rows.

        Raises:
            BadArgumentError: A row cannot be read; the text tells its place.
        """
        read = {".jsonl": self._lines, ".csv": self._records, ".parquet": self._columns}
        return read[self._kind]()

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield self._object(number, line)

    def _object(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            value = parse_json(line)
        except ValueError as error:
            raise BadArgumentError(f"{self._path}, line {number}: not JSON ({error})") from error
        if isinstance(value, str):
            return {"text": value}
        if not isinstance(value, dict):
            raise BadArgumentError(f"{self._path}, line {number}: a row is an object or a text")
        return cast("dict[str, Any]", value)

    def _records(self) -> Iterator[dict[str, Any]]:
        csv.field_size_limit(_LONGEST_FIELD)
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                names = [*(reader.fieldnames or [])]
                if twice := sorted({name for name in names if names.count(name) > 1}):
                    raise BadArgumentError(f"{self._path}: two columns are called {twice[0]!r}")
                for row in reader:
                    if None in row or None in row.values():  # what csv makes of too many, too few
                        raise BadArgumentError(
                            f"{self._path}, line {reader.line_num}: a row needs as many fields as "
                            f"the header has, {len(names)}"
                        )
                    yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadArgumentError(f"{self._path}: not CSV in UTF-8 ({error})") from error

    def _columns(self) -> Iterator[dict[str, Any]]:
        for batch in self._parquet().iter_batches(batch_size=1000):
            yield from batch.to_pylist()

    def _parquet(self) -> Any:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        return parquet.ParquetFile(self._path)


_ABOUT = """\
Ask for every row of a file: texts, or objects of a schema.
A journal beside the output keeps what is done; --resume goes on without paying twice."""
_EXAMPLES = """\
examples:
  %(prog)s rows.jsonl --prompt "Who is in this text? {text}" \\
    --schema "name, born int" --out people.jsonl --budget 5
  %(prog)s rows.csv --key id --prompt "Translate: {text}" --out texts.jsonl --resume
  %(prog)s rows.csv --batch --prompt "Translate: {text}" --out texts.jsonl"""


def run(arguments: Sequence[str], command: str) -> None:
    """Ask for every row.

    Args:
        arguments: Behind `bulk`.
        command: What a person types before them.

    Raises:
        BadArgumentError: It cannot be carried out as it is.
        OpenRouterError: The run ended early, or rows have failed.
    """
    given = _parser(command).parse_args(arguments)
    if given.batch:
        check_batch(given)
    rows = RowsOfFile(given.rows)
    _check_prompt(given.prompt, rows)
    journal = Path(given.journal or f"{given.out}.db")
    _check_files(given, journal)
    with (
        connect(emulator=given.emulator),
        build_model(model_settings(given)) as model,
    ):
        if given.batch:
            submit(given, rows, journal, model, command)
            return
        if given.emulator:
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
                _say(f"To go on: {command} {shlex.join(_resumed(arguments))}")
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


def _parser(command: str) -> argparse.ArgumentParser:
    parser = new_parser(command, _ABOUT, _EXAMPLES)
    add = parser.add_argument
    add("rows", metavar="FILE", help="JSON lines, CSV or Parquet (which needs pyarrow)")
    add("--prompt", required=True, help="what to ask; {name} is a row's field")
    add("--out", required=True, metavar="FILE", help="where to: .jsonl or .parquet")
    add("--schema", help='fields such as "name, born int", a JSON schema, or its file')
    add("-s", "--system", metavar="TEXT", help="instructions before the prompt")
    add("--key", metavar="FIELD", help="the field that identifies a row (default: its number)")
    add("--budget", metavar="USD", help="end before more is spent")
    add("--resume", action="store_true", help="go on with the journal")
    add("--batch", action="store_true", help="submit them to the Batch API: half the price")
    add("--journal", metavar="FILE", help="default: the output's name with .db")
    add("--max-concurrency", type=int, default=100, metavar="N", help="rows at once (100)")
    add_model_options(parser)
    return parser


def _check_prompt(prompt: str, rows: RowsOfFile) -> None:
    """Refuse names for which a row has nothing: "None" would be asked for, and be paid.

    All rows are read before anything is sent, whereby each that cannot be read is told, too.
    """
    try:
        names = {name for _, name, _, _ in Formatter().parse(prompt) if name is not None}
    except ValueError as error:
        raise BadArgumentError(f"--prompt: {error}; write {{{{ and }}}} for braces") from error
    for number, row in enumerate(rows, start=1):
        if missing := sorted(names - row.keys()):
            raise BadArgumentError(
                f"--prompt: row {number} has no {', '.join(missing)}; it has "
                f"{', '.join(map(str, row))}"
            )
        if empty := sorted(name for name in names if row[name] is None):
            raise BadArgumentError(
                f"--prompt: {', '.join(empty)} of row {number} is null; leave the row out, or give "
                "it a value"
            )


def _check_files(given: Any, journal: Path) -> None:
    if not given.out.endswith((".jsonl", ".parquet")):
        raise BadArgumentError("--out: the name must end with .jsonl or .parquet")
    if given.out.endswith(".parquet"):
        check_parquet(given.out)
    rows, out = Path(given.rows), Path(given.out)
    check_output("--out", out, input=rows)
    check_output("--journal", journal, input=rows, output=out)
    if journal.exists() and not given.resume:
        raise BadArgumentError(
            f"{journal} is there already: --resume goes on with it, another --out begins anew"
        )
    if given.schema is not None:
        read_schema(given.schema)


def _resumed(arguments: Sequence[str]) -> list[str]:
    return [*arguments, *([] if "--resume" in arguments else ["--resume"])]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
