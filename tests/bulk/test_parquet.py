"""Parquet, written and read by pyarrow."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3, OpenRouterInputError
from langchain_openrouter_o3._cli.bulk_command import RowsOfFile
from langchain_openrouter_o3.bulk import bulk, export
from langchain_openrouter_o3.emulator import Canned, Emulator, faults
from tests.helpers import wire
from tests.helpers.bulk import people


def test_a_journal_is_exported_as_parquet_exactly(
    model: ChatOpenRouterO3, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[export.__module__], "_BATCH", 5)
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    emulator.disturb(lambda request: faults.status(400) if b"Ada-2" in request.raw else None)
    texts = [f"Ada-{number} was born in 1815" for number in range(12)]
    rows = list(bulk(people(model), texts, journal=tmp_path / "run.db", ordered=True))
    out = tmp_path / "people.parquet"
    assert export(tmp_path / "run.db", out) == 12
    written: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
    assert [*RowsOfFile(str(out))] == written
    assert len(RowsOfFile(str(out))) == 12
    assert [line["key"] for line in written] == [row.key for row in rows]
    assert json.loads(written[0]["value"]) == {"name": "Ada-0", "born": 1815}
    assert json.loads(written[0]["usage"])["output_tokens"] > 0
    failed = written[2]
    assert (json.loads(failed["value"]), failed["cost"]) == (None, 0)
    assert failed["error_class"] == "OpenRouterInvalidRequestError"
    for line, row in zip(written, rows, strict=True):
        assert (line["cost"], line["known_cost"]) == (row.cost, row.known_cost)
        assert line["generation_ids"] == [*row.generation_ids]
        assert (line["attempts"], line["seconds"]) == (row.attempts, row.seconds)


def test_costs_of_more_decimals_than_a_column_has_are_rounded(
    model: ChatOpenRouterO3, emulator: Emulator, tmp_path: Path
) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    cost = 0.00012345678901234567
    answer = wire.body("hi", counts=wire.usage(cost=cost))
    emulator.play(Canned(pieces=json.dumps(answer).encode()))
    (row,) = bulk(model, ["x"], journal=tmp_path / "run.db")
    assert row.cost == Decimal("0.00012345678901234567")
    export(tmp_path / "run.db", tmp_path / "out.parquet")
    (written,) = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert written["cost"] == written["known_cost"] == Decimal("0.000123456789012346")
    export(tmp_path / "run.db", tmp_path / "out.jsonl")
    assert '"cost": 0.00012345678901234567' in (tmp_path / "out.jsonl").read_text()


def test_parquet_without_pyarrow_is_refused(
    model: ChatOpenRouterO3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(bulk(model, ["echo a"], journal=tmp_path / "run.db"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(OpenRouterInputError, match="pip install pyarrow"):
        export(tmp_path / "run.db", tmp_path / "out.parquet")
