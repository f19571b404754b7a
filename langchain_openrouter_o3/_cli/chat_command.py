"""`openrouter-o3 chat`: a conversation, which `--continue` takes up again."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    SystemMessage,
    message_chunk_to_message,
    message_to_dict,
    messages_from_dict,
)

from langchain_openrouter_o3 import OpenRouterError
from langchain_openrouter_o3._cli.answer import Meter, Usage, show_answer, table_rows
from langchain_openrouter_o3._cli.connection import (
    EMULATED,
    build_model,
    connect,
    telling_of_repetitions,
)
from langchain_openrouter_o3._cli.options import (
    BadArgumentError,
    add_model_options,
    model_settings,
    new_parser,
    parse_json,
)
from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3._terminal.terminal import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Sequence

    from langchain_core.messages import AIMessage

    from langchain_openrouter_o3 import ChatOpenRouterO3
    from langchain_openrouter_o3._terminal.terminal import Terminal

_ABOUT = """\
Talk: each line is a message, and the model knows what was said before. Ctrl-D ends it.
Piped lines are asked one after the other."""
_EXAMPLES = """\
examples:
  %(prog)s -s "You are a patient teacher."
  %(prog)s --continue              the conversation that was used last
  %(prog)s --continue lesson.jsonl

Conversations are kept below $XDG_STATE_HOME (~/.local/state), readable by you alone."""
_PROMPT = "> "
_LATEST = ""


def run(arguments: Sequence[str], command: str) -> None:
    """Talk until the input ends.

    Args:
        arguments: Options.
        command: What a person types before them.

    Raises:
        BadArgumentError: It cannot be carried out; or there is nothing to continue.
        OpenRouterError: A request failed, and nobody is there to see it and go on.
    """
    given = _parser(command).parse_args(arguments)
    history = _open_history(given)
    with open_terminal(sys.stderr) as stderr, open_terminal(sys.stdout) as stdout:
        talk = _Talk(history, stdout, stderr)
        with (
            connect(emulator=given.emulator),
            build_model(model_settings(given), talk.meter) as model,
            telling_of_repetitions(stderr),
        ):
            if given.emulator:
                stderr.note(EMULATED)
            talk.go_on(model)
        if talk.usages and (given.usage or talk.is_watched):
            stderr.table(table_rows(talk.usages), total=True)
        if history.file.exists():
            stderr.note(f"To go on: {command} --continue {history.file}")


def _parser(command: str) -> argparse.ArgumentParser:
    parser = new_parser(command, _ABOUT, _EXAMPLES)
    add = parser.add_argument
    add("-s", "--system", metavar="TEXT", help="instructions before the first message")
    add(
        "-c",
        "--continue",
        dest="file",
        nargs="?",
        const=_LATEST,
        metavar="FILE",
        help="go on with this conversation, or with the last one",
    )
    add("--usage", action="store_true", help="show tokens, time and cost even off a terminal")
    add_model_options(parser)
    return parser


class _Talk:
    """One conversation between the input and a model."""

    def __init__(self, history: History, stdout: Terminal, stderr: Terminal) -> None:
        self.usages: list[Usage] = []
        self.meter = Meter()
        self.is_watched = sys.stdin.isatty() and stdout.watched
        self._history = history
        self._stdout = stdout
        self._stderr = stderr

    def go_on(self, model: ChatOpenRouterO3) -> None:
        """Answer every line of the input."""
        if self.is_watched and importlib.util.find_spec("readline") is not None:
            importlib.import_module("readline")  # `input` edits lines with it
        while (line := self._read()) is not None:
            if line.strip():
                self._answer(model, HumanMessage(line))

    def _read(self) -> str | None:
        try:
            return input(_PROMPT if self.is_watched else "")
        except EOFError:
            self._stdout.end_line()
            return None

    def _answer(self, model: ChatOpenRouterO3, question: HumanMessage) -> None:
        messages = [*self._history.messages, question]
        try:
            answer = show_answer(model, messages, self.meter, self._stdout, self._stderr)
        except OpenRouterError as error:
            if not self.is_watched:
                raise
            # The question is not kept: who asks again must not have asked twice.
            self._stderr.line(f"error: {one_line(str(error))}", "error")
            return
        self._history.add(question, _plain(answer))
        self.usages.append(self.meter.read(f"answer {len(self.usages) + 1}"))


def _plain(answer: AIMessage) -> BaseMessage:
    return message_chunk_to_message(answer) if isinstance(answer, BaseMessageChunk) else answer


# --- Conversations in files ---


class History:
    """The messages of a conversation, in a file of JSON lines.

    Attributes:
        file: Written to after each answer; it does not exist before the first.
        messages: All of them, the instructions included.
    """

    def __init__(self, file: Path, messages: list[BaseMessage], *, is_new: bool) -> None:
        """Begin or go on with a conversation.

        Args:
            file: Where it is kept.
            messages: What was said.
            is_new: Whether none of it has been written yet.
        """
        self.file = file
        self.messages = messages
        self._unwritten = list(messages) if is_new else []

    def add(self, *messages: BaseMessage) -> None:
        """Add a question and its answer, and write them down."""
        self.messages += messages
        self._unwritten += messages
        lines = [json.dumps(message_to_dict(message)) + "\n" for message in self._unwritten]
        with _writing(self.file):
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                file.write("".join(lines))
        self._unwritten.clear()


@contextmanager
def _writing(file: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise BadArgumentError(
            f"{file}: {error.strerror}. Conversations are kept there; XDG_STATE_HOME says where."
        ) from error


def _open_history(given: argparse.Namespace) -> History:
    if given.file is None:
        system = [] if given.system is None else [SystemMessage(given.system)]
        folder = _folder()
        with _writing(folder):  # before an answer is paid for that cannot be kept
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%S}-{os.getpid()}"
        return History(folder / f"{now}.jsonl", [*system], is_new=True)
    if given.system is not None:
        raise BadArgumentError("--system: a conversation that goes on keeps its instructions")
    file = Path(given.file) if given.file else _latest()
    return History(file, _read_messages(file), is_new=False)


def _read_messages(file: Path) -> list[BaseMessage]:
    try:
        lines: list[Any] = [parse_json(line) for line in file.read_bytes().splitlines()]
        return messages_from_dict(lines)
    except OSError as error:
        raise BadArgumentError(f"--continue {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadArgumentError(f"--continue {file}: this is no conversation ({error})") from error


def _latest() -> Path:
    files = sorted(_folder().glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    if not files:
        raise BadArgumentError(f"--continue: there is no conversation in {_folder()}")
    return files[-1]


def _folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "openrouter-o3" / "chats"
