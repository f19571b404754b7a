"""Make the project's own virtual environments with nothing but the standard library."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
OLDEST = (3, 10)
OLDEST_FOR_TOOLS = (3, 11)  # what builds the documentation and releases needs it
PIP = "pip==25.3"
"""Reads dependency groups, which the pip that a Python of 2023 brings along does not."""


def python_with(group: str, *, constraints: Path | None = CONSTRAINTS, name: str = ".venv") -> Path:
    """Return the interpreter of an environment that has the package and a dependency group.

    Args:
        group: Its name.
        constraints: Pinned versions; None for the newest of everything, looked up each day.
        name: Folder of the environment, below the project.
    """
    _check_python(OLDEST)
    pinned = ["--upgrade", "--upgrade-strategy=eager"]
    if constraints is not None:
        pinned = ["-c", str(constraints)]
    wanted = [*pinned, "-e", str(ROOT), "--group", group]
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}".encode()
    pins = constraints.read_bytes() if constraints is not None else today
    return _prepared(name, wanted, pins + (ROOT / "pyproject.toml").read_bytes())


def python_with_requirements(file: Path, *, name: str) -> Path:
    """Return the interpreter of an environment that has pinned packages, and not the project.

    Args:
        file: The requirements.
        name: Folder of the environment, below the project.
    """
    _check_python(OLDEST_FOR_TOOLS)
    return _prepared(name, ["-r", str(file)], file.read_bytes())


def run(command: list[str]) -> int:
    """Run a command in the project and return its exit code."""
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _check_python(oldest: tuple[int, int]) -> None:
    if sys.version_info < oldest:
        sys.exit(f"Python {oldest[0]}.{oldest[1]} or newer is needed; this is {sys.version}.")


def _prepared(name: str, wanted: list[str], pins: bytes) -> Path:
    """Return the interpreter of an environment, which is made anew for another Python."""
    folder = ROOT / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / f"installed-{_digest(' '.join(wanted).encode())[:12]}"
    state = _digest(pins + sys.version.encode())
    if not (python.exists() and stamp.exists() and stamp.read_text() == state):
        print(f"Preparing {name} (once; takes about a minute) …", file=sys.stderr, flush=True)
        _make(folder)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, PIP], check=True)
        subprocess.run([*pip, *wanted], check=True, cwd=ROOT)
        stamp.write_text(state)
    return python


def _make(folder: Path) -> None:
    """Make an environment, or keep the one that this Python has made."""
    made_by = folder / "made-by"
    if not (made_by.exists() and made_by.read_text() == sys.version):
        venv.create(folder, with_pip=True, clear=True)
        made_by.write_text(sys.version)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
