"""Carrying a command out."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from langchain_openrouter_o3._cli.answer import Question, make_room, show_answer, show_object
from langchain_openrouter_o3._cli.connection import EMULATED, build_model, connect
from langchain_openrouter_o3._cli.tour import run_tour
from langchain_openrouter_o3._cli.usage import Meter, table_rows
from langchain_openrouter_o3._terminal.open_terminal import open_terminal

if TYPE_CHECKING:
    from langchain_openrouter_o3._cli.options import Options

# A person is to see what waiting for a model looks like.
_TOUR_THINK_TIME = 0.5


def run(options: Options) -> None:
    """Answer, extract, or show the tour.

    Raises:
        OpenRouterError: The request failed; what had come is on the screen.
        BadArgumentError: The command cannot be carried out.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if options.prompt is None:
        _tour(options)
    else:
        _one_answer(options, Question(options.prompt, options.system))


def _tour(options: Options) -> None:
    meter = Meter()
    with open_terminal(sys.stdout) as terminal:
        think_time = _TOUR_THINK_TIME if terminal.watched else 0.0
        with (
            connect(think_time=think_time) as emulated,
            build_model(options.settings(), meter) as model,
        ):
            run_tour(model, options.settings(), meter, terminal, emulated=emulated)


def _one_answer(options: Options, question: Question) -> None:
    meter = Meter()
    with open_terminal(sys.stderr) as stderr, open_terminal(sys.stdout) as terminal:
        with connect() as emulated, build_model(options.settings(), meter) as model:
            if emulated:
                stderr.note(EMULATED)
                make_room(stderr)
            if options.schema is None:
                show_answer(model, question, terminal, stderr)
            else:
                show_object(model, question, options.schema, terminal, stderr)
        if options.usage or terminal.watched:
            if terminal.watched:
                stderr.line()
            stderr.table(table_rows([meter.read("answer")]), total=False)
