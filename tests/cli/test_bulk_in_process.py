"""`bulk` of the command line inside this process, where every branch can be reached."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from langchain_openrouter_o3.__main__ import main
from langchain_openrouter_o3.emulator import Emulator, faults

PROMPT = "Who is in this text? {text}"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows: list[Any] = [{"id": n, "text": f"Ada-{n} was born in {1800 + n}"} for n in range(4)]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": 9, "text": "x"}]) + "\n\n")
    return path


def bulk(file: Path, out: Path, *more: str) -> int:
    return main(["bulk", str(file), "--prompt", PROMPT, "--out", str(out), *more])


@pytest.mark.usefixtures("server")
def test_objects_and_texts(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--system", "Be brief.", "--effort", "low", "--max-tokens", "2000"]
    assert bulk(lines, tmp_path / "a.jsonl", "--schema", "name, born? int", *more) == 0
    assert bulk(lines, tmp_path / "b.jsonl", "--key", "id", "--model", "openai/o3") == 0
    assert "5 rows in" in capsys.readouterr().err
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 5
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"type": "object", "properties": {"name": {"type": "string"}}}))
    assert bulk(lines, tmp_path / "c.jsonl", "--schema", str(file), "--budget", "5") == 0


def test_the_embedded_emulator_answers_without_a_key(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bulk(lines, tmp_path / "a.jsonl") == 0
    assert "embedded emulator" in capsys.readouterr().err


@pytest.mark.usefixtures("server")
def test_other_kinds_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("text\na\nb\n")
    assert bulk(tmp_path / "rows.csv", tmp_path / "a.jsonl") == 0
    (tmp_path / "texts.jsonl").write_text('"a"\n"b"\n')
    assert bulk(tmp_path / "texts.jsonl", tmp_path / "b.jsonl") == 0
    (tmp_path / "empty.jsonl").write_text("")
    assert bulk(tmp_path / "empty.jsonl", tmp_path / "c.jsonl") == 0
    assert "0 rows in" in capsys.readouterr().err
    for name, content in (
        ("broken.jsonl", b'{"text": "a"}\nno\n'),
        ("number.jsonl", b'{"text": "a"}\n1\n'),
        ("broken.csv", b"text\na\n\xff\n"),
        ("rows.txt", b""),
    ):
        (tmp_path / name).write_bytes(content)
        assert bulk(tmp_path / name, tmp_path / f"{name}.jsonl") == 2
    assert bulk(tmp_path / "missing.jsonl", tmp_path / "d.jsonl") == 2


def test_without_pyarrow(
    server: Emulator, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    assert bulk(tmp_path / "rows.parquet", tmp_path / "a.jsonl") == 2
    assert bulk(lines, tmp_path / "a.parquet") == 2
    assert server.requests == []


def test_what_cannot_work(server: Emulator, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    for more in (
        ["--prompt", "{nothing}"],
        ["--prompt", "{"],
        ["--out", "a.txt"],
        ["--schema", "born in the"],
        ["--schema", "name colour"],
        ["--max-concurrency", "0"],
    ):
        assert bulk(lines, out, *more) == 2
    assert server.requests == []


def test_failed_rows_a_budget_and_what_is_there_already(
    server: Emulator, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.disturb(lambda request: faults.status(400) if b"Ada-2" in request.raw else None)
    out = tmp_path / "a.jsonl"
    assert bulk(lines, out) == 1
    assert "1 rows failed" in capsys.readouterr().err
    assert bulk(lines, out) == 2
    server.reset()
    assert bulk(lines, out, "--resume") == 0
    assert bulk(lines, tmp_path / "b.jsonl", "--budget", "0.01") == 1
    assert "--budget 0.01 --resume" in capsys.readouterr().err
    assert bulk(lines, tmp_path / "b.jsonl", "--budget", "0.01", "--resume") == 1
    assert "--resume --resume" not in capsys.readouterr().err
    assert main(["bulk", str(lines), "--prompt", PROMPT, "--out", "no/such/folder/a.jsonl"]) == 2


def test_ctrl_c(server: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'"row-{number}"\n' for number in range(5000)))
    numbers = itertools.count()

    def interrupt(_: Any) -> None:
        if next(numbers) == 50:
            os.kill(os.getpid(), signal.SIGINT)

    server.disturb(interrupt)
    assert bulk(rows, tmp_path / "a.jsonl") == 130
    errors = capsys.readouterr().err
    assert "Interrupted: " in errors
    assert "To go on: " in errors
