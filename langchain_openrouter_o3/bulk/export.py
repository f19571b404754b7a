"""A journal as a file that other programs read: JSON lines, or Parquet."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from langchain_openrouter_o3.bulk import values
from langchain_openrouter_o3.bulk.arrow import to_money
from langchain_openrouter_o3.bulk.database import Database, close_database, open_database
from langchain_openrouter_o3.bulk.errors import JournalError
from langchain_openrouter_o3.bulk.journal import Record, read_records
from langchain_openrouter_o3.errors import OpenRouterInputError

_BATCH = 1000


def export(journal: str | os.PathLike[str], path: str | os.PathLike[str]) -> int:
    """Write the rows of a journal to a file, in the order of the input.

    Objects become JSON objects; their classes are not needed.

    Args:
        journal: A file that no run works with.
        path: Ends with `.jsonl`, or with `.parquet` if pyarrow is installed.

    Returns:
        How many rows there are.

    Raises:
        JournalError: There is no such journal, or it is in use.
        OpenRouterInputError: The file's ending is another one, or pyarrow is missing.
        OSError: The file cannot be written; one that was there stays as it was.
    """
    ending = Path(path).suffix
    if ending not in (".jsonl", ".parquet"):
        raise OpenRouterInputError(f"{path}: the name must end with .jsonl or .parquet.")
    with opened(journal) as database:
        rows = (_plain(record) for record in read_records(database) if _is_done(record))
        with replacing(path) as beside:
            return (
                _write_lines(rows, beside) if ending == ".jsonl" else _write_parquet(rows, beside)
            )


@contextmanager
def opened(journal: str | os.PathLike[str]) -> Generator[Database]:
    """Open a journal that exists.

    Raises:
        JournalError: It does not, or it is in use.
    """
    if not Path(journal).is_file():
        raise JournalError(f"{journal}: there is no such journal.")
    database = open_database(journal)
    try:
        yield database
    finally:
        close_database(database)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Generator[Path]:
    """Write a file beside another, whose place it takes only when the block has come to its end.

    Raises:
        OSError: It cannot.
    """
    place = Path(path).resolve()  # behind links, which stay
    beside = place.with_name(f"{place.name}.part")
    try:
        yield beside
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def _is_done(record: Record) -> bool:
    return record.state != "given up"


def _plain(record: Record) -> dict[str, Any]:
    assert record.value is not None  # noqa: S101 - a kept journal has the values of done rows
    value = values.plain(record.value)
    failed = record.state == "error"
    return {
        "key": record.key,
        "number": record.number,
        "value": None if failed else value,
        "error": value if failed else None,
        "error_class": values.class_name(record.value) if failed else None,
        "cost": None if record.unknown else Decimal(record.cost),
        "known_cost": Decimal(record.cost),
        "usage": record.tokens,
        "generation_ids": record.generation_ids,
        "attempts": record.attempts,
        "seconds": record.seconds,
    }


def line_of(row: dict[str, Any]) -> str:
    """Write a row as one line; money is a decimal number, exactly."""
    fields = (f"{json.dumps(name)}: {_json_of(value)}" for name, value in row.items())
    return f"{{{', '.join(fields)}}}"


def _json_of(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _write_lines(rows: Iterator[dict[str, Any]], path: str | os.PathLike[str]) -> int:
    count = 0
    with Path(path).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(line_of(row) + "\n")
            count += 1
    return count


def _write_parquet(rows: Iterator[dict[str, Any]], path: str | os.PathLike[str]) -> int:
    """Write columns; values and tokens are JSON text, because their shapes may differ."""
    if importlib.util.find_spec("pyarrow") is None:
        raise OpenRouterInputError(f"{path}: Parquet needs pyarrow: pip install pyarrow.")
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    text, money = arrow.string(), arrow.decimal128(38, 18)
    schema = arrow.schema(
        {
            "key": text,
            "number": arrow.int64(),
            "value": text,
            "error": text,
            "error_class": text,
            "cost": money,
            "known_cost": money,
            "usage": text,
            "generation_ids": arrow.list_(text),
            "attempts": arrow.int64(),
            "seconds": arrow.float64(),
        }
    )
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := [_flat(row) for row in itertools.islice(rows, _BATCH)]:
            writer.write_table(arrow.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    money = {name: to_money(row[name]) for name in ("cost", "known_cost")}
    texts = {name: json.dumps(row[name]) for name in ("value", "usage")}
    return {**row, **money, **texts}
