"""Warnings that point at the caller's line, however deep in LangChain the call is."""

from __future__ import annotations

import inspect
import warnings

_INNER_PACKAGES = frozenset({"langchain_openrouter_o3", "langchain_core", "pydantic"})


def warn_caller(text: str) -> None:
    """Warn of something that the caller wrote."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] in _INNER_PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


def warn_not_strict(what: str, problem: str) -> None:
    """Say that a schema goes out without strict mode, and why."""
    warn_caller(
        f"{what} is sent without strict mode, which it cannot have at {problem}. Change it, or "
        "pass strict=False to say that this is meant."
    )
