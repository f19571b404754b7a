"""`python -m langchain_openrouter_o3.emulator`: the emulator until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, get_args

from langchain_openrouter_o3.emulator import Emulator, faults
from langchain_openrouter_o3.emulator.faults.syntax import describe_faults, parse_fault
from langchain_openrouter_o3.emulator.recording.applications import OPENROUTER, Miss
from langchain_openrouter_o3.emulator.serving.connection import TLS_FAILURES

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator.wire.sending import Fault

_A_LONG_TIME = 3600.0
_RECORDING = ("record", "replay", "timing", "miss", "repeat_last", "upstream")


def main() -> None:
    """Listen until interrupted."""
    parser = _parser()
    options = parser.parse_args()
    if options.list_faults:
        sys.stdout.write(describe_faults())
        return
    # A plain `kill` ends the emulator as Ctrl-C does, with its connections closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    emulator = _emulator(parser, options)
    if options.fault_rate is None:
        emulator.play(*options.fault)
    else:
        try:
            chooser = faults.at_random(*options.fault, rate=options.fault_rate, seed=options.seed)
        except ValueError as error:
            parser.error(f"--fault-rate: {error}")
        emulator.disturb(chooser)
    try:
        emulator.start()
    except OSError as error:
        parser.error(f"cannot listen on {options.host}, port {options.port}: {error}")
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        stack.callback(emulator.stop)
        key = options.api_key or "any"
        sys.stdout.write(
            f"OpenRouter emulator ({_kind(options)}) on {emulator.base_url}; use it with "
            f"OPENROUTER_API_BASE={emulator.base_url} OPENROUTER_API_KEY={key}\n"
            f"See its exchanges in a browser at {emulator.page_url}\n",
        )
        sys.stdout.flush()
        while True:
            time.sleep(_A_LONG_TIME)


def _emulator(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Emulator:
    names = ("host", "port", "api_key", "tls_failure", *_RECORDING)
    try:
        emulator = Emulator(**{name: getattr(options, name) for name in names})
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if options.record is not None or options.replay is not None:
        reports = logging.getLogger("langchain_openrouter_o3.emulator")
        reports.setLevel(logging.INFO)
        reports.addHandler(logging.StreamHandler(sys.stdout))
    return emulator


def _kind(options: argparse.Namespace) -> str:
    if options.record is not None:
        return f"records into {options.record}"
    if options.replay is not None:
        return f"replays {options.replay}"
    return "rules, no language model"


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
    _add_recording(parser)
    parser.add_argument(
        "--list-faults",
        action="store_true",
        help="print each fault with its arguments, and exit",
    )
    return parser


def _add_recording(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("record and replay")
    group.add_argument(
        "--record",
        metavar="DIR",
        help="pass requests on to OpenRouter, with the caller's key or OPENROUTER_API_KEY, and "
        "write each exchange into a file; what is not as it was in an older file is told",
    )
    group.add_argument("--replay", metavar="DIR", help="answer from those files")
    group.add_argument(
        "--timing",
        type=float,
        default=0.0,
        metavar="FACTOR",
        help="1: with the original timing, 0: without waits, or any scale (default: 0)",
    )
    group.add_argument(
        "--miss",
        choices=get_args(Miss),
        default="fail",
        help="what a request without a recording gets: an error that names the nearest one, or "
        "OpenRouter's answer, which is recorded (default: fail)",
    )
    group.add_argument(
        "--repeat-last",
        action="store_true",
        help="answer with the last recording of a request again when all are used",
    )
    group.add_argument(
        "--upstream", metavar="URL", help=f"base URL to record from (default: {OPENROUTER})"
    )


def _fault(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    main()
