"""The command with its output in pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_openrouter_o3 import __version__
from langchain_openrouter_o3._cli.answer import CUT
from langchain_openrouter_o3._cli.connection import EMULATED
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.conftest import KEY
from tests.helpers.commands import COMMAND, SECONDS, run, run_anew
from tests.helpers.factories import STREAM
from tests.helpers.wire import chunk, ending, error, sse, to_json, usage

UNKNOWN = "\N{EN DASH}"


def test_a_prompt_without_a_key_is_answered_by_the_embedded_emulator() -> None:
    done = run_anew("What", "is", "17", "*", "23?")
    assert done.returncode == 0
    assert done.stdout == (
        "17 * 23 = 391. The emulator can calculate, but it is no language model.\n"
    )
    assert done.stderr == f"{EMULATED}\n"


def test_a_blank_api_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", " ")
    assert run("2+2").stderr == f"{EMULATED}\n"


def test_a_prompt_with_a_key_goes_to_the_server(server: Emulator) -> None:
    done = run(
        "--effort", "low", "--max-tokens", "900", "--system", "Be brief.", "What", "--usage",
        "is 2+2?", "--model", "openai/o4-mini",
    )  # fmt: skip
    assert (done.returncode, done.stdout.partition(".")[0]) == (0, "2+2 = 4")
    (request,) = server.requests
    assert request.body is not None
    assert request.body["model"] == "openai/o4-mini"
    assert request.body["reasoning"] == {"effort": "low"}
    assert request.body["max_tokens"] == 900
    assert [message["content"] for message in request.body["messages"]] == [
        "Be brief.",
        "What is 2+2?",
    ]
    head, row = done.stderr.splitlines()
    assert head.split() == ["input", "cached", "output", "reasoning", "seconds", "USD"]
    assert row.split()[0] == "answer"


def test_a_pipe_is_read(server: Emulator) -> None:
    done = run("Repeat:", "-", text="a line\nwith ümläuts\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.requests[0].body is not None
    assert server.requests[0].body["messages"][0]["content"] == "Repeat: a line\nwith ümläuts"


def test_the_tour_shows_code_results_and_cost() -> None:
    done = run("--effort", "low")
    assert (done.returncode, done.stderr) == (0, "")
    assert EMULATED in done.stdout
    assert "model = ChatOpenRouterO3(reasoning_effort='low')" in done.stdout
    for title in ("1. Chain", "2. Stream", "3. Agent", "4. Extract"):
        assert f"\n\n{title}  " in done.stdout
    for result in ("17 * 23 = 391.", "(city='Rome')", "sunny, 21 °C", "add: 42", "Ada Lovelace\n"):
        assert result in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    table = {row[0]: row[1:] for row in rows if row and row[0] in ("chain", "agent", "total")}
    assert all(len(cells) == 6 for cells in table.values())
    assert float(table["total"][5]) > float(table["agent"][5]) > float(table["chain"][5]) > 0


def test_the_tour_says_whom_it_asks(server: Emulator) -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Asking openai/o3-mini at {server.base_url}.\n" in done.stdout
    assert "charged" not in done.stdout
    assert KEY not in done.stdout


def test_plain_output_has_no_control_characters() -> None:
    done = run(merged=True)
    assert done.returncode == 0
    assert {character for character in done.stdout if not character.isprintable()} == {"\n"}


def test_a_schema_gives_one_json_document_on_standard_output(schema_file: str) -> None:
    done = run("--schema", schema_file, "--usage", "Ada Löv, tags: red, green and blue")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"name": "Ada Löv", "tags": ["red", "green", "blue"]}
    assert "Löv" in done.stdout
    assert done.stderr.startswith(EMULATED)
    assert "answer" in done.stderr


def test_json_survives_an_ascii_locale(schema_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run_anew("--schema", schema_file, "Ada Löv, tags: red, green and blue")
    assert json.loads(done.stdout)["name"] == "Ada Löv"
    assert "\\u00f6" in done.stdout


def test_a_price_that_is_not_reported_is_not_invented(server: Emulator) -> None:
    counts = {key: value for key, value in usage().items() if key != "cost"}
    server.play(Canned(headers=STREAM, pieces=sse(chunk("Hi"), *ending(counts=counts))))
    done = run("--usage", "hi")
    assert done.stdout == "Hi\n"
    cells = done.stderr.splitlines()[-1].split()
    assert cells[1:5] == ["20", "0", "40", "30"]
    assert cells[6] == UNKNOWN


def test_a_cut_answer_says_so(server: Emulator) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk("Hel"), *ending("length"))))
    done = run("hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hel\n", f"{CUT}\n")


def test_a_refused_request_is_one_line(server: Emulator) -> None:
    server.play(Canned(402, pieces=to_json(error(402, f"No\ncredits for {KEY}"))))
    done = run("hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: No credits for [redacted] (HTTP 402)")
    assert done.stderr.count("\n") == 1
    assert KEY not in done.stderr


def test_what_came_before_a_failure_stays(server: Emulator) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk("Half an"), error(502, "Gone")), cut=True))
    done = run("hi")
    assert (done.returncode, done.stdout) == (1, "Half an\n")
    assert done.stderr.startswith("error: Gone")
    assert done.stderr.count("\n") == 1


def test_an_object_that_does_not_come_is_an_error(server: Emulator, schema_file: str) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk('{"name": "A'), *ending("length"))))
    done = run("--schema", schema_file, "Ada")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cut by a token limit" in done.stderr


def test_half_an_object_is_an_error(server: Emulator, schema_file: str) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk('{"name": 5}'), *ending())))
    done = run("--schema", schema_file, "Ada")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not fit" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--max-tokens", "15", "hi"], "max_tokens=15 is below 16"),
    ],
)
def test_bad_arguments_are_explained(server: Emulator, arguments: list[str], reason: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not server.requests


def test_a_broken_api_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", f"{KEY} {KEY}")
    done = run("hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: api_key is empty or has characters")
    assert "test-key" not in done.stderr


def test_it_explains_itself() -> None:
    helped = run("--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    for option in ("--effort", "--model", "--system", "--max-tokens", "--schema", "--usage"):
        assert option in helped.stdout
    assert "examples:" in helped.stdout
    assert run("--version").stdout == f"langchain-openrouter-o3 {__version__}\n"


def test_dashes_end_the_options(server: Emulator) -> None:
    assert run("explain", "--", "--usage", "-x").returncode == 0
    assert server.requests[0].body is not None
    assert server.requests[0].body["messages"][0]["content"] == "explain --usage -x"


def test_nobody_reads_to_the_end(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*COMMAND, "repeat 90000 words"], stdout=subprocess.PIPE, stderr=stderr
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
        "found = {'rich', 'langchain_openrouter_o3._cli'} & set(sys.modules); "
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS)
