"""`python -m langchain_openrouter_o3` is the command `openrouter-o3`."""

from __future__ import annotations

import sys

from langchain_openrouter_o3._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
