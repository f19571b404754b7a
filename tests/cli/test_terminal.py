"""The command on a terminal."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_openrouter_o3._cli.connection import EMULATED
from langchain_openrouter_o3._cli.tour import Stage
from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.rich_terminal import RichTerminal, WordWrap
from langchain_openrouter_o3._terminal.terminal import PlainTerminal, aligned, one_line, visible
from langchain_openrouter_o3.emulator import Canned, Emulator
from tests.helpers.commands import SECONDS, OnTerminal, Screen, wait_until
from tests.helpers.factories import STREAM
from tests.helpers.wire import chunk, ending, sse


def test_rich_is_for_terminals_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_terminal(Screen()), RichTerminal)
    assert isinstance(open_terminal(Screen(terminal=False)), PlainTerminal)
    assert isinstance(open_terminal(Screen(encoding="ascii")), PlainTerminal)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_terminal(Screen()), PlainTerminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert isinstance(open_terminal(Screen()), PlainTerminal)


def test_without_rich_a_terminal_is_plain(uninstall: Callable[..., None]) -> None:
    uninstall("rich")
    assert isinstance(open_terminal(Screen()), PlainTerminal)


def test_lines_begin_on_lines_of_their_own() -> None:
    screen = Screen(terminal=False)
    with PlainTerminal(screen) as terminal:
        terminal.gap()
        terminal.put("a")
        terminal.put("")
        terminal.line("b")
        terminal.gap()
        terminal.gap()
        terminal.say("c")
        terminal.say("d", "dim")
        terminal.say("")
        terminal.grow("nothing")
        terminal.wait("nothing")
        terminal.put("\n\n")
        terminal.gap()
        terminal.put("e")
    assert screen.getvalue() == "a\nb\n\nc\n\nd\n\ne\n"


def test_only_a_person_is_told_to_wait_and_protected() -> None:
    file, screen = Screen(terminal=False), Screen()
    for stream in (file, screen):
        with PlainTerminal(stream) as terminal:
            terminal.wait("Thinking")
            terminal.say("\x1b")
            terminal.put("\x1b")
    assert file.getvalue() == "\x1b\x1b\n"
    assert screen.getvalue() == "Thinking ...\n␛␛\n"


def test_fields_and_tables_are_aligned() -> None:
    class Person(BaseModel):
        name: str
        at: int

    screen = Screen(terminal=False)
    with PlainTerminal(screen) as terminal:
        Stage(terminal).fields(Person(name="Ada", at=1815))
        terminal.table([["", "n"], ["a", "1"], ["total", "10"]], total=True)
    assert screen.getvalue() == "name  Ada\nat    1815\n\n        n\na       1\ntotal  10\n"


def test_a_stage_shows_whatever_an_agent_adds() -> None:
    screen = Screen(terminal=False)
    with PlainTerminal(screen) as terminal:
        Stage(terminal).update({"middleware": {"messages": [HumanMessage("a reminder")]}})
        Stage(terminal).update({"middleware": None})
    assert screen.getvalue() == "a reminder\n"


def test_a_rich_terminal_stops_what_moves_before_it_writes() -> None:
    screen = Screen()
    with RichTerminal(screen) as terminal:
        terminal.wait("Thinking")
        terminal.say("a thought", "dim")
        terminal.say("an answer")
        terminal.grow('{"a": 1}')
        terminal.grow('{"a": 12}')
        terminal.settle(keep=True)
        terminal.line("end", "error")
        terminal.settle(keep=True)
    text = screen.getvalue()
    assert text.index("Thinking") < text.index("thought") < text.index("an answer")
    assert text.index('{"a": 12}') < text.index("end")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 2


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["one two three"], "one two\nthree"),
        (["on", "e tw", "o three"], "one two\nthree"),
        (["one\n\ntwo three four"], "one\n\ntwo three\nfour"),
        (["unbreakably long"], "unbreakably\nlong"),
        (["one ", " two  \n"], "one  two"),
        ([], ""),
    ],
)
def test_words_are_wrapped_however_they_come(pieces: Sequence[str], shown: str) -> None:
    wrap = WordWrap(lambda: 9, len)
    assert "".join(map(wrap.feed, pieces)) + wrap.finish() == shown
    letters = "".join(pieces)
    assert "".join(map(wrap.feed, letters)) + wrap.finish() == shown


def test_controls_are_shown_and_not_obeyed() -> None:
    assert visible("a\tb\nc\r\n\x1b\x00\x7f\x9b") == "a\tb\nc\n␛␀\ufffd\ufffd"
    assert one_line(" a\n b\x1b ") == "a b␛"
    assert aligned([["a", "1"], ["bc", "10"]]) == ["a    1", "bc  10"]


CTRL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def test_an_answer_has_a_spinner_thoughts_text_and_a_table(server: Emulator) -> None:
    with OnTerminal("What is 2+2?") as terminal:
        assert terminal.code() == 0
    assert server.requests
    assert "Thinking 0 s" in terminal.text
    assert "\x1b[2m**Reading" in terminal.output
    assert "\n\n2+2 = 4. The emulator can calculate" in terminal.text
    assert terminal.text.rstrip().splitlines()[-1].startswith("answer ")
    assert terminal.output.count(HIDE_CURSOR) == terminal.output.count(SHOW_CURSOR) == 1


def test_the_tour_fits_into_60_columns() -> None:
    with OnTerminal() as terminal:
        assert terminal.code() == 0
    assert "\x1b[36mmodel = ChatOpenRouterO3()" in terminal.output
    assert "Thinking" in terminal.text
    lines = [line.rpartition("\r")[2] for line in terminal.text.splitlines()]
    assert "No OPENROUTER_API_KEY: using the embedded emulator (rules," in lines
    assert [line for line in lines if len(line) > 60] == []


def test_no_color_means_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with OnTerminal("What is 2+2?", columns=200) as terminal:
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
    assert terminal.text.endswith("One two^C\n")
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
