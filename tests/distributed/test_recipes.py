"""The recipes of docs/distributed.md, each a program of its own that runs twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import KEY

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PACKAGES = {"Ray Data": "ray.data", "Spark": "pyspark", "Dask": "distributed", "Daft": "daft"}
ENVIRONMENT = {
    "OPENROUTER_API_KEY": KEY,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "DAFT_ANALYTICS_ENABLED": "0",
    "SPARK_LOCAL_IP": "127.0.0.1",
    "JAVA_TOOL_OPTIONS": "-Xmx512m",
}


def program(section: str) -> str:
    """The first block of the page, and the one below a heading."""
    before, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    below = next(text for text in sections if text.startswith(f"{section}\n"))
    blocks = FENCE.findall(before) + FENCE.findall(below)
    assert len(blocks) == 2
    return "\n".join(blocks)


@pytest.mark.parametrize("section", [*PACKAGES, "The journal"])
def test_a_recipe_runs_and_pays_once(section: str, emulator: Emulator, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `ray` is not installed")
    if section in PACKAGES:
        needs = "needs tests/constraints-distributed.txt"
        pytest.importorskip(PACKAGES[section], reason=needs, exc_type=ImportError)
    file = tmp_path / "program.py"
    file.write_text(program(section))
    where = {"OPENROUTER_API_BASE": emulator.base_url, "PYTHONPATH": str(PAGE.parents[1])}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(file)],
            cwd=tmp_path,
            env={**os.environ, **ENVIRONMENT, **where},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
    assert len(emulator.requests) == (40 if section in PACKAGES else 20)
