"""The two cores, the environment of the processes, and how many sockets they may open."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

KEY = "sk-or-v1-benchmark"
ROOT = Path(__file__).resolve().parent.parent

# A proxy, a tracer or a foreign base URL would measure something else; without bytecode, which
# pip writes for what it installs, an import from a checkout would measure the compiler.
_FOREIGN = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "PYTHONDONTWRITEBYTECODE",
)


def cores() -> tuple[int | None, int | None]:
    """Return the server's core and the clients' core; None where they cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[-1]) if len(allowed) > 1 else (None, None)


def settle_on(core: int | None) -> None:
    """Keep this process on one core."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def environment() -> dict[str, str]:
    """Return the environment of a measured process: no proxy, no tracing, a made-up key."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in _FOREIGN
        and not name.startswith(("LANGCHAIN_", "LANGSMITH_", "OPENROUTER_"))
    }
    known = {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY, "PYTHONHASHSEED": "0"}
    return {**kept, **known, "LANGSMITH_TRACING": "false", "NO_PROXY": "*", "no_proxy": "*"}


def allow_many_sockets() -> None:
    """Raise the limit of open files as far as it goes: a burst has a thousand connections."""
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_sockets() -> int | None:
    """Count this process's sockets; None where the system does not list them."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return None
    count = 0
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            count += str(entry.readlink()).startswith("socket:")
    return count
