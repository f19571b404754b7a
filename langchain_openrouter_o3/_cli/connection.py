"""Who answers: OpenRouter with a key, or the emulator; and a line when a call is repeated."""

from __future__ import annotations

import importlib.util
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.prompts import ChatPromptTemplate
from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._cli.options import BadArgumentError, read_schema

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Generator

    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import Runnable

    from langchain_openrouter_o3._terminal.terminal import Terminal

EMULATED = "The embedded emulator answers (rules, no language model)."
THINKING = "Thinking"
_NO_KEY = (
    "no OPENROUTER_API_KEY: set it to a key (https://openrouter.ai/settings/keys), or add "
    "--emulator to try the command without one"
)
_NO_EMULATOR = (
    'the embedded emulator is not installed: pip install "langchain-openrouter-o3[emulator]", or '
    "set OPENROUTER_API_KEY"
)
_EMULATOR_NEEDS = ("starlette", "uvicorn")


def has_key() -> bool:
    """Whether the environment has a key; a blank one is none."""
    return bool(os.environ.get("OPENROUTER_API_KEY", "").strip())


@contextmanager
def connect(*, emulator: bool, think_time: float = 0.0) -> Generator[None]:
    """Make `ChatOpenRouterO3()` work.

    Args:
        emulator: Whether the emulator shall answer, even if there is a key.
        think_time: Seconds that the emulator thinks before each answer.

    Raises:
        BadArgumentError: There is no key, or the emulator is not installed.
    """
    if not emulator:
        if not has_key():
            raise BadArgumentError(_NO_KEY)
        yield
        return
    if any(importlib.util.find_spec(name) is None for name in _EMULATOR_NEEDS):
        raise BadArgumentError(_NO_EMULATOR)
    from langchain_openrouter_o3.emulator import Emulator  # noqa: PLC0415 - an extra

    with (
        Emulator(think_time=think_time) as server,
        _environment(OPENROUTER_API_BASE=server.base_url, OPENROUTER_API_KEY="any"),
    ):
        yield


def build_model(settings: dict[str, Any], *listeners: BaseCallbackHandler) -> ChatOpenRouterO3:
    """Make a model that listeners hear.

    Raises:
        BadArgumentError: A setting, from the command line or the environment, cannot work.
    """
    try:
        return ChatOpenRouterO3(**settings, callbacks=[*listeners])
    except ValidationError as error:
        # Its own text has several lines, and advice for programmers.
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        text = problem["msg"].removeprefix("Value error, ")
        where = "".join(f"{name}: " for name in problem["loc"] if str(name) not in text)
        raise BadArgumentError(where + text) from None


def build_chain(model: ChatOpenRouterO3, given: Namespace) -> Runnable[Any, Any]:
    """Make the chain that `bulk` asks for every row.

    Args:
        model: Who answers.
        given: The options `system`, `prompt` and `schema`.

    Raises:
        BadArgumentError: The schema cannot be read.
    """
    system = [] if given.system is None else [("system", given.system)]
    prompt = ChatPromptTemplate.from_messages([*system, ("user", given.prompt)])
    if given.schema is None:
        return prompt | model | _text
    return prompt | model.with_structured_output(read_schema(given.schema))


def _text(message: Any) -> str:
    return str(message.text)


@contextmanager
def _environment(**values: str) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Notes(logging.Handler):
    """Shows the package's records as remarks; INFO tells of each repeated call."""

    def __init__(self, stderr: Terminal) -> None:
        super().__init__(logging.INFO)
        self._stderr = stderr

    def emit(self, record: logging.LogRecord) -> None:
        self._stderr.note(record.getMessage())
        self._stderr.wait(THINKING)


@contextmanager
def telling_of_repetitions(stderr: Terminal) -> Generator[None]:
    """Write a line whenever a call within the block is repeated.

    Args:
        stderr: Where to; a person sees that it goes on.
    """
    logger = logging.getLogger("langchain_openrouter_o3")
    notes, level = _Notes(stderr), logger.level
    logger.addHandler(notes)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.setLevel(level)
