"""Show the package at work: `python3 .ci/tour.py` (or with a prompt and options)."""

from __future__ import annotations

import sys

from environment import python_with, run

if __name__ == "__main__":
    python = python_with("extras")
    sys.exit(run([str(python), "-m", "langchain_openrouter_o3", *sys.argv[1:]]))
