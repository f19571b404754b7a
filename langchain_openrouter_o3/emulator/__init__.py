"""A local OpenRouter for tests and offline work.

It answers on the real wire, with the events, errors, usage and quirks of OpenRouter's o-series
models, but by a script or by deterministic rules: there is no language model here, and no network.

    with Emulator(script=[call("get_weather", city="Paris"), say("Sunny.")]) as emulator:
        model = ChatOpenRouterO3(base_url=emulator.base_url, api_key="any")
        ...
        print(emulator.requests[0].body)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import faults
    from langchain_openrouter_o3.emulator.conversation import ScriptError
    from langchain_openrouter_o3.emulator.emulator import Emulator
    from langchain_openrouter_o3.emulator.script import (
        Pace,
        Reply,
        call,
        calls,
        fail,
        obj,
        refuse,
        say,
        think,
    )
    from langchain_openrouter_o3.emulator.wire.request_log import ReceivedRequest
    from langchain_openrouter_o3.emulator.wire.sending import Canned, Fault

__all__ = [
    "Canned",
    "Emulator",
    "Fault",
    "Pace",
    "ReceivedRequest",
    "Reply",
    "ScriptError",
    "call",
    "calls",
    "fail",
    "faults",
    "obj",
    "refuse",
    "say",
    "think",
]

_MODULES = {
    "Canned": "wire.sending",
    "Emulator": "emulator",
    "Fault": "wire.sending",
    "ReceivedRequest": "wire.request_log",
    "ScriptError": "conversation",
    "faults": "faults",
} | dict.fromkeys(
    ("Pace", "Reply", "call", "calls", "fail", "obj", "refuse", "say", "think"), "script"
)
_OF_THE_EXTRA = ("h11", "starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    """Import on first use, because pytest imports this package with its plugin in every run."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _OF_THE_EXTRA:
            raise
        raise ModuleNotFoundError(
            f"The emulator needs {error.name}, which comes with its extra: "
            'pip install "langchain-openrouter-o3[emulator]"',
            name=error.name,
        ) from error
    return module if name == "faults" else getattr(module, name)
