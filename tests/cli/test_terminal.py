"""The two kinds of terminals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_openrouter_o3._cli.tour_command import Display
from langchain_openrouter_o3._terminal.markdown import MarkdownBlocks
from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.rich_terminal import RichTerminal, WordWrap
from langchain_openrouter_o3._terminal.terminal import PlainTerminal, aligned, one_line, visible
from tests.helpers.commands import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
        Display(terminal).fields(Person(name="Ada", at=1815))
        terminal.table([["", "n"], ["a", "1"], ["total", "10"]], total=True)
    assert screen.getvalue() == "name  Ada\nat    1815\n\n        n\na       1\ntotal  10\n"


def test_a_stage_shows_whatever_an_agent_adds() -> None:
    screen = Screen(terminal=False)
    with PlainTerminal(screen) as terminal:
        Display(terminal).update({"middleware": {"messages": [HumanMessage("a reminder")]}})
        Display(terminal).update({"middleware": None})
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


MARKDOWN = """\
# Sheep

Some *woolly* facts,
in two lines:

- one
- [two](https://example.org/a)

```python
print("<b>")
```

<i>kept</i> ![alt](https://example.org/b) \\(x\\)

[1]: https://example.org/c"""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_markdown_is_rendered_block_by_block_and_loses_nothing(size: int) -> None:
    screen = Screen()
    with RichTerminal(screen) as terminal:
        terminal.say("a thought", "dim")
        for start in range(0, len(MARKDOWN), size):
            terminal.markdown(MARKDOWN[start : start + size])
        terminal.line("end")
        terminal.markdown("")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    for part in (
        "Sheep",
        "Some woolly facts,",
        "in two lines:",
        " • one",
        "two (https://example.org/a)",
        'print("<b>")',
        "<i>kept</i>",
        "https://example.org/b",
        "\\(x\\)",
        "[1]: https://example.org/c",
    ):
        assert part in text
    assert "```" not in text
    assert text.index("a thought") < text.index("Sheep") < text.index("end")
    assert "\x1b]" not in screen.getvalue()


def test_a_block_is_finished_when_the_next_one_has_begun() -> None:
    blocks = MarkdownBlocks()
    assert blocks.feed("a\nb") == ""
    assert blocks.feed("\n\n# c") == ""
    assert blocks.feed("\n") == "a\nb\n"
    assert blocks.feed("```\nd\n\ne\n") == "# c"
    assert blocks.feed("\n") == ""
    assert blocks.finish() == "```\nd\n\ne\n\n"
    assert blocks.feed("\n") == ""
    assert blocks.finish() == "\n"


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
