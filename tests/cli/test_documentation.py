"""Every example of docs/command-line.md prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.commands import SECONDS

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
FENCE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Each command, with what it prints."""
    text = "".join(FENCE.findall(PAGE.read_text("utf-8")))
    found = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE) if part]
    return [(typed, printed) for typed, _, printed in found]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_the_examples_of_the_page_print_what_it_says(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del server
    command = tmp_path / "openrouter-o3"
    root = PAGE.parents[1]
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        "from langchain_openrouter_o3._cli.main import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for typed, printed in examples():
        done = subprocess.run(
            ["/bin/sh", "-c", typed],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        pattern = re.escape(printed).replace("…", "(?s:.*?)")
        assert re.fullmatch(pattern, done.stdout), (typed, done.stdout)
    assert len(examples()) > 6
