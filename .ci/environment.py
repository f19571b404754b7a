"""Make the project's own virtual environments with nothing but the standard library."""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
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

    There is one environment for each version of Python; the Python that runs this makes it.

    Args:
        group: Its name.
        constraints: Pinned versions; None for the newest of everything, looked up each day.
        name: Folder of the environment, below the project; the version of Python is appended.
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
        name: Folder of the environment, below the project; the version of Python is appended.
    """
    _check_python(OLDEST_FOR_TOOLS)
    return _prepared(name, ["-r", str(file)], file.read_bytes())


def run(command: list[str]) -> int:
    """Run a command where the caller stands, and return its exit code."""
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


def typed_command() -> str:
    """Return the words that called this script, without its arguments, ready to be pasted."""
    return shlex.join(sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1])


def _prepared(name: str, wanted: list[str], pins: bytes) -> Path:
    """Return the interpreter of an environment of the Python that runs this."""
    folder = ROOT / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / f"installed-{_digest(' '.join(wanted).encode())[:12]}"
    state = _digest(pins + sys.version.encode())
    if python.exists() and stamp.exists() and stamp.read_text() == state:
        return python
    print(f"Preparing {folder.name} (once; takes about a minute) …", file=sys.stderr, flush=True)
    _make(folder)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for packages in ([PIP], wanted):
        if subprocess.run([*pip, *packages], check=False, cwd=ROOT).returncode:
            sys.exit("pip could not install the packages; its own words are above.")
    stamp.write_text(state)
    return python


def _check_python(oldest: tuple[int, int]) -> None:
    if sys.version_info < oldest:
        sys.exit(f"Python {oldest[0]}.{oldest[1]} or newer is needed; this is {sys.version}.")
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        sys.exit(f"This Python cannot make environments. On Debian: apt install {package}")


def _make(folder: Path) -> None:
    """Make an environment, unless this very Python has made it before."""
    maker = f"{sys.base_prefix} {sys.version}"
    stamp = folder / "made-by"
    if not (stamp.exists() and stamp.read_text() == maker):
        venv.create(folder, with_pip=True, clear=True)
        stamp.write_text(maker)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
