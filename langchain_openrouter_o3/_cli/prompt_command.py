"""`openrouter-o3 …`: one prompt, one answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage, SystemMessage

from langchain_openrouter_o3 import __version__
from langchain_openrouter_o3._cli.answer import (
    Meter,
    make_room,
    show_answer,
    show_object,
    show_record,
    table_rows,
)
from langchain_openrouter_o3._cli.connection import (
    EMULATED,
    build_model,
    connect,
    telling_of_repetitions,
)
from langchain_openrouter_o3._cli.options import (
    SUBCOMMANDS,
    BadArgumentError,
    add_model_options,
    model_settings,
    new_parser,
    read_prompt,
    read_schema,
    split_at_dashes,
)
from langchain_openrouter_o3._terminal.open_terminal import open_terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from langchain_openrouter_o3._terminal.terminal import Terminal

_ABOUT = """\
Ask OpenAI's o3-mini through OpenRouter.
What is piped in is joined to the words. Without both: a short tour of ChatOpenRouterO3."""
_EXAMPLES = """\
subcommands (each has --help):
{subcommands}

examples:
  %(prog)s "Why is the sky blue?"
  git diff | %(prog)s "Review:"
  %(prog)s -e high -f main.py "Find the bug"
  %(prog)s --schema "name, born int" --json <life.txt

environment:
  OPENROUTER_API_KEY   the key; without it, --emulator
  OPENROUTER_API_BASE  another address than OpenRouter's
  NO_COLOR             plain text on a terminal, too"""
_SUBCOMMANDS = "\n".join(f"  {name:9} {about}" for name, about in SUBCOMMANDS.items())


def run(arguments: Sequence[str], command: str) -> None:
    """Answer a prompt; without one, show the tour.

    Args:
        arguments: Words and options.
        command: What a person types before them.

    Raises:
        BadArgumentError: The command cannot be carried out.
        OpenRouterError: The request failed; what had come is on the screen.
    """
    before, after = split_at_dashes(arguments)
    given = _parser(command).parse_intermixed_args(before)
    prompt = read_prompt([*given.words, *after], given.file, sys.stdin)
    if prompt is not None:
        _answer(given, prompt)
        return
    _refuse_without_prompt(given)
    from langchain_openrouter_o3._cli.tour_command import show_tour  # noqa: PLC0415 - rarely needed

    show_tour(model_settings(given), command, emulator=given.emulator)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = new_parser(command, _ABOUT, _EXAMPLES.format(subcommands=_SUBCOMMANDS))
    parser.usage = "%(prog)s [options] [words ...]"
    add = parser.add_argument
    add("words", nargs="*", help="the prompt; - is where piped text stands (default: at its end)")
    add("-s", "--system", metavar="TEXT", help="instructions before the prompt")
    add("-f", "--file", metavar="FILE", action="append", default=[], help="attach a text file")
    add("--schema", help='fields such as "name, born int", a JSON schema, or its file')
    add("--json", action="store_true", help="text, object, usage, cost and id as JSON")
    add("--usage", action="store_true", help="show tokens, time and cost even off a terminal")
    add_model_options(parser)
    add("--version", action="version", version=f"langchain-openrouter-o3 {__version__}")
    return parser


def _refuse_without_prompt(given: argparse.Namespace) -> None:
    """Refuse what would be ignored."""
    for name in ("system", "schema", "json", "usage"):
        if getattr(given, name):
            raise BadArgumentError(f"--{name} needs a prompt")


def _answer(given: argparse.Namespace, prompt: str) -> None:
    schema = None if given.schema is None else read_schema(given.schema)
    messages: list[BaseMessage] = [HumanMessage(prompt)]
    if given.system is not None:
        messages.insert(0, SystemMessage(given.system))
    meter = Meter()
    with open_terminal(sys.stderr) as stderr, open_terminal(sys.stdout) as stdout:
        with (
            connect(emulator=given.emulator),
            build_model(model_settings(given), meter) as model,
            telling_of_repetitions(stderr),
        ):
            if given.emulator:
                stderr.note(EMULATED)
                make_room(stderr)
            if given.json:
                show_record(model, messages, schema, meter, (stdout, stderr))
            elif schema is None:
                show_answer(model, messages, meter, stdout, stderr)
            else:
                show_object(model, messages, schema, stdout, stderr)
        if given.usage or (stdout.watched and not given.json):
            _show_usage(meter, stdout, stderr)


def _show_usage(meter: Meter, stdout: Terminal, stderr: Terminal) -> None:
    if stdout.watched:
        stderr.line()
    stderr.table(table_rows([meter.read("answer")]), total=False)
