"""`python -m langchain_openrouter_o3.emulator`: the emulator until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time

from langchain_openrouter_o3.emulator import Emulator

_A_LONG_TIME = 3600.0


def main() -> None:
    """Listen until interrupted."""
    options = _parser().parse_args()
    # A plain `kill` ends the emulator as Ctrl-C does, with its connections closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    emulator = Emulator(host=options.host, port=options.port, api_key=options.api_key)
    with contextlib.suppress(KeyboardInterrupt), emulator:
        key = options.api_key or "any"
        sys.stdout.write(
            f"OpenRouter emulator (rules, no language model) on {emulator.base_url}; use it with "
            f"OPENROUTER_API_BASE={emulator.base_url} OPENROUTER_API_KEY={key}\n",
        )
        sys.stdout.flush()
        while True:
            time.sleep(_A_LONG_TIME)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m langchain_openrouter_o3.emulator",
        description="A local OpenRouter that answers by rules. There is no language model in it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--api-key", help="accept only this key (default: any)")
    return parser


if __name__ == "__main__":
    main()
