"""The command on a terminal, with a person before it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from langchain_openrouter_o3._cli.connection import EMULATED
from langchain_openrouter_o3.emulator import Canned
from tests.helpers.commands import SECONDS, OnTerminal, wait_until
from tests.helpers.wire import chunk, ending, sse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from langchain_openrouter_o3.emulator import Emulator

CTRL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
STREAM = {"content-type": "text/event-stream"}


def test_an_answer_has_a_spinner_thoughts_text_and_a_table(server: Emulator) -> None:
    with OnTerminal("What is 2+2?") as terminal:
        assert terminal.code() == 0
    assert server.requests
    assert "Thinking 0 s" in terminal.text
    assert "\x1b[2m**Reading" in terminal.output
    assert "2+2 = 4. The emulator can calculate" in terminal.text
    assert terminal.text.rstrip().splitlines()[-1].startswith("answer ")
    assert terminal.output.count(HIDE_CURSOR) == terminal.output.count(SHOW_CURSOR) == 2


def test_the_tour_fits_into_60_columns() -> None:
    with OnTerminal("tour", "--emulator") as terminal:
        assert terminal.code() == 0
    assert "\x1b[36mmodel = ChatOpenRouterO3()" in terminal.output
    assert "Thinking" in terminal.text
    lines = [line.rpartition("\r")[2] for line in terminal.text.splitlines()]
    assert "The embedded emulator answers (rules, no language model)." in lines
    assert [line for line in lines[:-1] if len(line) > 60] == []  # the last is to be pasted


def test_no_color_means_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with OnTerminal("--emulator", "What is 2+2?", columns=200) as terminal:
        assert terminal.code() == 0
    assert "\x1b" not in terminal.output
    assert terminal.output.startswith(f"{EMULATED}\n\nThinking ...\n**Reading the request**")


def test_ctrl_c_ends_a_stream_quietly(server: Emulator) -> None:
    pieces = [sse(chunk(text), done=False) for text in ("One", " two", " never")]
    server.play(Canned(headers=STREAM, pieces=[pieces[0] + pieces[1], pieces[2]], pause=50))
    with OnTerminal("count") as terminal:
        terminal.wait_for("One two")
        terminal.press(CTRL_C)
        assert terminal.code() == 130
    assert "Traceback" not in terminal.text
    assert "never" not in terminal.text
    assert terminal.text.endswith("One two\n")
    assert server.requests[0].wait_disconnected(SECONDS)


def test_ctrl_c_ends_the_spinner(server: Emulator) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(*ending()), delay=50))
    with OnTerminal("think") as terminal:
        terminal.wait_for("Thinking")
        wait_until(lambda: bool(server.requests))
        terminal.press(CTRL_C)
        assert terminal.code() == 130
    assert "Traceback" not in terminal.text
    assert terminal.output.count(HIDE_CURSOR) == terminal.output.count(SHOW_CURSOR) == 1


def test_an_object_grows_where_a_person_sees_it(
    server: Emulator, schema_file: str, tmp_path: Path
) -> None:
    pieces = [chunk('{"name": "Ada'), chunk(' Lovelace", "tags": ["first"]}')]
    server.play(Canned(headers=STREAM, pieces=sse(*pieces, *ending())))
    output = tmp_path / "output"
    with (
        output.open("w") as stdout,
        OnTerminal("--schema", schema_file, "Ada", stdout=stdout) as terminal,
    ):
        assert terminal.code() == 0
    assert json.loads(output.read_text()) == {"name": "Ada Lovelace", "tags": ["first"]}
    assert '"name": "Ada"\n' in terminal.text


def test_a_half_object_stays_on_the_screen(server: Emulator, schema_file: str) -> None:
    pieces = sse(chunk('{"name": "Ada'), *ending("length"))
    server.play(Canned(headers=STREAM, pieces=pieces))
    with OnTerminal("--schema", schema_file, "Ada") as terminal:
        assert terminal.code() == 1
    shown, _, reason = terminal.text.partition("error: ")
    assert '  "name": "Ada"\n}\n' in shown
    assert reason.startswith("The answer was cut")


def test_a_conversation_goes_on_after_a_failure(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server.play(Canned(402, pieces=b'{"error": {"code": 402, "message": "Poor"}}'))
    with OnTerminal("chat", columns=120) as terminal:
        terminal.wait_for("> ")
        terminal.press(b"repeat 1 words\n")
        terminal.wait_for("error: Poor")
        terminal.press(b"repeat 2 words\n")
        wait_until(lambda: terminal.text.count("> ") == 3)  # it listens again
        terminal.press(b"\x04")
        assert terminal.code() == 0
    assert "word1 word2" in terminal.text
    assert "To go on: " in terminal.text
    body = server.requests[1].body
    assert body is not None
    assert len(body["messages"]) == 1


def test_an_answer_cannot_take_over_the_terminal(server: Emulator) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\r\tok"
    server.play(Canned(headers=STREAM, pieces=sse(chunk(evil), *ending())))
    with OnTerminal("hi") as terminal:
        assert terminal.code() == 0
    assert "␛]0;owned␇\ufffd2J" in terminal.output
    assert "\x1b]" not in terminal.output


def test_an_answer_in_a_pipe_is_as_it_came(server: Emulator, tmp_path: Path) -> None:
    server.play(Canned(headers=STREAM, pieces=sse(chunk("\x1b[1mbold"), *ending())))
    output = tmp_path / "output"
    with output.open("w") as stdout, OnTerminal("hi", stdout=stdout) as terminal:
        assert terminal.code() == 0
    assert output.read_text() == "\x1b[1mbold\n"
    assert "USD" not in terminal.text


def test_errors_in_a_pipe_are_plain(server: Emulator) -> None:
    server.play(Canned(401, pieces=b'{"error": {"code": 401, "message": "No"}}'))
    with OnTerminal("hi", stderr=subprocess.DEVNULL) as terminal:
        assert terminal.code() == 1
    assert terminal.output == ""
