"""Show the package at work: `python3 .ci/tour.py` (or with a prompt and options)."""

from __future__ import annotations

import sys

from environment import python_with, run, typed_command

# What the command line prints for pasting begins with what was typed here.
_COMMAND = """
import sys
from langchain_openrouter_o3._cli.main import main
sys.exit(main(sys.argv[2:], command=sys.argv[1]))
"""

if __name__ == "__main__":
    python = python_with("extras")
    # By its name: the tour does not wait for a prompt from a pipe that nobody closes.
    arguments = sys.argv[1:] or ["tour"]
    sys.exit(run([str(python), "-c", _COMMAND, typed_command(), *arguments]))
