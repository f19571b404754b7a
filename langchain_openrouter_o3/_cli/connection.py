"""Who answers: OpenRouter if there is a key, else the embedded emulator."""

from __future__ import annotations

import importlib.util
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from langchain_openrouter_o3 import ChatOpenRouterO3
from langchain_openrouter_o3._cli.exit_codes import BadArgumentError

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_openrouter_o3._cli.usage import Meter

EMULATED = "No OPENROUTER_API_KEY: using the embedded emulator (rules, no language model)."
_NO_EMULATOR = (
    "no OPENROUTER_API_KEY, and the embedded emulator is not installed: set the key, or run "
    'pip install "langchain-openrouter-o3[emulator]"'
)
_EMULATOR_NEEDS = ("starlette", "uvicorn")


@contextmanager
def connect(*, think_time: float = 0.0) -> Generator[bool]:
    """Make `ChatOpenRouterO3()` work, with the emulator if there is no key.

    Args:
        think_time: Seconds that the emulator thinks before each answer.

    Yields:
        Whether it is the emulator that answers.

    Raises:
        BadArgumentError: There is no key, and the emulator is not installed.
    """
    if os.environ.get("OPENROUTER_API_KEY", "").strip():
        yield False
        return
    if any(importlib.util.find_spec(name) is None for name in _EMULATOR_NEEDS):
        raise BadArgumentError(_NO_EMULATOR)
    from langchain_openrouter_o3.emulator import Emulator  # noqa: PLC0415 - an extra

    with (
        Emulator(think_time=think_time) as emulator,
        _environment(OPENROUTER_API_BASE=emulator.base_url, OPENROUTER_API_KEY="any"),
    ):
        yield True


def build_model(settings: dict[str, Any], meter: Meter | None = None) -> ChatOpenRouterO3:
    """Make a model that a meter listens to, if there is one.

    Raises:
        BadArgumentError: A setting, from the command line or the environment, cannot work.
    """
    try:
        return ChatOpenRouterO3(**settings, callbacks=None if meter is None else [meter])
    except ValidationError as error:
        # Its own text has several lines, and advice for programmers.
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        text = problem["msg"].removeprefix("Value error, ")
        where = "".join(f"{name}: " for name in problem["loc"] if str(name) not in text)
        raise BadArgumentError(where + text) from None


def model_source(settings: dict[str, Any]) -> str:
    """Return the code that makes the same model."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return (
        "from langchain_openrouter_o3 import ChatOpenRouterO3\n"
        f"model = ChatOpenRouterO3({arguments})"
    )


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
