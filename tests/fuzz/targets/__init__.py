"""What is fuzzed: functions of bytes that raise where a promise is broken."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.targets.answers import answer, payloads
from tests.fuzz.targets.chunks import joiner
from tests.fuzz.targets.failures import failure
from tests.fuzz.targets.framing import body, sse
from tests.fuzz.targets.requests import request
from tests.fuzz.targets.stop import stop

TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (sse, body, joiner, answer, payloads, failure, request, stop)
}
"""The targets by name; an input is a file's bytes, an input that breaks a promise raises."""
