"""Build the wheel, install it with its runtime packages alone, and use it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from environment import ROOT

CHECK = """
import sys
import langchain_openrouter_o3
heavy = {"openai", "tiktoken", "starlette", "uvicorn", "rich", "httpx"} & sys.modules.keys()
assert not heavy, heavy
assert "site-packages" in langchain_openrouter_o3.__file__
model = langchain_openrouter_o3.ChatOpenRouterO3(api_key="unused")
assert model.profile["max_input_tokens"] == 200_000
print("wheel works:", langchain_openrouter_o3.__version__)
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, str(ROOT)], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        venv.create(f"{folder}/venv", with_pip=True)
        python = f"{folder}/venv/bin/python"
        pip[0] = python
        subprocess.run([*pip, "install", str(wheel)], check=True)
        subprocess.run([python, "-c", CHECK], check=True, cwd=folder)
