"""Test the emulator's page in headless Chromium: `python3 .ci/browser.py`.

As root on Debian it installs Debian's Chromium. Elsewhere it takes what is there, or says that the
tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import sys

from environment import python_with, run

NAMES = ("chromium", "chromium-browser", "google-chrome")
TESTS = "tests/emulator/test_page_in_browser.py"


def is_there() -> bool:
    """Whether a Chromium is installed."""
    return any(shutil.which(name) for name in NAMES)


def install() -> None:
    """Install Debian's Chromium if that needs no questions."""
    if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium (once) …", file=sys.stderr, flush=True)
        run(["apt-get", "-qq", "update"])
        run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", "chromium"])


if __name__ == "__main__":
    if not is_there():
        install()
    if not is_there():
        print(f"SKIPPED: {TESTS}, because there is no Chromium ({', '.join(NAMES)})")
        sys.exit(0)
    python = python_with("browser", name=".venv-browser")
    sys.exit(run([str(python), "-m", "pytest", "-q", TESTS]))
