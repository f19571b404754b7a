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
    if find_spec(client) is None:
        pytest.skip(f"{client} is not installed; .ci/clients.py installs it")
    command = [sys.executable, calls.__file__, client, emulator.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = {"asynchronous", "chat", "errors", "streamed chat", "structured output", "tools"}
    assert names <= {*done.stdout.strip().split(", ")}
    if client == "openrouter":
        paths = {request.path.removeprefix("/api/v1") for request in emulator.requests}
        assert paths >= READ_BY_THE_SDK
