"""Cases that need a process of their own: `python -m tests.pains.peers.scripts NAME …`."""

from __future__ import annotations

import os
import sys

from tests.pains.harness import attempt
from tests.pains.peers.clients import CLIENTS


def fork(key: str, base_url: str) -> None:
    """Use a model and fork; end the child while its question is open, then ask as the parent."""
    model = CLIENTS[key].build(base_url, max_retries=0)
    model.invoke("Hello")
    child = os.fork()
    if not child:
        attempt(lambda: model.invoke("I am the child"), 1)
        os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.write(f"{attempt(lambda: model.invoke('I am the parent').text, 10)}\n")


def tokens(key: str, base_url: str) -> None:
    """Count tokens."""
    model = CLIENTS[key].build(base_url)
    sys.stdout.write(f"{attempt(lambda: model.get_num_tokens('twelve chars'))}\n")


if __name__ == "__main__":
    {"fork": fork, "tokens": tokens}[sys.argv[1]](*sys.argv[2:])
