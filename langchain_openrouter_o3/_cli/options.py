"""What can be typed: subcommands, options that they share, prompts, files and schemas."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

SUBCOMMANDS = {
    "chat": "a conversation, which --continue takes up again",
    "bulk": "a prompt for every row of a file",
    "batch": "jobs of the Batch API, which `bulk --batch` submits",
    "models": "models with their limits and prices",
    "tour": "what the Python package does, step by step",
}
"""Each is a module `<name>_command` of this folder, imported when it is called, with a function
`run(arguments, command)`. What is none of these is a prompt."""

_STANDARD_INPUT = "-"


class BadArgumentError(Exception):
    """The command cannot be carried out as it is; the text says what to change."""


def check_output(option: str, file: Path, **others: Path) -> None:
    """Refuse a file that cannot be written, or that is another one of the command.

    Args:
        option: Which names the file.
        file: It need not exist.
        others: Files that must stay what they are, by what they are for.

    Raises:
        BadArgumentError: Its folder is missing, it is a folder, or it is one of the others.
    """
    if not file.absolute().parent.is_dir():
        raise BadArgumentError(f"{option}: there is no folder {file.parent}; make it first")
    if file.is_dir():
        raise BadArgumentError(f"{option}: {file} is a folder")
    for name, other in others.items():
        both = file.exists() and other.exists()
        if file.resolve() == other.resolve() or (both and file.samefile(other)):
            raise BadArgumentError(f"{option}: {file} is the {name}; choose another file")


def new_parser(command: str, about: str, examples: str) -> argparse.ArgumentParser:
    """Make a parser.

    Args:
        command: What a person types before its arguments.
        about: What the command does.
        examples: Shown under the options; `%(prog)s` is the command.
    """
    return argparse.ArgumentParser(
        prog=command,
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the model, and who answers in its place."""
    add = parser.add_argument
    add("-m", "--model", metavar="SLUG", help="another model, such as openai/o3-mini-high")
    add("-e", "--effort", metavar="LEVEL", help="how hard to think: low, medium or high")
    add("--max-tokens", metavar="N", type=int, help="longest answer, hidden reasoning included")
    add("--emulator", action="store_true", help="no key, no cost: an emulator answers by rules")


def model_settings(given: argparse.Namespace) -> dict[str, Any]:
    """Return the constructor's arguments that were given."""
    settings = {
        "model": given.model,
        "reasoning_effort": given.effort,
        "max_tokens": given.max_tokens,
    }
    return {name: value for name, value in settings.items() if value is not None}


# --- Prompts ---


def split_at_dashes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Cut at `--`, behind which all is prompt; argparse forgets it where options are mixed in."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def read_prompt(
    words: Sequence[str], files: Sequence[str], standard_input: TextIO | None
) -> str | None:
    """Put a prompt together: the words, the files, and what is piped in.

    Args:
        words: Joined by spaces; `-` among them is where piped text stands, instead of at the end.
        files: Names of text files; each is put between tags with its name.
        standard_input: Read to its end, unless it is a terminal and no `-` asks for it.

    Returns:
        The prompt, or None if nothing was given.

    Raises:
        BadArgumentError: The prompt is empty, `-` comes twice, or something is no text.
    """
    placed = words.count(_STANDARD_INPUT)
    if placed > 1:
        raise BadArgumentError("the standard input (-) can be read only once")
    piped = _read_piped(standard_input, asked_for=bool(placed))
    if not words and not files and piped is None:
        return None
    sentence = " ".join((piped or "") if word == _STANDARD_INPUT else word for word in words)
    parts = [sentence, *map(_read_attached, files), "" if placed else piped or ""]
    prompt = "\n\n".join(part for part in parts if part)
    if not prompt.strip():
        raise BadArgumentError("the prompt is empty (the subcommand `tour` needs none)")
    return prompt


def _read_piped(stream: TextIO | None, *, asked_for: bool) -> str | None:
    """Read what is piped in; None if nothing can be."""
    if stream is None or (not asked_for and (stream.isatty() or _is_null_device(stream))):
        return None
    try:
        return stream.read().rstrip("\n")
    except UnicodeDecodeError as error:
        raise BadArgumentError(f"the standard input is no text ({error.reason})") from error


def _is_null_device(stream: TextIO) -> bool:
    """Whether a stream is what cron and others give to programs that shall read nothing."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())
    except OSError:  # a stream of Python's own, without a file
        return False


def _read_attached(file: str) -> str:
    text = _read_text("--file", file).rstrip("\n")
    return f'<file name="{file}">\n{text}\n</file>'


def _read_text(option: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadArgumentError(f"{option} {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadArgumentError(f"{option} {file}: no text in UTF-8 ({error.reason})") from error


# --- JSON and schemas ---


def parse_json(text: str | bytes) -> Any:
    """Read JSON; unlike Python's own reader, refuse NaN and infinities.

    Raises:
        ValueError: It is not JSON, or not UTF-8.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "list": {"type": "array", "items": {"type": "string"}},
}
_FIELD = re.compile(r"\s*([A-Za-z_]\w*)(\?)?(?:\s+(\w+))?\s*")


def read_schema(given: str) -> dict[str, Any]:
    """Read a JSON schema: as JSON, from a file, or as a list of fields.

    Raises:
        BadArgumentError: It is none of these.
    """
    if given.lstrip().startswith("{"):
        return _parse_schema("--schema", given)
    if given.endswith(".json") or Path(given).is_file():
        return _parse_schema(f"--schema {given}", _read_text("--schema", given))
    return _schema_of_fields(given)


def _parse_schema(where: str, text: str) -> dict[str, Any]:
    try:
        schema = parse_json(text)
    except ValueError as error:
        raise BadArgumentError(f"{where}: not JSON ({error})") from error
    if not isinstance(schema, dict):
        raise BadArgumentError(f"{where}: a JSON schema is an object")
    return cast("dict[str, Any]", schema)


def _schema_of_fields(given: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for part in given.split(","):
        found = _FIELD.fullmatch(part)
        kind = _TYPES.get((found[3] or "text").lower()) if found is not None else None
        if found is None or kind is None:
            raise BadArgumentError(
                f"--schema: {part.strip()!r} is no field. Name a file, or fields such as "
                f'"name, born int, died? int"; types are {", ".join(_TYPES)}'
            )
        properties[found[1]] = kind
        if not found[2]:
            required.append(found[1])
    return {
        "title": "row",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
