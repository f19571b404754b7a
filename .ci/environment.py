"""Make the project's own virtual environment with nothing but the standard library."""

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


def python_with(
    extras: str, *, constraints: Path | None = CONSTRAINTS, name: str = ".venv"
) -> Path:
    """Return the interpreter of an environment that has the package and these extras.

    Args:
        extras: Names of optional dependencies, separated by commas.
        constraints: Pinned versions; None for the newest of everything, looked up each day.
        name: Folder of the environment, below the project.
    """
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version}.")
    folder = ROOT / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / f"installed-{extras}"
    wanted = _fingerprint(extras, constraints)
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        print(f"Preparing {name} (once; takes about a minute) …", file=sys.stderr, flush=True)
        if not python.exists():
            venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pinned = ["--upgrade", "--upgrade-strategy=eager"]
        if constraints is not None:
            pinned = ["-c", str(constraints)]
        subprocess.run([*pip, *pinned, "-e", f"{ROOT}[{extras}]"], check=True)
        stamp.write_text(wanted)
    return python


def run(command: list[str]) -> int:
    """Run a command in the project and return its exit code."""
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


def _fingerprint(extras: str, constraints: Path | None) -> str:
    content = (ROOT / "pyproject.toml").read_bytes() + extras.encode()
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}".encode()
    content += constraints.read_bytes() if constraints is not None else today
    return hashlib.sha256(content + sys.version.encode()).hexdigest()
