"""`bulk --batch`, and `batch status|wait|results`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._cli.main import main
from langchain_openrouter_o3.batch import submit_batch

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator

PROMPT = "Who is in this text? {text}"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows: list[Any] = [{"id": n, "text": f"Ada-{n} was born in {1800 + n}"} for n in range(4)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_rows_are_submitted_looked_at_and_written(
    server: Emulator, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "people.jsonl"
    command = ["bulk", str(lines), "--prompt", PROMPT, "--out", str(out), "--batch", "--key", "id"]
    schema = ["--schema", "name, born int", "--effort", "low"]
    server.batches.plan.statuses = ("validating",)
    server.batches.plan.outcome = lambda body: (
        {"response": None, "error": {"type": "x", "message": "no luck", "param": None}}
        if "Ada-3 " in str(body)
        else None
    )
    assert main([*command, *schema]) == 0
    assert f"batch results {out}.db" in capsys.readouterr().err
    assert main([*command, *schema]) == 2  # it is there already
    assert main([*command, *schema, "--resume"]) == 0
    assert len(server.batches.stored) == 1
    assert main(["batch", "status", f"{out}.db"]) == 0
    said = capsys.readouterr().out
    assert server.batches.stored[0].id in said
    assert "completed: 3 of 4 answered, 1 failed, 0.00" in said
    assert main(["batch", "results", f"{out}.db"]) == 1
    assert "1 rows failed; they say why" in capsys.readouterr().err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["value"] and row["value"]["born"] for row in rows] == [1800, 1801, 1802, None]
    assert rows[0]["cost_is_share"] is True
    assert "no luck" in rows[3]["error"]
    assert main(["batch", "results", f"{out}.db", "--out", f"{out}.db"]) == 2
    assert "is the job; choose another file" in capsys.readouterr().err
    assert main(["batch", "results", f"{out}.db", "--out", "no/such/a.jsonl"]) == 2
    assert "there is no folder no/such" in capsys.readouterr().err
    assert main(["batch", "wait", f"{out}.db"]) == 0
    server.batches.plan.end, server.batches.plan.outcome = "failed", lambda _: None
    texts = tmp_path / "texts.jsonl"
    assert main([*command[:4], "--out", str(texts), "--batch"]) == 0
    server.batches.plan.end = "completed"
    assert main(["batch", "results", f"{texts}.db", "--out", str(tmp_path / "t.jsonl")]) == 0
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 4


def test_what_cannot_work_is_told(
    server: Emulator,
    lines: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["bulk", str(lines), "--prompt", PROMPT, "--batch", "--out"]
    assert main([*command, "a.parquet"]) == 2
    assert main([*command, "a.jsonl", "--budget", "5"]) == 2
    submit_batch(ChatOpenRouterO3(), ["echo a"], store=tmp_path / "job.db")
    assert main(["batch", "results", str(tmp_path / "job.db")]) == 2
    server.batches.plan.end = "failed"
    assert main(["batch", "status", str(tmp_path / "job.db")]) == 0
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert main([*command, "a.jsonl"]) == 2
    said = capsys.readouterr().err
    for text in ("end with .jsonl", "--budget: ", "made by a program", "need OPENROUTER_API_KEY"):
        assert text in said
