"""`bulk` of the command line inside this process, where every branch can be reached."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3._cli.main import main
from langchain_openrouter_o3.emulator import faults

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PROMPT = "Who is in this text? {text}"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows: list[Any] = [{"id": n, "text": f"Ada-{n} was born in {1800 + n}"} for n in range(4)]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": 9, "text": "x"}]) + "\n\n")
    return path


def bulk(file: Path, out: Path, *more: str) -> int:
    arguments = ["bulk", str(file), "--prompt", PROMPT, "--out", str(out), *more]
    return main(arguments, command="o3")


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


def test_it_needs_a_key_or_the_emulator(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bulk(lines, tmp_path / "a.jsonl") == 2
    assert "--emulator" in capsys.readouterr().err
    assert bulk(lines, tmp_path / "a.jsonl", "--emulator") == 0
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


def test_without_pyarrow(
    lines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    assert bulk(tmp_path / "rows.parquet", tmp_path / "a.jsonl") == 2
    assert bulk(lines, tmp_path / "a.parquet") == 2
    assert capsys.readouterr().err.count("pip install pyarrow") == 2


@pytest.mark.parametrize(
    ("file", "options", "text"),
    [
        ("missing.jsonl", [], "no such file"),
        (None, ["--prompt", "{nothing}"], "row 1 has no nothing; it has id, text"),
        (None, ["--prompt", "{"], "--prompt: "),
        (None, ["--out", "out.csv"], "--out: the name must end with .jsonl or .parquet"),
        (None, ["--schema", "born in the"], "'born in the' is no field"),
        (None, ["--schema", "name,, born"], "'' is no field"),
        (None, ["--schema", "name colour"], "'name colour' is no field"),
        (None, ["--schema", "missing.json"], "missing.json"),
        (None, ["--max-concurrency", "0"], "at least 1"),
        (None, ["--budget", "much"], "budget='much'"),
        (None, ["--key", "nothing"], "row 1 has none"),
        ("rows.txt", b"", "the name must end with .jsonl, .csv, .parquet"),
        ("a.jsonl", b'{"text": "a"}\nnothing\n', "line 2: not JSON"),
        ("a.jsonl", b'{"text": "a"}\n{"text": NaN}\n', "line 2: not JSON (NaN is not JSON)"),
        ("a.jsonl", b'{"text": "a"}\n[1]\n', "line 2: a row is an object or a text"),
        ("a.jsonl", b'{"text": "a"}\n{"other": "b"}\n', "row 2 has no text; it has other"),
        ("a.jsonl", b'{"text": "a"}\n{"text": null}\n', "text of row 2 is null"),
        ("a.csv", b"text\n\xff\n", "not CSV in UTF-8"),
        ("a.csv", b"id,text\n1,a\n2\n", "line 3: a row needs as many fields as the header has, 2"),
        ("a.csv", b"id,text\n1,a\n2,b,c\n", "line 3: a row needs as many fields"),
        ("a.csv", b"text,id,text\na,1,b\n", "two columns are called 'text'"),
    ],
)
def test_what_cannot_work_is_told_with_its_place(  # noqa: PLR0913, PLR0917 - fixtures
    server: Emulator,
    lines: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str | None,
    options: list[str] | bytes,
    text: str,
) -> None:
    rows = lines if file is None else tmp_path / file
    if isinstance(options, bytes):
        rows.write_bytes(options)
        options = []
    assert bulk(rows, tmp_path / "out.jsonl", *options) == 2
    assert text in capsys.readouterr().err
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--out", "rows.jsonl"], "--out: rows.jsonl is the input; choose another file"),
        (["--out", "same.jsonl"], "--out: same.jsonl is the input"),  # a hard link
        (["--out", "no/such/folder/a.jsonl"], "there is no folder no/such/folder; make it first"),
        (["--out", "folder.jsonl"], "--out: folder.jsonl is a folder"),
        (["--journal", "rows.jsonl", "--resume"], "--journal: rows.jsonl is the input"),
        (["--journal", "a.jsonl"], "--journal: a.jsonl is the output"),
        (["--journal", "no/a.db"], "--journal: there is no folder no"),
    ],
)
def test_no_file_of_the_command_is_lost(  # noqa: PLR0913, PLR0917 - fixtures
    server: Emulator,
    lines: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(lines.parent)
    Path("same.jsonl").hardlink_to(lines)
    Path("folder.jsonl").mkdir()
    before = lines.read_text()
    arguments = ["bulk", "rows.jsonl", "--prompt", PROMPT, "--out", "a.jsonl", *options]
    assert main(arguments, command="o3") == 2
    assert text in capsys.readouterr().err
    assert (server.requests, lines.read_text()) == ([], before)


@pytest.mark.usefixtures("server")
def test_a_long_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"text\n{'a' * 140_000}\n")
    assert bulk(tmp_path / "rows.csv", tmp_path / "a.jsonl") == 0


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
