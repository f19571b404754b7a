"""`openrouter-o3 models`: models with their limits and prices."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_openrouter_o3._cli.answer import write_json
from langchain_openrouter_o3._cli.connection import build_model, connect, has_key
from langchain_openrouter_o3._cli.options import BadArgumentError, new_parser
from langchain_openrouter_o3._http.lookup import fetch_models
from langchain_openrouter_o3._terminal.open_terminal import open_terminal
from langchain_openrouter_o3.profiles import known_models

if TYPE_CHECKING:
    import argparse

_ABOUT = """\
List models with their limits in tokens and their prices in USD per million tokens.
With OPENROUTER_API_KEY, all that OpenRouter offers now; else what this package knows."""
_EXAMPLES = """\
examples:
  %(prog)s
  %(prog)s openai mini
  %(prog)s --json o3"""
_HEAD = ["", "context", "longest answer", "input", "cached", "output"]
_UNKNOWN = "\N{EN DASH}"


class Listed(NamedTuple):
    """One model. None is what is not told.

    Attributes:
        id: The slug, for `--model`.
        name: How a person calls it.
        context_length: Tokens that a conversation may have.
        max_output_tokens: Longest answer, hidden reasoning included, in tokens.
        input: USD per million tokens of a prompt.
        cached_input: The same, for what the cache knows.
        output: USD per million tokens of an answer.
    """

    id: str
    name: str
    context_length: int | None
    max_output_tokens: int | None
    input: float | None
    cached_input: float | None
    output: float | None

    def cells(self) -> list[str]:
        """Return a row of the table."""
        values = (self.context_length, self.max_output_tokens, *self[4:])
        return [self.id, *(_UNKNOWN if value is None else f"{value:,}" for value in values)]


def run(arguments: Sequence[str], command: str) -> None:
    """List models.

    Args:
        arguments: Words and options.
        command: What a person types before them.

    Raises:
        BadArgumentError: No model is called like that.
        OpenRouterError: OpenRouter did not tell.
    """
    given = _parser(command).parse_args(arguments)
    listed = _offered(emulator=given.emulator) if given.emulator or has_key() else _known()
    words = [word.lower() for word in given.words]
    found = [each for each in listed if all(word in each.id.lower() for word in words)]
    if not found:
        raise BadArgumentError(f"no slug of {len(listed)} models has {' and '.join(words)} in it")
    with open_terminal(sys.stdout) as stdout:
        if given.json:
            write_json([each._asdict() for each in found], stdout)
        else:
            stdout.table([_HEAD, *(each.cells() for each in found)], total=False)


def _parser(command: str) -> argparse.ArgumentParser:
    parser = new_parser(command, _ABOUT, _EXAMPLES)
    parser.add_argument("words", nargs="*", help="only slugs with these in them")
    parser.add_argument("--json", action="store_true", help="a JSON array")
    parser.add_argument("--emulator", action="store_true", help="ask the emulator for its models")
    return parser


def _known() -> list[Listed]:
    return [
        Listed(
            slug,
            facts.name,
            facts.max_input_tokens,
            facts.max_output_tokens,
            facts.prices.input,
            facts.prices.cached_input,
            facts.prices.output,
        )
        for slug, facts in known_models().items()
    ]


def _offered(*, emulator: bool) -> list[Listed]:
    with connect(emulator=emulator), build_model({}) as model:
        return [_read(entry) for entry in fetch_models(model.base_url)]


def _read(entry: dict[str, Any]) -> Listed:
    prices = _part(entry, "pricing")
    return Listed(
        str(entry.get("id")),
        str(entry.get("name")),
        entry.get("context_length"),
        _part(entry, "top_provider").get("max_completion_tokens"),
        _per_million(prices.get("prompt")),
        _per_million(prices.get("input_cache_read")),
        _per_million(prices.get("completion")),
    )


def _part(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _per_million(price: Any) -> float | None:
    """Convert USD per token; a price below zero is how OpenRouter says that it varies."""
    try:
        value = Decimal(str(price)) * 1_000_000
    except InvalidOperation:  # there is no price
        return None
    return float(value) if value >= 0 else None
