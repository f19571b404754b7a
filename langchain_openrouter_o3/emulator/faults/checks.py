"""Refusing arguments that make no sense, with a sentence that names them."""

from __future__ import annotations

from math import isfinite
from typing import get_args


def check_seconds(name: str, value: object, *, zero: bool = True) -> None:
    """Refuse what is no length of time.

    Raises:
        ValueError: It is negative, infinite or no number, or 0 where that is not allowed.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_long_enough = value >= 0 if zero else value > 0
        if is_long_enough and isfinite(value):
            return
    wanted = "0 or more" if zero else "more than 0"
    raise ValueError(f"{name} is a number of seconds, {wanted}, not {value!r}")


def check_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is no count.

    Raises:
        ValueError: It is no integer or out of bounds.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        highest = value if most is None else most
        if least <= value <= highest:
            return
    bounds = f"{least} or more" if most is None else f"from {least} to {most}"
    raise ValueError(f"{name} is a whole number, {bounds}, not {value!r}")


def check_one_of(name: str, value: str, choices: object) -> None:
    """Refuse a word that is not in a `Literal`.

    Raises:
        ValueError: It is not.
    """
    if value not in get_args(choices):
        raise ValueError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")
