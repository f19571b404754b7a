"""Parquet, by pyarrow, which is installed by who needs it: here a stand-in with its interface."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3._cli.bulk_command import RowsOfFile
from langchain_openrouter_o3.bulk import bulk, export
from tests.helpers.bulk import people

_ARROW = """
def string(): return "string"
def int64(): return "int64"
def float64(): return "float64"
def decimal128(precision, scale): return f"decimal128({precision}, {scale})"
def list_(kind): return f"list<{kind}>"
def schema(fields): return dict(fields)
class Table:
    @staticmethod
    def from_pylist(rows, schema):
        assert all(row.keys() == schema.keys() for row in rows)
        return rows
"""
_PARQUET = """
import json, types
class ParquetWriter:
    def __init__(self, path, schema): self.path, self.rows = path, []
    def __enter__(self): return self
    def __exit__(self, *_):
        with open(self.path, "w") as file: json.dump(self.rows, file, default=str)
    def write_table(self, table): self.rows += table
class ParquetFile:
    def __init__(self, path):
        with open(path) as file: self.rows = json.load(file)
        self.metadata = types.SimpleNamespace(num_rows=len(self.rows))
    def iter_batches(self, batch_size):
        rows = self.rows
        yield types.SimpleNamespace(to_pylist=lambda: rows)
"""


@pytest.fixture
def _arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = tmp_path / "packages" / "pyarrow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_ARROW)
    (package / "parquet.py").write_text(_PARQUET)
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    yield
    for name in ("pyarrow", "pyarrow.parquet"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("_arrow")
def test_a_journal_is_exported_as_parquet(model: ChatOpenRouterO3, tmp_path: Path) -> None:
    texts = [f"Ada-{number} was born in 1815" for number in range(3)]
    rows = list(bulk(people(model), texts, journal=tmp_path / "run.db", ordered=True))
    out = tmp_path / "people.parquet"
    assert export(tmp_path / "run.db", out) == 3
    written: list[dict[str, Any]] = [*RowsOfFile(str(out))]
    assert len(RowsOfFile(str(out))) == 3
    assert json.loads(written[0]["value"]) == {"name": "Ada-0", "born": 1815}
    assert Decimal(written[0]["cost"]) == rows[0].cost


def test_parquet_without_pyarrow_is_refused(
    model: ChatOpenRouterO3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(bulk(model, ["echo a"], journal=tmp_path / "run.db"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OpenRouterInputError, match="pip install pyarrow"):
        export(tmp_path / "run.db", tmp_path / "out.parquet")
