"""The cases, by kind; importing this registers them all."""

from __future__ import annotations

from tests.pains.cases import (
    answers,
    data,
    integration,
    money,
    processes,
    reasoning,
    retries,
    structured,
    tools,
)
from tests.pains.harness import CASES

__all__ = [
    "CASES",
    "answers",
    "data",
    "integration",
    "money",
    "processes",
    "reasoning",
    "retries",
    "structured",
    "tools",
]
