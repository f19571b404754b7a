"""Run libFuzzer, through atheris, on one target: `python -m tests.fuzz.engine TARGET FLAGS…`.

A module of its own because libFuzzer starts it again by itself to shrink a corpus, and because
the package must not have been imported before it is instrumented.
"""

from __future__ import annotations

import shlex
import sys
from typing import NoReturn

PACKAGE = "langchain_openrouter_o3"


def fuzz(target: str, flags: list[str]) -> NoReturn:
    """Hand this process over to libFuzzer, which ends it.

    Args:
        target: A name in `TARGETS`.
        flags: libFuzzer's options and folders.
    """
    import atheris  # type: ignore[import-untyped] # it has no annotations

    with atheris.instrument_imports(include=[PACKAGE]):
        from tests.fuzz.targets import TARGETS

    command = f"{shlex.quote(sys.executable)} -m tests.fuzz.engine {target}"
    atheris.Setup([command, *flags], TARGETS[target])
    atheris.Fuzz()
    raise SystemExit  # not reached: libFuzzer has its own exit


if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2:])
