"""What was asked for on the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_openrouter_o3._cli.exit_codes import BadArgumentError
from langchain_openrouter_o3._json import is_object

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Options:
    """One command.

    Attributes:
        prompt: What to ask; without it the tour runs.
        model: Slug of the model.
        effort: Reasoning effort.
        max_tokens: Longest answer.
        system: Instructions before the prompt.
        schema: JSON schema of the answer.
        usage: Whether to show tokens and cost off a terminal too.
    """

    prompt: str | None = None
    model: str | None = None
    effort: str | None = None
    max_tokens: int | None = None
    system: str | None = None
    schema: dict[str, Any] | None = None
    usage: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be ignored.

        Raises:
            BadArgumentError: An option has no meaning without a prompt.
        """
        for name, value in (("--system", self.system), ("--schema", self.schema)):
            if self.prompt is None and value is not None:
                raise BadArgumentError(f"{name} needs a prompt")

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments that were given."""
        given = {
            "model": self.model,
            "reasoning_effort": self.effort,
            "max_tokens": self.max_tokens,
        }
        return {name: value for name, value in given.items() if value is not None}


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut at `--`, behind which all is prompt; argparse forgets it where options are mixed in."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def read_prompt(words: Sequence[str], standard_input: TextIO) -> str | None:
    """Join the words of a prompt; `-` among them is the standard input.

    Returns:
        The prompt, or None when there are no words.

    Raises:
        BadArgumentError: The prompt is empty, `-` comes twice, or the input is no text.
    """
    if not words:
        return None
    if words.count(_STANDARD_INPUT) > 1:
        raise BadArgumentError("the standard input (-) can be read only once")
    try:
        read = standard_input.read().strip() if _STANDARD_INPUT in words else ""
    except UnicodeDecodeError as error:
        raise BadArgumentError(f"the standard input is no text ({error.reason})") from error
    prompt = " ".join(read if word == _STANDARD_INPUT else word for word in words)
    if not prompt.strip():
        raise BadArgumentError("the prompt is empty")
    return prompt


def read_schema(file: str) -> dict[str, Any]:
    """Read a JSON schema.

    Raises:
        BadArgumentError: The file cannot be read or holds something else.
    """
    try:
        schema: Any = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadArgumentError(f"--schema {file}: {error.strerror}") from error
    except ValueError as error:
        raise BadArgumentError(f"--schema {file}: not JSON ({error})") from error
    if not is_object(schema):
        raise BadArgumentError(f"--schema {file}: a JSON schema is an object")
    return schema
