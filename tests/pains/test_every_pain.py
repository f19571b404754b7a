"""Every known pain has a test here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PAINS = {f"P{number:02}" for number in range(1, 79)}
_NAME = re.compile(r"test_p(\d\d)_")


def covered() -> set[str]:
    """Return the pains that the names of this folder's test functions begin with."""
    functions = (
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {f"P{found[1]}" for found in map(_NAME.match, functions) if found}


def test_every_pain_has_a_test() -> None:
    assert covered() == PAINS
