"""Let other clients call the emulator: `python3 .ci/clients.py` (or with words of their names).

Each has an environment of its own below the project, because some do not install beside others;
they are made once and kept. What does not install here is told and skipped.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environment import ROOT, python_with

# Name, package with its version, and the name by which tests/clients/calls.py imports it.
CLIENTS = (
    ("openai 2", "openai==2.54.0", "openai"),
    ("openai 3", "openai==3.57.0", "openai"),
    ("ChatOpenAI", "langchain-openai==1.7.4", "langchain_openai"),
    ("ChatOpenRouter", "langchain-openrouter==0.2.9", "langchain_openrouter"),
    ("openrouter 0.11", "openrouter==0.11.46", "openrouter"),
    ("openrouter 1.3", "openrouter==1.3.84", "openrouter"),
)
NODE_CLIENT = "@openrouter/ai-sdk-provider"
CALLS = ROOT / "tests" / "clients" / "calls.py"


def environment(name: str, package: str) -> Path | None:
    """Return the interpreter of a client's environment; None if the package does not install."""
    folder = ROOT / f".venv-client-{name.lower().replace(' ', '-')}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "installed"
    wanted = hashlib.sha256(f"{package} {sys.version}".encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, package], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr.strip().rpartition("\n")[2])
        return None
    stamp.write_text(wanted)
    return python


def check(name: str, package: str, imported: str, url: str, python: Path | None) -> bool:
    """Make all calls of a client, print which, and return whether they were answered."""
    if python is None:
        print(f"SKIPPED {name}: {package} does not install here", flush=True)
        return True
    started = time.monotonic()
    done = subprocess.run(
        [str(python), str(CALLS), imported, url], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    said = done.stdout.strip() if not done.returncode else f"FAILED\n{done.stderr}"
    print(f"{package}: {said} ({seconds:.1f} s)", flush=True)
    return not done.returncode


def main() -> int:
    """Start the emulator and check every client that is named."""
    words = sys.argv[1:]
    clients = [each for each in CLIENTS if not words or any(word in each[0] for word in words)]
    with ThreadPoolExecutor() as pool:
        pythons = [*pool.map(lambda client: environment(*client[:2]), clients)]
    command = [str(python_with("test")), "-m", "langchain_openrouter_o3.emulator"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            line = emulator.stdout.readline() if emulator.stdout else ""
            url = line.partition("OPENROUTER_API_BASE=")[2].split()[0]
            results = [
                check(*client, url, python) for client, python in zip(clients, pythons, strict=True)
            ]
        finally:
            emulator.terminate()
    print(f"SKIPPED {NODE_CLIENT}: it needs Node, which this project does without")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
