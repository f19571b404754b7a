"""Measure the clients and rewrite the page: `python -m tests.pains.peers --help`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import os
import platform
import sys
from typing import Any

from tests.pains.cases import CASES
from tests.pains.harness import CaseRunner
from tests.pains.peers import page
from tests.pains.peers.clients import CLIENTS, Client

SETTINGS = ("OPENROUTER_", "OPENAI_", "LC_OUTPUT_VERSION", "LANGCHAIN_", "LANGSMITH_")
"""How the environment variables begin that would change what a client does by default."""


def measure(client: Client) -> dict[str, Any]:
    """Play all cases against a client."""
    cases = {}
    with CaseRunner() as runner:
        for pain in sorted(CASES):
            observation = runner.play(pain, client)
            cases[pain] = {"verdict": observation.verdict, "seen": observation.seen}
            sys.stderr.write(f"{client.title} {pain} {observation.verdict}: {observation.seen}\n")
    return {
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "versions": client.versions(),
        "cases": cases,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.pains.peers", description=__doc__)
    parser.add_argument("--client", choices=CLIENTS, help="measure this one; keep the others")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--print", action="store_true", help="print as JSON and write nothing")
    group.add_argument("--page", action="store_true", help="measure nothing, only make the page")
    options = parser.parse_args()
    keys = [] if options.page else [options.client] if options.client else list(CLIENTS)
    missing = [CLIENTS[key].title for key in keys if not CLIENTS[key].is_installed]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; use pip install -e . --group peers")
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    logging.disable()  # what a broken client makes the server say
    measured = {key: measure(CLIENTS[key]) for key in keys}
    if options.print:
        sys.stdout.write(json.dumps(measured))
        return
    before = page.load() if page.MEASURED.exists() else {}
    page.save({**before, **measured})


if __name__ == "__main__":
    main()
