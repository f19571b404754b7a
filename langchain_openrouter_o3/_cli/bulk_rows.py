"""The rows of a file: JSON lines, CSV or Parquet, read a few at a time."""

from __future__ import annotations

import csv
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_openrouter_o3._cli.outcome import BadArgumentError
from langchain_openrouter_o3._json import decode, is_object

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
