"""The one thing that the emulator really knows: how to calculate."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_QUESTION = re.compile(
    r"(?:^|\b(?:what(?:['\u2019]s| is)|how much is|calculate|compute|evaluate|solve))"
    r"\s*:?\s*([-(]*\d[\d\s.+*/\u00d7\u00f7()-]*[\d)])\s*(?=[=?.,;!]|$)",
    re.IGNORECASE,
)
_SPELLING = str.maketrans({"\N{MULTIPLICATION SIGN}": "*", "\N{DIVISION SIGN}": "/"})
_LONGEST = 200
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}


def calculate(prompt: str) -> str | None:
    """Return `expression = value` when a prompt asks for the value of an expression."""
    question = _QUESTION.search(prompt)
    if question is None or len(question[1]) > _LONGEST:
        return None
    expression = question[1].strip()
    try:
        tree = ast.parse(expression.translate(_SPELLING), mode="eval")
        value = _value(tree.body)
        shown = int(value) if value.denominator == 1 else float(value)
    except (SyntaxError, ArithmeticError, ValueError):
        return None
    # A number alone asks for nothing.
    return None if isinstance(tree.body, ast.Constant) else f"{expression} = {shown}"


def _value(node: ast.expr) -> Fraction:
    """Calculate with fractions, so that 0.1 + 0.2 is 0.3.

    Raises:
        ValueError: There is something else than numbers and the four operations.
    """
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("not arithmetic")
