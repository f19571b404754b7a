"""`python -m langchain_openrouter_o3 bulk`."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from langchain_openrouter_o3.emulator import faults
from tests.helpers.bulk_server import Plan, Server
from tests.helpers.commands import COMMAND, OnTerminal, run

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator

PROMPT = "Who is in this text? {text}"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows = [{"id": f"k{n}", "text": f"Ada-{n} was born in {1800 + n}"} for n in range(5)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("schema", ["name, born int", "file"])
def test_objects_are_extracted_and_a_second_run_pays_nothing(
    server: Emulator, lines: Path, tmp_path: Path, schema: str
) -> None:
    if schema == "file":
        schema = str(tmp_path / "person.json")
        kinds = {"name": {"type": "string"}, "born": {"type": "integer"}}
        (tmp_path / "person.json").write_text(
            json.dumps({"title": "p", "type": "object", "properties": kinds})
        )
    out = tmp_path / "people.jsonl"
    command = ["bulk", str(lines), "--prompt", PROMPT, "--schema", schema, "--out", str(out)]
    done = run(*command, "--key", "id", "--budget", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "5 of 5 rows" in done.stderr
    assert f"5 rows in {out}" in done.stderr
    people = read(out)
    assert [row["key"] for row in people] == [f"k{n}" for n in range(5)]
    assert [row["value"]["born"] for row in people] == [1800, 1801, 1802, 1803, 1804]
    assert len(server.requests) == 5
    refused = run(*command, "--key", "id")
    assert refused.returncode == 2
    assert "--resume goes on with it" in refused.stderr
    again = run(*command, "--key", "id", "--resume")
    assert again.returncode == 0
    assert "5 from the journal" in again.stderr
    assert len(server.requests) == 5
    assert read(out) == people


def test_rows_that_fail_say_why_and_are_tried_again(
    server: Emulator, lines: Path, tmp_path: Path
) -> None:
    server.disturb(lambda request: faults.status(400) if b"Ada-3" in request.raw else None)
    out = tmp_path / "out.jsonl"
    command = ["bulk", str(lines), "--prompt", PROMPT, "--out", str(out)]
    failed = run(*command)
    assert failed.returncode == 1
    assert "1 rows failed; they say why" in failed.stderr
    assert read(out)[3]["error_class"] == "OpenRouterInvalidRequestError"
    server.reset()
    done = run(*command, "--resume")
    assert done.returncode == 0
    assert read(out)[3]["error"] is None
    assert len(server.requests) == 1


def test_ctrl_c_writes_what_is_done_and_the_command_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text("".join(f'"row-{number}"\n' for number in range(20_000)))
    command = ["bulk", str(rows), "--prompt", "{text}", "--out", str(out)]
    with Server(Plan(think=0.01)) as server:
        monkeypatch.setenv("OPENROUTER_API_BASE", server.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "any")
        process = subprocess.Popen([*COMMAND, *command], stderr=subprocess.PIPE, text=True)
        while server.bill().requests < 200:
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        answers = sum(server.bill().answers.values())
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Interrupted: " in err
    assert f"-m langchain_openrouter_o3 bulk {rows}" in err
    assert err.rstrip().endswith("--resume")
    assert len(read(out)) == answers


def test_a_terminal_shows_a_line_that_moves(server: Emulator, lines: Path, tmp_path: Path) -> None:
    server.disturb(lambda _: faults.stall(1))
    out = tmp_path / "out.jsonl"
    arguments = ("bulk", str(lines), "--prompt", PROMPT, "--out", str(out))
    with OnTerminal(*arguments, columns=120) as terminal:
        terminal.wait_for("0 of 5 rows")
        assert terminal.code() == 0
        assert "5 of 5 rows" in terminal.text
        assert "USD" in terminal.text
