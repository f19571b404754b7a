"""`python -m langchain_openrouter_o3 bulk`: many rows of a file, without code."""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import itertools
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from langchain_core.prompts import ChatPromptTemplate

from langchain_openrouter_o3._cli.batch_command import check_batch, settings_of, submit
from langchain_openrouter_o3._cli.connection import EMULATED, build_model, connect
from langchain_openrouter_o3._cli.exit_codes import BadArgumentError
from langchain_openrouter_o3._cli.options import read_schema
from langchain_openrouter_o3._json import decode, is_object
from langchain_openrouter_o3.bulk import BulkInterrupted, bulk, export
from langchain_openrouter_o3.bulk.progress import usd
from langchain_openrouter_o3.errors import OpenRouterAPIError, OpenRouterError
from langchain_openrouter_o3.profiles import EFFORTS

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3.bulk import Row

_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "list": {"type": "array", "items": {"type": "string"}},
}
_FIELD = re.compile(r"\s*([A-Za-z_]\w*)(\?)?(?:\s+(\w+))?\s*")


def read_any_schema(given: str) -> dict[str, Any]:
    """Read a schema from a file, or from words.

    Raises:
        BadArgumentError: It is neither.
    """
    if given.endswith(".json") or Path(given).is_file():
        return read_schema(given)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for part in given.split(","):
        found = _FIELD.fullmatch(part)
        kind = _TYPES.get((found[3] or "text").lower()) if found is not None else None
        if found is None or kind is None:
            raise BadArgumentError(
                f"--schema: {part.strip()!r} is no field. Name a file, or fields such as "
                f'"name, born int, died? int"; types are {", ".join(_TYPES)}'
            )
        properties[found[1]] = kind
        if not found[2]:
            required.append(found[1])
    return {
        "title": "row",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


KINDS = (".jsonl", ".csv", ".parquet")


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
            value = decode(line)
        except ValueError as error:
            raise BadArgumentError(f"{self._path}, line {number}: not JSON ({error})") from error
        if isinstance(value, str):
            return {"text": value}
        if not is_object(value):
            raise BadArgumentError(f"{self._path}, line {number}: a row is an object or a text")
        return value

    def _records(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadArgumentError(f"{self._path}: not CSV in UTF-8 ({error})") from error

    def _columns(self) -> Iterator[dict[str, Any]]:
        for batch in self._parquet().iter_batches(batch_size=1000):
            yield from batch.to_pylist()

    def _parquet(self) -> Any:
        parquet: Any = importlib.import_module("pyarrow.parquet")
        return parquet.ParquetFile(self._path)


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
