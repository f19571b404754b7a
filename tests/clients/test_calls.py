"""Other clients call the emulator, as far as they are installed beside the tests.

`.ci/clients.py` runs all of them, in the versions that it names, in environments of their own.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from . import calls

if TYPE_CHECKING:
    from langchain_openrouter_o3.emulator import Emulator

PACKAGES = {
    "openai": "openai",
    "chat_openai": "langchain_openai",
    "chat_openrouter": "langchain_openrouter",
    "openrouter": "openrouter",
}
READ_BY_THE_SDK = {
    "/chat/completions",
    "/credits",
    "/generation",
    "/key",
    "/models",
    "/models/openai/o3-mini/endpoints",
}


@pytest.mark.parametrize("client", calls.CLIENTS)
def test_a_client_gets_an_answer_to_every_call(client: str, emulator: Emulator) -> None:
    """OpenRouter's SDK reads every answer with its pydantic models, and complains of a misfit."""
    if find_spec(PACKAGES[client]) is None:
        pytest.skip(f"{PACKAGES[client]} is not installed; .ci/clients.py installs it")
    command = [sys.executable, calls.__file__, client, emulator.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("chat, streamed chat, tools, structured output")
    if client == "openrouter":
        paths = {request.path.removeprefix("/api/v1") for request in emulator.requests}
        assert paths >= READ_BY_THE_SDK
