"""`python -m langchain_openrouter_o3`: ask o3-mini from a shell, or take the tour."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from langchain_openrouter_o3._cli.exit_codes import BadArgumentError, exit_code
from langchain_openrouter_o3._cli.options import (
    Options,
    read_prompt,
    read_schema,
    split_at_dashes,
)
from langchain_openrouter_o3._version import __version__
from langchain_openrouter_o3.profiles import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = "python -m langchain_openrouter_o3"
_DESCRIPTION = """\
Ask OpenAI's o3-mini through OpenRouter.
Without a prompt: a short tour of ChatOpenRouterO3."""
_EXAMPLES = f"""\
examples:
  {_COMMAND}
  {_COMMAND} "Why is the sky blue?"
  {_COMMAND} --effort high Is 91 prime
  git diff | {_COMMAND} "Review:" -
  {_COMMAND} --schema s.json - <s.txt
  {_COMMAND} bulk --help
  {_COMMAND} batch --help

environment:
  OPENROUTER_API_KEY   without it, an emulator answers
  OPENROUTER_API_BASE  another address than OpenRouter's
  NO_COLOR             plain text on a terminal, too"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        0, or 1 when the request failed, 2 for bad arguments, 130 after Ctrl-C, 141 when
        the output is closed.

    Raises:
        SystemExit: By argparse: after `--help` and `--version`, and for bad arguments.
    """
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    from langchain_openrouter_o3._cli.run import run  # noqa: PLC0415 - only once it is needed

    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["bulk"]:
        from langchain_openrouter_o3._cli.bulk_command import run_bulk  # noqa: PLC0415 - same

        run_bulk(words[1:])
        return
    if words[:1] == ["batch"]:
        from langchain_openrouter_o3._cli.batch_command import run_batch  # noqa: PLC0415 - same
        from langchain_openrouter_o3._cli.bulk_command import build_chain  # noqa: PLC0415 - same

        run_batch(words[1:], build_chain)
        return
    parser = _parser()
    before, after = split_at_dashes(words)
    given = parser.parse_intermixed_args(before)
    try:
        options = Options(
            prompt=read_prompt([*given.prompt, *after], sys.stdin),
            model=given.model,
            effort=given.effort,
            max_tokens=given.max_tokens,
            system=given.system,
            schema=None if given.schema is None else read_schema(given.schema),
            usage=given.usage,
        )
    except BadArgumentError as error:
        parser.error(str(error))
    run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        usage="%(prog)s [options] [prompt ...]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("prompt", nargs="*", help="words of the prompt; - is the standard input")
    add("--effort", choices=EFFORTS, help="how hard to think (default: the model's)")
    add("--model", metavar="SLUG", help="another model, such as openai/o3-mini-high")
    add("--system", metavar="TEXT", help="instructions before the prompt")
    add("--max-tokens", metavar="N", type=int, help="longest answer, hidden reasoning included")
    add("--schema", metavar="FILE", help="JSON schema; the answer is one JSON object of it")
    add("--usage", action="store_true", help="show tokens, time and cost even off a terminal")
    add("--version", action="version", version=f"langchain-openrouter-o3 {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
