"""Build the wheel (or take one that is named), install it with its packages alone, and use it."""

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

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def built(folder: str) -> Path:
    """Build the wheel in a folder."""
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", folder, str(ROOT)], check=True)
    return next(Path(folder).glob("*.whl"))


def use(wheel: Path, folder: str) -> None:
    """Install a wheel into an environment of its own, and use it from another folder."""
    venv.create(f"{folder}/venv", with_pip=True)
    python = f"{folder}/venv/{'Scripts' if sys.platform == 'win32' else 'bin'}/python"
    subprocess.run([python, *PIP[1:], "install", str(wheel)], check=True)
    subprocess.run([python, "-c", CHECK], check=True, cwd=folder)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        use(Path(sys.argv[1]).resolve() if sys.argv[1:] else built(folder), folder)
