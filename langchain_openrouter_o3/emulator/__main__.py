"""`python -m langchain_openrouter_o3.emulator`: the emulator until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING

from langchain_openrouter_o3.emulator import Emulator, faults
from langchain_openrouter_o3.emulator.fault_syntax import describe_faults, parse_fault
from langchain_openrouter_o3.emulator.tls import TLS_FAILURES

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.fault import Fault

_A_LONG_TIME = 3600.0


def main() -> None:
    """Listen until interrupted."""
    parser = _parser()
    options = parser.parse_args()
    if options.list_faults:
        sys.stdout.write(describe_faults())
        return
    # A plain `kill` ends the emulator as Ctrl-C does, with its connections closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    emulator = Emulator(
        host=options.host,
        port=options.port,
        api_key=options.api_key,
        tls_failure=options.tls_failure,
    )
    if options.fault_rate is None:
        emulator.play(*options.fault)
    else:
        try:
            chooser = faults.at_random(*options.fault, rate=options.fault_rate, seed=options.seed)
        except ValueError as error:
            parser.error(f"--fault-rate: {error}")
        emulator.disturb(chooser)
    with contextlib.suppress(KeyboardInterrupt), emulator:
        key = options.api_key or "any"
        sys.stdout.write(
            f"OpenRouter emulator (rules, no language model) on {emulator.base_url}; use it with "
            f"OPENROUTER_API_BASE={emulator.base_url} OPENROUTER_API_KEY={key}\n"
            f"See its exchanges in a browser at {emulator.page_url}\n",
        )
        sys.stdout.flush()
        while True:
            time.sleep(_A_LONG_TIME)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m langchain_openrouter_o3.emulator",
        description="A local OpenRouter that answers by rules. There is no language model in it.",
        epilog="Example: --fault status=503,retry-after=2 --fault reset=mid-event,events=3",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (0: any free one)")
    parser.add_argument("--api-key", help="accept only this key (default: any)")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[=ARGUMENT,…]",
        help="play a fault to one chat request before the rules apply; repeat it for the next",
    )
    parser.add_argument(
        "--fault-rate",
        type=float,
        metavar="SHARE",
        help="choose among the faults at random for this share of the requests (0 to 1) instead",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of that choice (default: 0)")
    parser.add_argument(
        "--tls-failure",
        choices=TLS_FAILURES,
        default="alert",
        help="how the handshake fails when a client speaks https (default: alert)",
    )
    parser.add_argument(
        "--list-faults",
        action="store_true",
        help="print each fault with its arguments, and exit",
    )
    return parser


def _fault(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    main()
