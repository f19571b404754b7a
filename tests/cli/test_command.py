"""The command as a process of its own, with pipes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from langchain_openrouter_o3._cli.connection import EMULATED
from tests.helpers.commands import COMMAND, SECONDS, run, run_anew

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_openrouter_o3.emulator import Emulator


def test_what_is_piped_in_is_joined_to_the_words(server: Emulator) -> None:
    done = run("Repeat:", text="a line\nwith ümläuts\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.requests[0].body is not None
    said = server.requests[0].body["messages"][0]["content"]
    assert said == "Repeat:\n\na line\nwith ümläuts"


def test_the_tour_shows_code_results_and_cost() -> None:
    done = run_anew("tour", merged=True)
    assert done.returncode == 0
    assert {character for character in done.stdout if not character.isprintable()} == {"\n"}
    for title in ("1. Chain", "2. Stream", "3. Agent", "4. Extract"):
        assert f"\n\n{title}  " in done.stdout
    for result in ("17 * 23 = 391.", "(city='Rome')", "sunny, 21 °C", "add: 42", "Ada Lovelace\n"):
        assert result in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    table = {row[0]: row[1:] for row in rows if row and row[0] in ("chain", "agent", "total")}
    assert all(len(cells) == 6 for cells in table.values())
    assert float(table["total"][5]) > float(table["agent"][5]) > float(table["chain"][5]) > 0
    typed = shlex.split(done.stdout.splitlines()[-1])
    assert typed == [*COMMAND, "--emulator", "Why is the sky blue?"]


def test_json_survives_an_ascii_locale(schema_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run_anew("--emulator", "--schema", schema_file, "Ada Löv, tags: red, green and blue")
    assert json.loads(done.stdout)["name"] == "Ada Löv"
    assert "\\u00f6" in done.stdout


def test_nobody_reads_to_the_end(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*COMMAND, "--emulator", "repeat 90000 words"], stdout=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.read(5) == b"word1"
        process.stdout.close()
        assert process.wait(SECONDS) == 141
    assert errors.read_text() == f"{EMULATED}\n"


def test_the_package_does_not_import_the_command_line() -> None:
    code = (
        "import sys, langchain_openrouter_o3; "
        "found = {f'langchain_openrouter_o3.{room}' for room in ('_cli', '_terminal')} "
        "& set(sys.modules); "
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS)
