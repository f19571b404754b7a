"""Faults as words of a command line: `status=503,retry-after=2`, `reset=mid-event,events=3`.

A fault is the name of a function of `emulator.faults`. What follows `=` is its first argument;
the others have names. Quotes keep commas together, and `+` puts several faults on one answer.
"""

from __future__ import annotations

import inspect
import re
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from langchain_openrouter_o3.emulator import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_openrouter_o3.emulator.wire.sending import Fault

_NOT_MAKERS = {"Fault", "at_random", "together"}
_UNIONS = (Union, types.UnionType)
_HEADERS = "header"
_ARGUMENTS = re.compile(r"^Args:\n(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


@cache
def fault_makers() -> dict[str, Callable[..., Fault]]:
    """Return the functions that make faults, by their names on the command line."""
    names = [name for name in faults.__all__ if name not in _NOT_MAKERS]
    return {name.replace("_", "-"): getattr(faults, name) for name in names}


def parse_fault(text: str) -> Fault:
    """Return the fault that a text describes.

    Raises:
        ValueError: It describes none; the message names the fault and its arguments.
    """
    parts = [_parse_one(part.strip()) for part in _split(text, "+")]
    return parts[0] if len(parts) == 1 else faults.together(*parts)


def describe_faults() -> str:
    """Return a description of each fault and its arguments, as `--list-faults` prints it."""
    return "\n".join(_description(name) for name in fault_makers())


def _parse_one(text: str) -> Fault:
    name, _, rest = text.partition("=")
    maker = fault_makers().get(name)
    if maker is None:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(fault_makers())}")
    try:
        return maker(**_arguments(maker, _split(rest, ",") if rest else []))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}. Usage: {_usage(name)}") from error


def _arguments(maker: Callable[..., Fault], words: list[str]) -> dict[str, Any]:
    kinds = get_type_hints(maker)
    names = [*inspect.signature(maker).parameters]
    arguments: dict[str, Any] = {}
    for number, word in enumerate(words):
        given, equals, value = word.partition("=")
        is_named = bool(equals) and (given == _HEADERS or _python_name(given) in names)
        if not is_named and number:
            raise ValueError(f"{given!r} is no argument")
        if is_named and given == _HEADERS:
            header, _, content = _unquoted(value).partition(":")
            arguments.setdefault("headers", {})[header.strip()] = content.strip()
            continue
        name = _python_name(given) if is_named else names[0]
        if name in arguments:
            raise ValueError(f"{_shell_name(name)} is given twice")
        arguments[name] = _converted(name, _unquoted(value if is_named else word), kinds[name])
    return arguments


def _converted(name: str, text: str, kind: Any) -> Any:
    """Return a text as the first of a union's types that it can be; numbers come before texts."""
    for member in get_args(kind) if get_origin(kind) in _UNIONS else (kind,):
        if member is str or get_origin(member) is Literal:
            return text
        if member in {int, float}:
            try:
                return int(text) if text.isdecimal() else member(text)
            except ValueError:
                continue
    raise ValueError(f"{_shell_name(name)} is a number, not {text!r}")


def _split(text: str, separator: str) -> list[str]:
    """Split a text where a separator stands outside quotes."""
    piece = rf"""(?:[^{separator}'"]|'[^']*'|"[^"]*")*"""
    if re.fullmatch(rf"{piece}(?:\{separator}{piece})*", text) is None:
        raise ValueError(f"a quote is not closed in {text!r}")
    return re.split(rf"""\{separator}(?=(?:[^'"]|'[^']*'|"[^"]*")*$)""", text)


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if is_quoted else text


def _usage(name: str) -> str:
    words: list[str] = []
    for number, (argument, parameter) in enumerate(_parameters(name)):
        default = "…" if parameter.default in {inspect.Parameter.empty, None} else parameter.default
        shown = "header" if argument == "headers" else argument
        words.append(str(default) if not number else f"[{_shell_name(shown)}={default}]")
    return ",".join([f"{name}={words[0]}", *words[1:]])


def _description(name: str) -> str:
    documentation = inspect.getdoc(fault_makers()[name]) or ""
    summary = documentation.partition("\n\nArgs:")[0].replace("\n\n", "\n")
    found = _ARGUMENTS.search(documentation)
    arguments = (
        re.sub(r"^( {4}\w+)", lambda each: _shell_name(each[0]), found[1], flags=re.MULTILINE)
        if found
        else ""
    )
    lines = [_usage(name), *summary.splitlines()]
    return "\n  ".join(lines) + "\n" + arguments + "\n"


def _parameters(name: str) -> list[tuple[str, inspect.Parameter]]:
    return [*inspect.signature(fault_makers()[name]).parameters.items()]


def _python_name(text: str) -> str:
    return text.replace("-", "_")


def _shell_name(text: str) -> str:
    return text.replace("_", "-")
